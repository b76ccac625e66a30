//! Counting again what counters say.
//!
//! What is long is done on a reader, whose transaction sees one state whatever is written meanwhile. The writer only looks again at what was found wrong,
//! so that uploads do not wait for a recount.

use common::files::{Counter, Miscount, RecountPlace, RecountStep};
use common::{BlobKey, FileId, SpaceId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};

use super::path;
use crate::engine::Tx;
use crate::row::{RowExt as _, int};

/// Nodes looked at in one step, for the folders among them.
const NODES: u32 = 2_000;
/// Blobs in one step.
const BLOBS: u32 = 1_000;
/// Spaces in one step, at most; and nodes after which no further space is begun.
const SPACES: usize = 100;
const NODES_OF_SPACES: i64 = 20_000;

/// What a reader found.
pub(super) struct Suspects {
    pub(super) next: Option<RecountPlace>,
    pub(super) folders: Vec<FileId>,
    pub(super) spaces: Vec<Drift>,
    pub(super) blobs: Vec<BlobKey>,
}

impl Suspects {
    /// After the last space, their sum is looked at.
    fn ends_spaces(&self, from: RecountPlace) -> bool {
        matches!(from, RecountPlace::Spaces(_)) && self.next == Some(RecountPlace::Blobs(None))
    }

    /// The writer need not look at anything.
    pub(super) fn is_clean(&self, from: RecountPlace) -> bool {
        self.folders.is_empty() && self.spaces.is_empty() && self.blobs.is_empty() && !self.ends_spaces(from)
    }
}

/// How far the counters of a space were from what was counted at the same moment. As every change of the tree changes both alike, they still are when
/// more has changed: only another recount may not come between.
#[derive(Debug)]
pub(super) struct Drift {
    space: SpaceId,
    recounts: i64,
    /// Counter, stored, counted.
    counters: [(Counter, i64, i64); 4],
}

/// Looks for what is wrong, within the reader's transaction.
pub(super) fn look(connection: &Connection, from: RecountPlace) -> rusqlite::Result<Suspects> {
    let mut suspects = Suspects { next: None, folders: Vec::new(), spaces: Vec::new(), blobs: Vec::new() };
    suspects.next = match from {
        RecountPlace::Folders(after) => Some(folders(connection, after, &mut suspects.folders)?),
        RecountPlace::Spaces(after) => Some(spaces(connection, after, &mut suspects.spaces)?),
        RecountPlace::Blobs(after) => blobs(connection, after, &mut suspects.blobs)?,
    };
    Ok(suspects)
}

/// Puts right what still is wrong, within the writer's transaction.
pub(super) fn heal(
    tx: &Tx<'_>,
    from: RecountPlace,
    suspects: &Suspects,
    at: Timestamp,
) -> rusqlite::Result<RecountStep> {
    let mut found = Vec::new();
    for folder in &suspects.folders {
        heal_folder(tx, *folder, &mut found)?;
    }
    for drift in &suspects.spaces {
        heal_space(tx, drift, &mut found)?;
    }
    if suspects.ends_spaces(from) {
        heal_all_nodes(tx, &mut found)?;
    }
    for blob in &suspects.blobs {
        heal_blob(tx, *blob, at, &mut found)?;
    }
    Ok(RecountStep { next: suspects.next, found })
}

/// Live folders and files in a folder: stored, counted.
type Children = ([i64; 2], [i64; 2]);

fn children(connection: &Connection, folder: FileId, stored: [i64; 2]) -> rusqlite::Result<Children> {
    let counted = connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE kind = 0), count(*) FILTER (WHERE kind = 1)
             FROM nodes INDEXED BY nodes_by_name WHERE parent = ?1 AND live = 1",
        )?
        .query_row([folder.bytes()], |row| Ok([row.get(0)?, row.get(1)?]))?;
    Ok((stored, counted))
}

