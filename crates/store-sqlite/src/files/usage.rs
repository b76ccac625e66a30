//! What a space holds by type, counted when somebody asks.

use std::time::Duration;

use common::files::{Amount, Kind, UsageByType};
use common::{FileId, SpaceId};
use rusqlite::{Connection, OptionalExtension as _};

use super::node::kind_number;
use crate::engine::deadline::{in_time, within};
use crate::row::RowExt as _;

/// Longest time that it takes a reader for: as for a search.
pub(super) const MOST_TIME: Duration = Duration::from_secs(3);

/// Counts down the tree from the root, as there is no index of nodes by space: an upload should not have to keep one for this. What was counted when the
/// time was over is the answer, which is not complete then. Wants a transaction, to see one state.
pub(super) fn by_type(
    connection: &Connection,
    space: SpaceId,
    at_most: u32,
    limit: Duration,
) -> rusqlite::Result<UsageByType> {
    let mut usage = UsageByType::default();
    let all = within(limit, || in_time(|| count(connection, space, at_most, &mut usage)))?;
    usage.complete = all.unwrap_or(false);
    Ok(usage)
}

/// Adds what there is to `usage`, and says whether that is all.
fn count(
    connection: &Connection,
    space: SpaceId,
    at_most: u32,
    usage: &mut UsageByType,
) -> rusqlite::Result<bool> {
    let root: Option<FileId> = connection
        .prepare_cached(
            "SELECT n.id FROM spaces s CROSS JOIN nodes n ON n.id = s.root WHERE s.id = ?1 AND n.deleted_at IS NULL",
        )?
        .query_row([space.bytes()], |row| row.id(0))
        .optional()?;
    let mut children = connection.prepare_cached(
        "SELECT id, kind, live, size, coalesce(version, 1), mime FROM nodes INDEXED BY nodes_parent
         WHERE parent = ?1 AND (live = 1 OR deleted_at IS NULL)",
    )?;
    let mut versions =
        connection.prepare_cached("SELECT count(*), coalesce(sum(size), 0) FROM versions WHERE node = ?1")?;
    let mut looked_at = 0;
    // with each whether it is in the trash, or below something that is
    let mut folders: Vec<(FileId, bool)> = root.map(|root| (root, false)).into_iter().collect();
    while let Some((folder, is_trashed)) = folders.pop() {
        let mut rows = children.query([folder.bytes()])?;
        while let Some(row) = rows.next()? {
            if looked_at == at_most {
                return Ok(false);
            }
            looked_at += 1;
            let id: FileId = row.id(0)?;
            let is_trashed = is_trashed || !row.get::<_, bool>(2)?;
            if row.get::<_, i64>(1)? != kind_number(Kind::File) {
                folders.push((id, is_trashed));
                continue;
            }
            let current = Amount { count: 1, bytes: row.count(3)? };
            let former = if row.count(4)? > 1 {
                versions.query_row([id.bytes()], |row| {
                    Ok(Amount { count: row.count(0)?, bytes: row.count(1)? })
                })?
            } else {
                Amount::default()
            };
            if is_trashed {
                usage.trash += current;
                usage.trash += former;
            } else {
                usage.versions += former;
                *usage.types.entry(row.get(5)?).or_default() += current;
            }
        }
    }
    Ok(true)
}
