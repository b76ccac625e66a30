//! What a space holds by type, counted when somebody asks.

use std::time::Duration;

use common::SpaceId;
use common::files::{Amount, Kind, UsageByType};
use rusqlite::Connection;

use super::node::kind_number;
use crate::engine::deadline::{in_time, within};
use crate::row::RowExt as _;

/// Longest time that it takes a reader for: as for a search.
const MOST_TIME: Duration = Duration::from_secs(3);

/// Counts down the tree from the root, as there is no index of nodes by space: an upload should not have to keep one for this. One statement sees one state.
pub(super) fn by_type(
    connection: &Connection,
    space: SpaceId,
    at_most: u32,
) -> rusqlite::Result<UsageByType> {
    let counted = within(MOST_TIME, || in_time(|| count(connection, space, at_most)))?;
    Ok(counted.unwrap_or_default())
}

fn count(connection: &Connection, space: SpaceId, at_most: u32) -> rusqlite::Result<UsageByType> {
    let mut select = connection.prepare_cached(&format!(
        "WITH RECURSIVE below (id, trashed) AS (
            SELECT n.id, 0 FROM spaces s CROSS JOIN nodes n ON n.id = s.root WHERE s.id = ?1 AND n.deleted_at IS NULL
            UNION ALL
            SELECT n.id, b.trashed OR n.live = 0 FROM below b CROSS JOIN nodes n INDEXED BY nodes_parent ON n.parent = b.id
            WHERE n.live = 1 OR n.deleted_at IS NULL
            LIMIT ?2
         ),
         seen AS (
            SELECT n.kind, b.trashed, CASE WHEN b.trashed THEN '' ELSE n.mime END AS mime, n.size,
                   n.version > 1 AND n.kind = {file} AS changed, n.id
            FROM below b CROSS JOIN nodes n ON n.id = b.id
         )
         SELECT kind, trashed, mime, count(*), sum(size),
                sum(CASE WHEN changed THEN (SELECT count(*) FROM versions v WHERE v.node = seen.id) ELSE 0 END),
                sum(CASE WHEN changed THEN (SELECT coalesce(sum(v.size), 0) FROM versions v WHERE v.node = seen.id) ELSE 0 END)
         FROM seen GROUP BY kind, trashed, mime",
        file = kind_number(Kind::File),
    ))?;
    // the root, and one more to know whether there is more
    let mut rows = select.query((space.bytes(), i64::from(at_most) + 2))?;
    let (mut usage, mut looked_at) = (UsageByType::default(), 0);
    while let Some(row) = rows.next()? {
        let current = Amount { count: row.count(3)?, bytes: row.count(4)? };
        let former = Amount { count: row.count(5)?, bytes: row.count(6)? };
        looked_at += current.count;
        match (row.get::<_, i64>(0)? == kind_number(Kind::File), row.get(1)?) {
            (false, _) => {}
            (true, true) => {
                usage.trash += current;
                usage.trash += former;
            }
            (true, false) => {
                usage.versions += former;
                *usage.types.entry(row.get(2)?).or_default() += current;
            }
        }
    }
    usage.complete = looked_at <= u64::from(at_most) + 1;
    Ok(usage)
}
