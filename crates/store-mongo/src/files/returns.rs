//! What was restored while its folder was in the trash, and returns to it when that is there again.

use common::files::{ChangeKind, FileEvent, Kind, Node, NodeError, NodeName, RETURNING_AT_ONCE, sort_key};
use common::{FileId, Timestamp, UserId};
use mongodb::bson::doc;
use mongodb::bson::oid::ObjectId;
use serde::{Deserialize, Serialize};

use super::space::{self, Change};
use super::{FilesDb, activity, all, names, node, path, schema, search, tree};
use crate::engine::{Abort, Fault, Tx, TxResult};
use crate::value::{ToOid as _, id};

/// That a node returns to another folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ReturnDoc {
    pub(super) to: ObjectId,
    /// The name that it had there, if it has another now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// What has to come back from the trash first.
    pub(super) after: ObjectId,
}

/// Takes along what returns when `folder` has come back from the trash, in the name of `by`; without a user nothing is told of it. The folder as it is then,
/// and how many were looked at, at most [`RETURNING_AT_ONCE`].
pub(super) async fn take_along(
    db: &FilesDb,
    tx: &mut Tx,
    folder: Node,
    by: Option<UserId>,
    at: Timestamp,
) -> TxResult<(Node, u32), NodeError> {
    #[derive(Deserialize)]
    struct Returning {
        #[serde(rename = "_id")]
        id: ObjectId,
        returns: ReturnDoc,
    }
    if folder.kind != Kind::Folder {
        return Ok((folder, 0));
    }
    let nodes = db.collection::<Returning>(schema::NODES);
    let returning = nodes
        .find(doc! { "space": folder.space.oid(), "returns.after": folder.id.oid() })
        .projection(doc! { "returns": 1 })
        .sort(doc! { "_id": 1 })
        .limit(i64::from(RETURNING_AT_ONCE));
    let mut looked_at = 0;
    for returning in all(returning, tx).await? {
        take_home(db, tx, (id(returning.id), returning.returns), by, at).await?;
        looked_at += 1;
    }
    if looked_at == 0 { Ok((folder, 0)) } else { Ok((node::get(db, tx, folder.id).await?, looked_at)) }
}

async fn take_home(
    db: &FilesDb,
    tx: &mut Tx,
    (node, returns): (FileId, ReturnDoc),
    by: Option<UserId>,
    at: Timestamp,
) -> TxResult<(), NodeError> {
    let to: FileId = id(returns.to);
    // what returned before it may lie above it
    let mut paths = path::find_all(db, tx, &[node, to]).await?;
    let (Some(path), Some(home)) = (paths.remove(&node), paths.remove(&to)) else {
        return Ok(stay(db, tx, node).await?);
    };
    if let Some(after) = path.trashed_by().or(home.trashed_by()) {
        let again = doc! { "$set": { "returns.after": after.oid() } };
        db.nodes().update_one(doc! { "_id": node.oid() }, again).session(tx.session()).await?;
        return Ok(());
    }
    let before = &path.node;
    let source = before.folder()?;
    let depth = match tree::check_move(db, tx, &path, Some(&home)).await {
        // it was moved around since, and with it what lies in it
        Err(Abort::Rule(_)) => return Ok(stay(db, tx, node).await?),
        checked => checked?,
    };
    let asked = match returns.name {
        Some(name) => NodeName::parse(&name).map_err(|_| Fault::Damaged("a name that is none"))?,
        None => before.name.clone(),
    };
    let name = names::free(db, tx, before.space, to, &asked, true).await?;
    let moves = i64::from(before.kind == Kind::Folder);
    space::must_apply(db, tx, before.space, Change { depth, moves, ..Change::default() }).await?;
    let mut update = tree::changed(doc! {
        "parent": to.oid(),
        "name": name.as_str(),
        "sort_key": sort_key(name.as_str()),
        "words": search::words_of_node(&name, &before.tags),
        "modified_at": at.millis(),
    });
    update.insert("$unset", doc! { "returns": "" });
    let after = node::update(db, tx, node, update).await?;
    node::count_child(db, tx, source, before.kind, -1).await?;
    node::count_child(db, tx, to, before.kind, 1).await?;
    if let Some(by) = by
        && let Some(event) = FileEvent::of_change(ChangeKind::Move, (before, &after), by, at)
    {
        activity::tell(db, tx, &event).await?;
    }
    Ok(())
}

/// It does not return any more.
async fn stay(db: &FilesDb, tx: &mut Tx, node: FileId) -> Result<(), Fault> {
    let stays = doc! { "$unset": { "returns": "" } };
    db.nodes().update_one(doc! { "_id": node.oid() }, stays).session(tx.session()).await?;
    Ok(())
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
        let (id, space) = (folder.id, folder.space);
        let step = db.change(space, |mut tx| async move {
            let folder = node::get(db, &mut tx, id).await?;
            take_along(db, &mut tx, folder, by, at).await
        });
        match step.await {
            Ok(step) => (folder, looked_at) = step,
            Err(error) => {
                tracing::warn!(folder = %id, %error, "not all that belongs into a restored folder has returned to it");
                break;
            }
        }
    }
    folder
}
