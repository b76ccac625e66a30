//! Where a search looks, as what lies there is held against it.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use common::files::MAX_DEPTH;
use common::files::search::SearchScope;
use common::{FileId, SpaceId};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::row::RowExt as _;

/// Some of a space.
pub(super) struct Place {
    pub(super) space: SpaceId,
    extent: Extent,
}

/// What of a space.
enum Extent {
    /// All but what lies in these folders.
    AllBut(HashSet<FileId>),
    /// These nodes, and what lies in those of them that are folders.
    Below(HashSet<FileId>),
}

/// Ids as one value, so that neither a statement's text nor SQLite's limits depend on how many they are.
fn list_of(ids: &[FileId]) -> String {
    let mut list = String::with_capacity(2 + 27 * ids.len());
    list.push('[');
    for (number, id) in ids.iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        write!(list, "{comma}\"{id}\"").expect("a string takes what is written");
    }
    list.push(']');
    list
}

/// Those of some nodes of a space that are live, with nothing above them in the trash or gone, and the folders below them of which that is true. The bound only
/// keeps a damaged file from running for ever.
static BELOW: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH RECURSIVE up (root, level, parent, live) AS (
             SELECT n.id, 0, n.parent, n.live FROM json_each(?1) given CROSS JOIN nodes n ON n.id = unhex(given.value)
             WHERE n.space = ?2
             UNION ALL
             SELECT up.root, up.level + 1, p.parent, p.live
             FROM up JOIN nodes p ON p.id = up.parent WHERE up.level < 2 * {MAX_DEPTH}),
         below (id) AS (
             SELECT root FROM up GROUP BY root HAVING min(live) = 1
             UNION
             SELECT f.id FROM below JOIN nodes f INDEXED BY nodes_folders
                 ON f.parent = below.id AND f.kind = 0 AND f.deleted_at IS NULL
             WHERE f.live = 1)
         SELECT id FROM below"
    )
});

/// Folders of a space that are in the trash or gone, by themselves or because of one above them.
const HIDDEN: &str = "WITH RECURSIVE hidden (id) AS (
         SELECT id FROM nodes INDEXED BY nodes_hidden WHERE space = ?1 AND kind = 0 AND live = 0
         UNION
         SELECT f.id FROM hidden JOIN nodes f INDEXED BY nodes_folders
             ON f.parent = hidden.id AND f.kind = 0 AND f.deleted_at IS NULL)
     SELECT id FROM hidden";

impl Place {
    /// None if nothing can be there.
    pub(super) fn find(connection: &Connection, scope: &SearchScope) -> rusqlite::Result<Option<Self>> {
        let space = scope.space;
        let ids = |select: &str, values: Vec<Value>| -> rusqlite::Result<HashSet<FileId>> {
            connection.prepare_cached(select)?.query_map(params_from_iter(values), |row| row.id(0))?.collect()
        };
        let of_space = Value::Blob(space.bytes().to_vec());
        let extent = match &scope.below {
            None => Extent::AllBut(ids(HIDDEN, vec![of_space])?),
            Some(roots) => {
                let below = ids(&BELOW, vec![list_of(roots).into(), of_space])?;
                if below.is_empty() {
                    return Ok(None);
                }
                Extent::Below(below)
            }
        };
        Ok(Some(Self { space, extent }))
    }

    /// Whether a live node of the space with this parent lies there.
    pub(super) fn has(&self, node: FileId, parent: Option<FileId>) -> bool {
        match &self.extent {
            Extent::AllBut(hidden) => parent.is_none_or(|parent| !hidden.contains(&parent)),
            Extent::Below(below) => {
                below.contains(&node) || parent.is_some_and(|parent| below.contains(&parent))
            }
        }
    }
}
