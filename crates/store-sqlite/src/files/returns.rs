//! What was restored while its folder was in the trash, and returns to it when that is there again.

use common::files::{ChangeKind, FileEvent, Kind, Node, NodeError, NodeName, RETURNING_AT_ONCE, sort_key};
use common::{FileId, Timestamp, UserId};

use super::{FilesDb, activity, names, node, path, search, tree};
use crate::engine::{Abort, Tx, TxResult, damaged};
use crate::row::RowExt as _;

/// A node that returns to a folder.
struct Returning {
    id: FileId,
    to: FileId,
    /// The name that it had there, if it has another now.
    name: Option<NodeName>,
}

/// Takes along what returns when `folder` has come back from the trash, in the name of `by`; without a user nothing is told of it. The folder as it is then,
/// and how many were looked at, at most [`RETURNING_AT_ONCE`].
pub(super) fn take_along(
    tx: &Tx<'_>,
    folder: Node,
    by: Option<UserId>,
    at: Timestamp,
) -> TxResult<(Node, u32), NodeError> {
    if folder.kind != Kind::Folder {
        return Ok((folder, 0));
    }
    let returning: Vec<Returning> = tx
        .prepare_cached(
            "SELECT id, return_to, return_as FROM nodes INDEXED BY nodes_returning WHERE return_after = ?1 ORDER BY id LIMIT ?2",
        )?
        .query_map((folder.id.bytes(), RETURNING_AT_ONCE), |row| {
            let name = row.get_ref(2)?.as_str_or_null()?.map(NodeName::parse).transpose();
            let name = name.map_err(|_| damaged("a name that is none"))?;
            Ok(Returning { id: row.id(0)?, to: row.id(1)?, name })
        })?
        .collect::<Result<_, _>>()?;
    let mut looked_at = 0;
    for returning in returning {
        take_home(tx, returning, by, at)?;
        looked_at += 1;
    }
    if looked_at == 0 { Ok((folder, 0)) } else { Ok((node::get(tx, folder.id)?, looked_at)) }
}

fn take_home(
    tx: &Tx<'_>,
    Returning { id, to, name }: Returning,
    by: Option<UserId>,
    at: Timestamp,
) -> TxResult<(), NodeError> {
    let (Some(path), Some(home)) = (path::find(tx, id)?, path::find(tx, to)?) else {
        return Ok(stay(tx, id)?);
    };
    if let Some(after) = path.trashed_by().or(home.trashed_by()) {
        tx.prepare_cached("UPDATE nodes SET return_after = ?2 WHERE id = ?1")?
            .execute((id.bytes(), after.bytes()))?;
        return Ok(());
    }
    let before = path.node.clone();
    let source = before.folder()?;
    match tree::check_move(tx, &path, Some(&home)) {
        // it was moved around since, and with it what lies in it
        Err(Abort::Rule(_)) => return Ok(stay(tx, id)?),
        checked => checked?,
    }
    let name = names::free(tx, to, name.as_ref().unwrap_or(&before.name), true)?;
    tx.prepare_cached(
        "UPDATE nodes SET parent = ?2, name = ?3, sort_key = ?4, modified_at = ?5, revision = revision + 1,
                          return_to = NULL, return_as = NULL, return_after = NULL
         WHERE id = ?1",
    )?
    .execute((id.bytes(), to.bytes(), name.as_str(), sort_key(name.as_str()), at.millis()))?;
    if before.name != name {
        search::index_node(tx, (before.space, id), &name, &before.tags)?;
    }
    tree::count_move(tx, &before, source, to)?;
    let after = node::get(tx, id)?;
    if let Some(by) = by
        && let Some(event) = FileEvent::of_change(ChangeKind::Move, (&before, &after), by, at)
    {
        activity::tell(tx, &event)?;
    }
    Ok(())
}

/// It does not return any more.
fn stay(tx: &Tx<'_>, id: FileId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE nodes SET return_to = NULL, return_as = NULL, return_after = NULL WHERE id = ?1",
    )?
    .execute([id.bytes()])
    .map(drop)
}

/// Takes the others along, in commits of their own, if the commit of the restore looked at as many as it may. The folder as it is then.
pub(super) async fn take_the_rest(
    db: &FilesDb,
    (mut folder, mut looked_at): (Node, u32),
    by: Option<UserId>,
    at: Timestamp,
) -> Node {
    // somebody may trash it again meanwhile
    while looked_at == RETURNING_AT_ONCE && folder.trashed.is_none() {
        let id = folder.id;
        match db.change(move |tx| take_along(tx, node::get(tx, id)?, by, at)).await {
            Ok(step) => (folder, looked_at) = step,
            Err(error) => {
                tracing::warn!(folder = %id, %error, "not all that belongs into a restored folder has returned to it");
                break;
            }
        }
    }
    folder
}
