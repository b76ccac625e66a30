//! Rights to nodes that people were given.

use async_trait::async_trait;
use common::files::{
    Doer, FileEvent, FileEventKind, Grant, Grantee, NewShare, NodeError, Share, ShareRole, ShareStore,
    SharesOf,
};
use common::{FileId, PortResult, ShareId, SpaceId, Timestamp, UserId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};

use super::{FilesDb, activity, path};
use crate::engine::{Durability, Tx, TxResult};
use crate::row::RowExt as _;

pub(super) const COLUMNS: &str = "id, node, space, to_group, grantee, role, given_by, at";

pub(super) fn share(row: &Row<'_>) -> rusqlite::Result<Share> {
    Ok(Share {
        id: row.id(0)?,
        node: row.id(1)?,
        space: row.id(2)?,
        grantee: grantee(row, 3)?,
        role: row.word(5, ShareRole::parse)?,
        by: row.id(6)?,
        at: row.time(7)?,
    })
}

/// Reads the columns `to_group` and `grantee`.
fn grantee(row: &Row<'_>, at: usize) -> rusqlite::Result<Grantee> {
    Ok(if row.get(at)? { Grantee::Group(row.id(at + 1)?) } else { Grantee::User(row.id(at + 1)?) })
}

/// Writes them.
fn columns_of(grantee: &Grantee) -> (bool, &[u8; 12]) {
    match grantee {
        Grantee::User(id) => (false, id.bytes()),
        Grantee::Group(id) => (true, id.bytes()),
    }
}

fn find(connection: &Connection, id: ShareId) -> rusqlite::Result<Option<Share>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM shares WHERE id = ?1"))?
        .query_row([id.bytes()], share)
        .optional()
}

fn put(tx: &Tx<'_>, new: &NewShare) -> TxResult<(Share, bool), NodeError> {
    let node = path::live(tx, new.node)?.node;
    let (to_group, grantee) = columns_of(&new.grantee);
    let present = tx
        .prepare_cached(&format!(
            "UPDATE shares SET role = ?4 WHERE node = ?1 AND to_group = ?2 AND grantee = ?3 RETURNING {COLUMNS}"
        ))?
        .query_row((node.id.bytes(), to_group, grantee, new.role.word()), share)
        .optional()?;
    if let Some(present) = present {
        return Ok((present, false));
    }
    let made = tx
        .prepare_cached(&format!(
            "INSERT INTO shares ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING {COLUMNS}"
        ))?
        .query_row(
            (
                new.id.bytes(),
                node.id.bytes(),
                node.space.bytes(),
                to_group,
                grantee,
                new.role.word(),
                new.by.bytes(),
                new.at.millis(),
            ),
            share,
        )?;
    activity::tell(tx, &FileEvent::of(&node, FileEventKind::Shared, new.by.into(), new.at))?;
    Ok((made, true))
}

fn grants(connection: &Connection, nodes: &[FileId], user: UserId) -> rusqlite::Result<Vec<Grant>> {
    // looks at the index for this person and for groups, however many others have rights
    let nodes_in = vec!["?"; nodes.len()].join(", ");
    let mut select = connection.prepare_cached(&format!(
        "SELECT node, to_group, grantee, role, at FROM shares WHERE node IN ({nodes_in}) AND to_group = 1
         UNION ALL
         SELECT node, to_group, grantee, role, at FROM shares WHERE node IN ({nodes_in}) AND to_group = 0 AND grantee = ?",
    ))?;
    let ids = || nodes.iter().map(|node| node.bytes().to_vec());
    let values = ids().chain(ids()).chain([user.bytes().to_vec()]).map(Value::Blob);
    let rows = select.query_map(params_from_iter(values), |row| {
        Ok(Grant {
            node: row.id(0)?,
            grantee: grantee(row, 1)?,
            role: row.word(3, ShareRole::parse)?,
            at: row.time(4)?,
        })
    })?;
    rows.collect()
}

