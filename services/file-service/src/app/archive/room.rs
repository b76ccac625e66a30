//! Room for what is known of archives while they are planned and sent, and how it is shared out: nobody can take so much that there is none for others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::{LinkId, UserId};

/// How much room there is for archives that are being sent, counted in entries of about 100 bytes each, and for how long it is held.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveSettings {
    /// In one process, all requests together.
    pub entries: usize,
    /// Of these for the archives of one account: at least the largest export.
    pub of_account: usize,
    /// For those of all visitors of links together.
    pub of_visitors: usize,
    /// For those by one link.
    pub of_link: usize,
    /// For those to visitors at one address (of IPv6, one /64): at least the largest archive.
    pub of_address: usize,
    /// An archive whose client takes nothing for so long is given up.
    pub give_up_after: Duration,
}

impl Default for ArchiveSettings {
    fn default() -> Self {
        Self {
            entries: 2_000_000,
            of_account: 1_000_000,
            of_visitors: 1_000_000,
            of_link: 500_000,
            of_address: 250_000,
            give_up_after: Duration::from_secs(120),
        }
    }
}

/// For whom an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Somebody with an account.
    Account(UserId),
    /// Somebody with a link.
    Visitor {
        link: LinkId,
        /// Where they are: see [`http_kit::customer_key`].
        address: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Share {
    Account(UserId),
    Visitors,
    Link(LinkId),
    Address(String),
}

impl Holder {
    fn shares(self, settings: &ArchiveSettings) -> Vec<(Share, usize)> {
        match self {
            Self::Account(user) => vec![(Share::Account(user), settings.of_account)],
            Self::Visitor { link, address } => vec![
                (Share::Visitors, settings.of_visitors),
                (Share::Link(link), settings.of_link),
                (Share::Address(address), settings.of_address),
            ],
        }
    }
}

/// Others hold all of it, or the holder all that is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too much is being sent in archives")]
pub(crate) struct NoRoom;

/// All room of the process.
pub(crate) struct Room {
    settings: ArchiveSettings,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    entries: usize,
    by: HashMap<Share, usize>,
}

impl Room {
    pub(crate) fn new(settings: ArchiveSettings) -> Arc<Self> {
        Arc::new(Self { settings, taken: Mutex::default() })
    }

    /// None of it yet, for this holder.
    pub(super) fn part(self: &Arc<Self>, holder: Holder) -> Part {
        Part { shares: holder.shares(&self.settings), room: Arc::clone(self), entries: 0 }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one archive holds; given back when it is dropped.
pub(crate) struct Part {
    room: Arc<Room>,
    /// The shares that it counts for, each with what it may be at most.
    shares: Vec<(Share, usize)>,
    entries: usize,
}

impl Part {
    /// Takes room for so many entries more.
    ///
    /// # Errors
    /// There is none; nothing is taken then.
    pub(super) fn grow(&mut self, more: usize) -> Result<(), NoRoom> {
        let mut taken = self.room.taken();
        let fits = |held: usize, most: usize| held.checked_add(more).is_some_and(|sum| sum <= most);
        let has_room = fits(taken.entries, self.room.settings.entries)
            && self.shares.iter().all(|(share, most)| fits(taken.by.get(share).copied().unwrap_or(0), *most));
        if !has_room {
            return Err(NoRoom);
        }
        taken.entries += more;
        for (share, _) in &self.shares {
            *taken.by.entry(share.clone()).or_default() += more;
        }
        self.entries += more;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        taken.entries -= self.entries;
        for (share, _) in &self.shares {
            if let Some(held) = taken.by.get_mut(share) {
                *held -= self.entries;
                if *held == 0 {
                    taken.by.remove(share);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: ArchiveSettings = ArchiveSettings {
        entries: 20,
        of_account: 10,
        of_visitors: 10,
        of_link: 5,
        of_address: 3,
        give_up_after: Duration::ZERO,
    };

    fn visitor(link: u8, address: &str) -> Holder {
        Holder::Visitor { link: LinkId::from_bytes([link; 12]), address: address.to_owned() }
    }

    fn account(user: u8) -> Holder {
        Holder::Account(UserId::from_bytes([user; 12]))
    }

    #[test]
    fn one_visitor_leaves_room_for_others_and_all_visitors_for_accounts() {
        let room = Room::new(SETTINGS);
        let held = std::cell::RefCell::new(Vec::new());
        let take = |holder: Holder, entries| {
            let mut part = room.part(holder);
            let taken = part.grow(entries);
            held.borrow_mut().push(part);
            taken.is_ok()
        };
        assert!(take(visitor(1, "a"), 3));
        assert!(!take(visitor(1, "a"), 1) && !take(visitor(2, "a"), 1), "of an address, by whatever link");
        assert!(take(visitor(1, "b"), 2));
        assert!(!take(visitor(1, "c"), 1), "of a link, from wherever");
        assert!(take(visitor(2, "c"), 3) && take(visitor(2, "b"), 1));
        assert!(!take(visitor(3, "d"), 2), "of all visitors");
        assert!(take(visitor(3, "d"), 1));
        assert!(take(account(1), 10) && !take(account(1), 1), "of an account");
        assert!(!take(account(2), 1), "of all");
        held.borrow_mut().clear();
        assert!(take(account(2), 10) && take(visitor(1, "a"), 3));
    }

    #[test]
    fn nothing_stays_taken_and_nothing_is_remembered_of_who_has_gone() {
        let room = Room::new(SETTINGS);
        let mut part = room.part(visitor(1, "a"));
        part.grow(2).unwrap();
        assert_eq!(part.grow(2), Err(NoRoom));
        part.grow(1).unwrap();
        drop(room.part(account(1)));
        assert_eq!(room.taken().entries, 3);
        drop(part);
        let taken = room.taken();
        assert_eq!((taken.entries, taken.by.len()), (0, 0));
    }
}
