//! Where entries stand in long lists, remembered: a page far from the beginning need not count all entries before it again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::FileId;
use common::files::{Kind, Order, Sort};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _};

use crate::engine::Tx;

/// Of how many entries one is remembered: passing by so many takes some 0.15 ms.
const STEP: u64 = 2_048;

/// Lists of which places are remembered.
const LISTS: usize = 64;

/// Places that are remembered, in all of them: some 200 bytes for each.
const KEYS: usize = 65_536;

/// Sort value and id of an entry, as parameters.
pub(super) type Key = Vec<Value>;

/// One order of a folder's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Line {
    /// Of these kinds.
    Sorted { sort: Sort, order: Order, kinds: &'static [Kind] },
    /// The classic list's.
    ById,
}

/// Places of the lists that were asked for last.
pub(super) struct Places {
    step: u64,
    lists: Mutex<Lists>,
}

#[derive(Default)]
struct Lists {
    known: HashMap<(FileId, Line), Known>,
    /// Counts each use.
    uses: u64,
}

#[derive(Default)]
struct Known {
    /// How often the list had changed.
    changes: i64,
    /// Each the last of the first so many entries.
    keys: BTreeMap<u64, Key>,
    /// How many there are in all, once somebody has asked for more.
    entries: Option<u64>,
    /// Of [`Lists::uses`], the last.
    used: u64,
}

impl Default for Places {
    fn default() -> Self {
        Self::every(STEP)
    }
}

impl Places {
    fn every(step: u64) -> Self {
        Self { step, lists: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        // nothing can panic while it is held
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of the last of the first `offset` entries, more than none; or how many there are, if they are fewer. `pass_by` finds the same from a key on.
    /// The connection is in a transaction, so that all is of one state.
    pub(super) fn skip(
        &self,
        connection: &Connection,
        (folder, line): (FileId, Line),
        offset: u64,
        mut pass_by: impl FnMut(Option<&Key>, u64) -> rusqlite::Result<Result<Key, u64>>,
    ) -> rusqlite::Result<Result<Key, u64>> {
        if offset < self.step {
            return pass_by(None, offset);
        }
        let changes = connection
            .prepare_cached("SELECT changes FROM listings WHERE folder = ?1")?
            .query_row([folder.bytes()], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        let found = self.find((folder, line), changes, offset, &mut pass_by)?;
        if let Err(entries) = found
            && let Some(known) = self.lock().of_state((folder, line), changes)
        {
            known.entries = Some(entries);
        }
        Ok(found)
    }

    fn find(
        &self,
        list: (FileId, Line),
        changes: i64,
        offset: u64,
        pass_by: &mut impl FnMut(Option<&Key>, u64) -> rusqlite::Result<Result<Key, u64>>,
    ) -> rusqlite::Result<Result<Key, u64>> {
        // not within the match, which would hold the lock
        let nearest = self.lock().nearest(list, changes, offset);
        let (mut passed, mut last) = match nearest {
            Some(Ok(nearest)) => nearest,
            Some(Err(entries)) => return Ok(Err(entries)),
            // nothing is known of this state, and it may not last: one statement is the fastest way, and steps are made by the next page
            None => {
                let found = pass_by(None, offset)?;
                if let Ok(key) = &found {
                    self.lock().add(list, changes, offset, key);
                }
                return Ok(found);
            }
        };
        while offset - passed >= self.step {
            match pass_by(last.as_ref(), self.step)? {
                Ok(key) => {
                    passed += self.step;
                    self.lock().add(list, changes, passed, &key);
                    last = Some(key);
                }
                Err(fewer) => return Ok(Err(passed + fewer)),
            }
        }
        match last {
            Some(key) if passed == offset => Ok(Ok(key)),
            last => Ok(pass_by(last.as_ref(), offset - passed)?.map_err(|fewer| passed + fewer)),
        }
    }
}

/// Counts that something has come into a folder.
pub(super) fn something_came(tx: &Tx<'_>, folder: FileId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO listings (folder, changes) VALUES (?1, 1) ON CONFLICT (folder) DO UPDATE SET changes = changes + 1",
    )?
    .execute([folder.bytes()])
    .map(drop)
}

/// How many entries come up to one that is known, and its key; or how many there are in all.
type Nearest = Result<(u64, Option<Key>), u64>;

impl Lists {
    /// Of the entries that are known, the last among the first `offset`; no entries and no key if it is none of them. How many the list has if these are fewer than
    /// that. None if nothing is known of this state.
    fn nearest(&mut self, list: (FileId, Line), changes: i64, offset: u64) -> Option<Nearest> {
        self.uses += 1;
        let known = self.known.get_mut(&list).filter(|known| known.changes == changes)?;
        known.used = self.uses;
        if let Some(entries) = known.entries.filter(|entries| *entries < offset) {
            return Some(Err(entries));
        }
        let nearest = known.keys.range(..=offset).next_back();
        Some(Ok(nearest.map_or((0, None), |(entries, key)| (*entries, Some(key.clone())))))
    }

    /// What is known of a list, forgotten as far as it is of an earlier state. None if it is of a later one, which another reader has seen.
    fn of_state(&mut self, list: (FileId, Line), changes: i64) -> Option<&mut Known> {
        if self.known.len() >= LISTS && !self.known.contains_key(&list) {
            self.forget_oldest();
        }
        let known = self.known.entry(list).or_default();
        if known.changes > changes {
            return None;
        }
        if known.changes < changes {
            *known = Known { changes, ..Known::default() };
        }
        known.used = self.uses;
        Some(known)
    }

    /// Notes the last of the first so many entries.
    fn add(&mut self, list: (FileId, Line), changes: i64, entries: u64, key: &Key) {
        let Some(known) = self.of_state(list, changes) else { return };
        known.keys.insert(entries, key.clone());
        while self.known.values().map(|known| known.keys.len()).sum::<usize>() > KEYS {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.known.iter().min_by_key(|(_, known)| known.used).map(|(list, _)| *list);
        oldest.and_then(|oldest| self.known.remove(&oldest));
    }
}

#[cfg(test)]
mod tests;