/// The condition of a list, and its values.
fn condition(of: &SharesOf) -> (String, Vec<Value>) {
    let blob = |bytes: &[u8; 12]| Value::Blob(bytes.to_vec());
    match of {
        SharesOf::Node(node) => ("node = ?".to_owned(), vec![blob(node.bytes())]),
        SharesOf::Space(space) => ("space = ?".to_owned(), vec![blob(space.bytes())]),
        SharesOf::Giver(space, giver) => {
            ("(space = ? OR given_by = ?)".to_owned(), vec![blob(space.bytes()), blob(giver.bytes())])
        }
        SharesOf::Receiver(user, groups) => {
            let condition = format!(
                "((grantee = ? AND to_group = 0){})",
                " OR (grantee = ? AND to_group = 1)".repeat(groups.len())
            );
            let groups = groups.iter().map(|group| blob(group.bytes()));
            (condition, [blob(user.bytes())].into_iter().chain(groups).collect())
        }
    }
}

fn list(
    connection: &Connection,
    of: &SharesOf,
    after: Option<ShareId>,
    limit: u32,
) -> rusqlite::Result<Vec<Share>> {
    let (mut condition, mut values) = condition(of);
    if let Some(after) = after {
        condition.push_str(" AND id < ?");
        values.push(Value::Blob(after.bytes().to_vec()));
    }
    values.push(Value::Integer(limit.into()));
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM shares WHERE {condition} ORDER BY id DESC LIMIT ?"))?
        .query_map(params_from_iter(values), share)?
        .collect()
}

#[async_trait]
impl ShareStore for FilesDb {
    async fn put_share(&self, share: &NewShare) -> Result<(Share, bool), NodeError> {
        let share = share.clone();
        self.engine.write(Durability::Durable, move |tx| put(tx, &share)).await
    }

    async fn find_share(&self, id: ShareId) -> PortResult<Option<Share>> {
        self.engine.read(move |connection| Ok(find(connection, id)?)).await
    }

    async fn set_share_role(&self, id: ShareId, role: ShareRole) -> PortResult<Option<Share>> {
        self.engine
            .write(Durability::Durable, move |tx| {
                let changed = tx
                    .prepare_cached(&format!(
                        "UPDATE shares SET role = ?2 WHERE id = ?1 RETURNING {COLUMNS}"
                    ))?
                    .query_row((id.bytes(), role.word()), share)
                    .optional()?;
                Ok(changed)
            })
            .await
    }

    async fn remove_share(&self, id: ShareId, by: Option<UserId>, at: Timestamp) -> PortResult<bool> {
        self.write(move |tx| {
            let node = tx
                .prepare_cached("DELETE FROM shares WHERE id = ?1 RETURNING node")?
                .query_row([id.bytes()], |row| row.id(0))
                .optional()?;
            let Some(node) = node else { return Ok(false) };
            let doer = Doer { user: by, link: None };
            activity::tell_of(tx, node, FileEventKind::Unshared, doer, at)?;
            Ok(true)
        })
        .await
    }

    async fn find_grants(&self, _space: SpaceId, nodes: &[FileId], user: UserId) -> PortResult<Vec<Grant>> {
        let nodes = nodes.to_vec();
        self.engine.read(move |connection| Ok(grants(connection, &nodes, user)?)).await
    }

    async fn list_shares(&self, of: &SharesOf, after: Option<ShareId>, limit: u32) -> PortResult<Vec<Share>> {
        let of = of.clone();
        self.engine.read(move |connection| Ok(list(connection, &of, after, limit)?)).await
    }

    async fn count_shares(&self, of: &SharesOf) -> PortResult<u64> {
        let (condition, values) = condition(of);
        self.engine
            .read(move |connection| {
                let mut select =
                    connection.prepare_cached(&format!("SELECT count(*) FROM shares WHERE {condition}"))?;
                Ok(select.query_row(params_from_iter(values), |row| row.count(0))?)
            })
            .await
    }
}