fn folders(
    connection: &Connection,
    after: Option<FileId>,
    wrong: &mut Vec<FileId>,
) -> rusqlite::Result<RecountPlace> {
    let after = after.map_or([0; 12], |id| *id.bytes());
    let mut select = connection.prepare_cached(
        "SELECT id, kind, folder_count, file_count FROM nodes WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = select.query((after, NODES))?;
    let (mut looked_at, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        let id: FileId = row.id(0)?;
        (looked_at, last) = (looked_at + 1, Some(id));
        if row.get::<_, i64>(1)? == 0 {
            let (stored, counted) = children(connection, id, [row.get(2)?, row.get(3)?])?;
            // a purge does not care for the counters of what it removes
            if stored != counted && path::find(connection, id)?.is_some() {
                wrong.push(id);
            }
        }
    }
    Ok(if looked_at == NODES { RecountPlace::Folders(last) } else { RecountPlace::Spaces(None) })
}

fn heal_folder(tx: &Tx<'_>, folder: FileId, found: &mut Vec<Miscount>) -> rusqlite::Result<()> {
    if path::find(tx, folder)?.is_none() {
        return Ok(());
    }
    let stored = tx
        .prepare_cached("SELECT folder_count, file_count FROM nodes WHERE id = ?1")?
        .query_row([folder.bytes()], |row| Ok([row.get(0)?, row.get(1)?]))?;
    let (stored, counted) = children(tx, folder, stored)?;
    if stored == counted {
        return Ok(());
    }
    tx.prepare_cached("UPDATE nodes SET folder_count = ?2, file_count = ?3 WHERE id = ?1")?.execute((
        folder.bytes(),
        counted[0],
        counted[1],
    ))?;
    note(
        found,
        folder,
        [(Counter::ChildFolders, stored[0], counted[0]), (Counter::ChildFiles, stored[1], counted[1])],
    );
    Ok(())
}

fn spaces(
    connection: &Connection,
    after: Option<SpaceId>,
    wrong: &mut Vec<Drift>,
) -> rusqlite::Result<RecountPlace> {
    let mut last = after.map_or([0; 12], |id| *id.bytes());
    let mut nodes = 0;
    let mut select = connection.prepare_cached(
        "SELECT id, root, recounts, used_bytes, reserved_bytes, node_count, trash_count
         FROM spaces WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = select.query((last, int(SPACES as u64 + 1)))?;
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        if looked_at == SPACES || nodes >= NODES_OF_SPACES {
            return Ok(RecountPlace::Spaces(Some(SpaceId::from_bytes(last))));
        }
        looked_at += 1;
        let (space, root): (SpaceId, FileId) = (row.id(0)?, row.id(1)?);
        let counted = count_space(connection, space, root)?;
        let counters = [
            (Counter::UsedBytes, row.get(3)?, counted.used_bytes),
            (Counter::ReservedBytes, row.get(4)?, counted.reserved_bytes),
            (Counter::Nodes, row.get(5)?, counted.nodes),
            (Counter::Trashed, row.get(6)?, counted.trashed),
        ];
        if counters.iter().any(|(_, stored, counted)| stored != counted) {
            wrong.push(Drift { space, recounts: row.get(2)?, counters });
        }
        nodes += counted.nodes;
        last = *space.bytes();
    }
    Ok(RecountPlace::Blobs(None))
}

struct Counted {
    used_bytes: i64,
    reserved_bytes: i64,
    nodes: i64,
    trashed: i64,
}

/// Walks the tree down from its root, as there is no index of nodes by space: an upload should not have to keep one for this.
fn count_space(connection: &Connection, space: SpaceId, root: FileId) -> rusqlite::Result<Counted> {
    let mut counted = connection
        .prepare_cached(
            "WITH RECURSIVE below (id) AS (
                SELECT ?1 UNION ALL SELECT n.id FROM below b CROSS JOIN nodes n INDEXED BY nodes_parent ON n.parent = b.id
             )
             SELECT coalesce(sum(n.size + CASE WHEN n.version > 1
                                               THEN (SELECT coalesce(sum(v.size), 0) FROM versions v WHERE v.node = n.id)
                                               ELSE 0 END), 0),
                    count(*) FILTER (WHERE n.deleted_at IS NULL AND n.parent IS NOT NULL),
                    count(*) FILTER (WHERE n.deleted_at IS NULL AND n.trashed_at IS NOT NULL)
             FROM below b CROSS JOIN nodes n ON n.id = b.id",
        )?
        .query_row([root.bytes()], |row| {
            Ok(Counted { used_bytes: row.get(0)?, nodes: row.get(1)?, trashed: row.get(2)?, reserved_bytes: 0 })
        })?;
    counted.reserved_bytes = connection
        .prepare_cached("SELECT coalesce(sum(bytes), 0) FROM reservations WHERE space = ?1")?
        .query_row([space.bytes()], |row| row.get(0))?;
    Ok(counted)
}

