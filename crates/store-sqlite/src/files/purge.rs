//! Removing what lies below a tombstone, some rows a commit.

use common::files::PurgeStep;
use common::{BlobKey, FileId, SpaceId, Timestamp};
use rusqlite::{OptionalExtension as _, Row};

use super::space::{self, Change};
use super::{blobs, upload};
use crate::engine::Tx;
use crate::row::{RowExt as _, int};

/// What a purge must know of a row.
struct Doomed {
    id: FileId,
    is_folder: bool,
    blob: Option<BlobKey>,
    size: u64,
    /// Counted in the space, as it has no tombstone of its own.
    counted: bool,
    /// Counted in the trash.
    in_trash: bool,
}

const COLUMNS: &str =
    "id, kind, blob, size, deleted_at IS NULL, trashed_at IS NOT NULL AND deleted_at IS NULL";

fn doomed(row: &Row<'_>) -> rusqlite::Result<Doomed> {
    Ok(Doomed {
        id: row.id(0)?,
        is_folder: row.get::<_, i64>(1)? == 0,
        blob: row.id_opt(2)?,
        size: row.count(3)?,
        counted: row.get(4)?,
        in_trash: row.get(5)?,
    })
}

/// One commit's worth of a purge.
struct Purge<'t, 'c> {
    tx: &'t Tx<'c>,
    at: Timestamp,
    left: u32,
    removed: u32,
    freed_bytes: u64,
    change: Change,
}

pub(super) fn step(
    tx: &Tx<'_>,
    tombstone: FileId,
    limit: u32,
    at: Timestamp,
    tombstone_until: Timestamp,
) -> rusqlite::Result<PurgeStep> {
    let found = tx
        .prepare_cached(
            "SELECT space, deleted_at, parent IS NULL FROM nodes WHERE id = ?1 AND deleted_at IS NOT NULL",
        )?
        .query_row([tombstone.bytes()], |row| {
            Ok((row.id::<SpaceId>(0)?, row.time(1)?, row.get::<_, bool>(2)?))
        })
        .optional()?;
    let Some((space, deleted_at, is_root)) = found else {
        return Ok(PurgeStep { done: true, removed: 0, freed_bytes: 0 });
    };
    let mut purge =
        Purge { tx, at, left: limit.max(1), removed: 0, freed_bytes: 0, change: Change::default() };
    let done = purge.walk(tombstone)?;
    let goes = done && deleted_at < tombstone_until;
    if done {
        purge.finish(tombstone, goes)?;
    }
    space::apply(tx, space, Change { used_bytes: -int(purge.freed_bytes), ..purge.change })?;
    if goes && is_root {
        space::remove(tx, space)?;
    }
    Ok(PurgeStep { done, removed: purge.removed, freed_bytes: purge.freed_bytes })
}

impl Purge<'_, '_> {
    /// Goes down to the leaves and removes them on its way back. True if nothing is left below the tombstone. Starting again from the top
    /// costs one look for each level, so nothing needs to be remembered between two steps.
    fn walk(&mut self, tombstone: FileId) -> rusqlite::Result<bool> {
        loop {
            let mut stack = self.children(tombstone)?;
            if stack.is_empty() {
                return Ok(true);
            }
            while let Some(top) = stack.pop() {
                if self.left == 0 {
                    return Ok(false);
                }
                let below = if top.is_folder { self.children(top.id)? } else { Vec::new() };
                if below.is_empty() {
                    self.remove(&top)?;
                } else {
                    // it is looked at again after what was found in it
                    stack.push(top);
                    stack.extend(below);
                }
            }
        }
    }

    fn children(&self, folder: FileId) -> rusqlite::Result<Vec<Doomed>> {
        self.tx
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM nodes INDEXED BY nodes_parent WHERE parent = ?1 LIMIT ?2"
            ))?
            .query_map((folder.bytes(), self.left.max(1)), doomed)?
            .collect()
    }

    fn remove(&mut self, row: &Doomed) -> rusqlite::Result<()> {
        self.give_up_contents(row)?;
        self.tx.prepare_cached("DELETE FROM nodes WHERE id = ?1")?.execute([row.id.bytes()])?;
        self.change.nodes -= i64::from(row.counted);
        self.change.trash -= i64::from(row.in_trash);
        self.removed += 1;
        self.left = self.left.saturating_sub(1);
        Ok(())
    }

    fn give_up_contents(&mut self, row: &Doomed) -> rusqlite::Result<()> {
        if let Some(blob) = row.blob {
            self.freed_bytes += row.size + upload::give_up_versions(self.tx, row.id, 0, self.at)?;
            blobs::give_back(self.tx, blob, self.at)?;
        }
        Ok(())
    }

    /// The tombstone's own content goes with the first walk that finds nothing below it, its row when it is old enough.
    fn finish(&mut self, tombstone: FileId, remove: bool) -> rusqlite::Result<()> {
        let row = self
            .tx
            .prepare_cached(&format!("SELECT {COLUMNS} FROM nodes WHERE id = ?1"))?
            .query_row([tombstone.bytes()], doomed)?;
        if remove {
            self.remove(&row)
        } else {
            self.give_up_contents(&row)?;
            self.tx
                .prepare_cached("UPDATE nodes SET blob = NULL, size = 0 WHERE id = ?1 AND blob IS NOT NULL")?
                .execute([tombstone.bytes()])
                .map(drop)
        }
    }
}