fn heal_space(tx: &Tx<'_>, drift: &Drift, found: &mut Vec<Miscount>) -> rusqlite::Result<()> {
    let [used, reserved, nodes, trashed] = drift.counters.map(|(_, stored, counted)| counted - stored);
    let healed = tx
        .prepare_cached(
            "UPDATE spaces SET used_bytes = used_bytes + ?3, reserved_bytes = reserved_bytes + ?4, node_count = node_count + ?5,
                               trash_count = trash_count + ?6, recounts = recounts + 1
             WHERE id = ?1 AND recounts = ?2",
        )?
        .execute((drift.space.bytes(), drift.recounts, used, reserved, nodes, trashed))?;
    if healed == 1 {
        note(found, drift.space, drift.counters);
    }
    Ok(())
}

/// The sum over all spaces. The writer counts it: there are few spaces, beside what is in them.
fn heal_all_nodes(tx: &Tx<'_>, found: &mut Vec<Miscount>) -> rusqlite::Result<()> {
    let (stored, counted) = tx
        .prepare_cached(
            "SELECT value, (SELECT coalesce(sum(node_count), 0) FROM spaces) FROM counters WHERE name = 'nodes'",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if stored != counted {
        tx.prepare_cached("UPDATE counters SET value = ?1 WHERE name = 'nodes'")?.execute([counted])?;
        note(found, "", [(Counter::AllNodes, stored, counted)]);
    }
    Ok(())
}

/// References of a blob, and whether it is condemned: stored, counted.
type References = ((i64, bool), (i64, bool));

fn references(connection: &Connection, key: BlobKey, stored: (i64, bool)) -> rusqlite::Result<References> {
    let counted: i64 = connection
        .prepare_cached(
            "SELECT (SELECT count(*) FROM nodes WHERE blob = ?1) + (SELECT count(*) FROM versions WHERE blob = ?1)
                  + (SELECT count(*) FROM thumbnails WHERE key = ?1)",
        )?
        .query_row([key.bytes()], |row| row.get(0))?;
    Ok((stored, (counted, counted == 0)))
}

fn blobs(
    connection: &Connection,
    after: Option<BlobKey>,
    wrong: &mut Vec<BlobKey>,
) -> rusqlite::Result<Option<RecountPlace>> {
    let after = after.map_or([0; 16], |key| *key.bytes());
    let mut select = connection.prepare_cached(
        "SELECT key, refs, condemned_at IS NOT NULL FROM blobs WHERE key > ?1 ORDER BY key LIMIT ?2",
    )?;
    let mut rows = select.query((after, BLOBS))?;
    let (mut looked_at, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        let key = row.id(0)?;
        (looked_at, last) = (looked_at + 1, Some(key));
        let (stored, counted) = references(connection, key, (row.get(1)?, row.get(2)?))?;
        if stored != counted {
            wrong.push(key);
        }
    }
    Ok((looked_at == BLOBS).then_some(RecountPlace::Blobs(last)))
}

fn heal_blob(tx: &Tx<'_>, key: BlobKey, at: Timestamp, found: &mut Vec<Miscount>) -> rusqlite::Result<()> {
    let stored = tx
        .prepare_cached("SELECT refs, condemned_at IS NOT NULL FROM blobs WHERE key = ?1")?
        .query_row([key.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some(stored) = stored else { return Ok(()) };
    let (stored, counted) = references(tx, key, stored)?;
    if stored == counted {
        return Ok(());
    }
    tx.prepare_cached(
        "UPDATE blobs SET refs = ?2, condemned_at = CASE WHEN ?2 = 0 THEN coalesce(condemned_at, ?3) END WHERE key = ?1",
    )?
    .execute((key.bytes(), counted.0, at.millis()))?;
    note(
        found,
        key,
        [
            (Counter::References, stored.0, counted.0),
            (Counter::Condemned, i64::from(stored.1), i64::from(counted.1)),
        ],
    );
    Ok(())
}

/// Notes those of the counters that were wrong.
fn note<const N: usize>(found: &mut Vec<Miscount>, of: impl ToString, counters: [(Counter, i64, i64); N]) {
    for (counter, stored, counted) in counters {
        if stored != counted {
            found.push(Miscount { counter, of: of.to_string(), stored, counted });
        }
    }
}
