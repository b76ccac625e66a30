//! Links, which open a node to whoever has their token.

use async_trait::async_trait;
use common::files::{
    AccessOf, Doer, FileEvent, FileEventKind, Link, LinkChange, LinkNotice, LinkRole, LinkStore, LinkToken,
    LinkUse, NewLink, Node, NodeError, TakeDownload,
};
use common::jobs::NewJob;
use common::{FileId, JobId, LinkId, PortResult, SpaceId, Timestamp, UserId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};

use super::{FilesDb, activity, link_notices, node, path};
use crate::engine::{Durability, Tx, TxResult, damaged};
use crate::row::{RowExt as _, int};

pub(super) const COLUMNS: &str = "id, token, node, space, role, label, password_hash, expires_at, max_downloads, downloads, opens, \
     last_used_at, made_by, at, owner, notify";

pub(super) fn link(row: &Row<'_>) -> rusqlite::Result<Link> {
    let token = row.get_ref(1)?.as_blob()?.try_into().map_err(|_| damaged("a token of another length"))?;
    Ok(Link {
        id: row.id(0)?,
        token: LinkToken::from_bytes(token),
        node: row.id(2)?,
        space: row.id(3)?,
        role: row.word(4, LinkRole::parse)?,
        label: row.get(5)?,
        password_hash: row.get(6)?,
        expires_at: row.time_opt(7)?,
        max_downloads: match row.get::<_, Option<i64>>(8)? {
            Some(_) => Some(row.count(8)?),
            None => None,
        },
        downloads: row.count(9)?,
        opens: row.count(10)?,
        last_used_at: row.time_opt(11)?,
        by: row.id(12)?,
        at: row.time(13)?,
        owner: row.id(14)?,
        notify: row.get(15)?,
    })
}

pub(super) fn find(connection: &Connection, column: &str, key: &[u8]) -> rusqlite::Result<Option<Link>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM links WHERE {column} = ?1"))?
        .query_row([key], link)
        .optional()
}

fn create(tx: &Tx<'_>, new: &NewLink) -> TxResult<Link, NodeError> {
    let node = path::live(tx, new.node)?.node;
    tx.prepare_cached(
        "INSERT INTO links (id, token, node, space, role, label, password_hash, expires_at, max_downloads, made_by, at, owner, notify)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute((
        new.id.bytes(),
        new.token.bytes(),
        node.id.bytes(),
        node.space.bytes(),
        new.role.word(),
        &new.label,
        &new.password_hash,
        new.expires_at.map(Timestamp::millis),
        new.max_downloads.map(int),
        new.by.bytes(),
        new.at.millis(),
        node.owner.bytes(),
        new.notify,
    ))?;
    activity::tell(tx, &FileEvent::of(&node, FileEventKind::Linked, new.by.into(), new.at))?;
    let made = find(tx, "id", new.id.bytes())?;
    Ok(made.ok_or_else(|| damaged("a link that was just made is gone"))?)
}

fn change(tx: &Tx<'_>, id: LinkId, change: &LinkChange) -> rusqlite::Result<Option<Link>> {
    tx.prepare_cached(
        "UPDATE links SET role = coalesce(?2, role), label = coalesce(?3, label),
                          password_hash = iif(?4, ?5, password_hash),
                          expires_at = iif(?6, ?7, expires_at),
                          max_downloads = iif(?8, ?9, max_downloads),
                          notify = coalesce(?10, notify)
         WHERE id = ?1",
    )?
    .execute((
        id.bytes(),
        change.role.map(LinkRole::word),
        &change.label,
        change.password_hash.is_some(),
        change.password_hash.as_ref().and_then(Option::as_ref),
        change.expires_at.is_some(),
        change.expires_at.flatten().map(Timestamp::millis),
        change.max_downloads.is_some(),
        change.max_downloads.flatten().map(int),
        change.notify,
    ))?;
    find(tx, "id", id.bytes())
}

fn take_download(tx: &Tx<'_>, id: LinkId, at: Timestamp, used: &LinkUse) -> rusqlite::Result<TakeDownload> {
    let taken = tx
        .prepare_cached(
            "UPDATE links SET downloads = downloads + 1, last_used_at = ?2
             WHERE id = ?1 AND (max_downloads IS NULL OR downloads < max_downloads)",
        )?
        .execute((id.bytes(), at.millis()))?;
    if taken == 1 {
        link_notices::count(tx, id, [1, 0], at, used)?;
    }
    Ok(match taken {
        1 => TakeDownload::Taken,
        _ if find(tx, "id", id.bytes())?.is_some() => TakeDownload::Exhausted,
        _ => TakeDownload::Gone,
    })
}

/// The condition of a list, and its values.
fn condition(of: &AccessOf) -> (&'static str, Vec<Value>) {
    let blob = |bytes: &[u8; 12]| Value::Blob(bytes.to_vec());
    match of {
        AccessOf::Node(node) => ("node = ?", vec![blob(node.bytes())]),
        AccessOf::Space(space) => ("space = ?", vec![blob(space.bytes())]),
        AccessOf::Maker(space, maker) => {
            ("(space = ? OR made_by = ?)", vec![blob(space.bytes()), blob(maker.bytes())])
        }
    }
}

fn list(
    connection: &Connection,
    of: &AccessOf,
    after: Option<LinkId>,
    limit: u32,
) -> rusqlite::Result<Vec<Link>> {
    let (condition, mut values) = condition(of);
    let after = after.map(|after| Value::Blob(after.bytes().to_vec()));
    let place = if after.is_some() { " AND id < ?" } else { "" };
    values.extend(after);
    values.push(Value::Integer(limit.into()));
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM links WHERE {condition}{place} ORDER BY id DESC LIMIT ?"
        ))?
        .query_map(params_from_iter(values), link)?
        .collect()
}

fn list_public(
    connection: &Connection,
    space: SpaceId,
    after: Option<FileId>,
    limit: u32,
) -> rusqlite::Result<Vec<Node>> {
    let after = after.map_or([0xff; 12], |after| *after.bytes());
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM nodes n INDEXED BY nodes_public LEFT JOIN blobs b ON b.key = n.blob
             WHERE n.space = ?1 AND n.id < ?2 AND n.public_since IS NOT NULL AND n.deleted_at IS NULL
             ORDER BY n.id DESC LIMIT ?3",
            node::COLUMNS
        ))?
        .query_map((space.bytes(), after, limit), |row| node::node(row, 0))?
        .collect()
}

#[async_trait]
impl LinkStore for FilesDb {
    async fn create_link(&self, link: &NewLink) -> Result<Link, NodeError> {
        let link = link.clone();
        self.engine.write(Durability::Durable, move |tx| create(tx, &link)).await
    }

    async fn find_link(&self, id: LinkId) -> PortResult<Option<Link>> {
        self.engine.read(move |connection| Ok(find(connection, "id", id.bytes())?)).await
    }

    async fn find_link_by_token(&self, token: LinkToken) -> PortResult<Option<Link>> {
        self.engine.read(move |connection| Ok(find(connection, "token", token.bytes())?)).await
    }

    async fn change_link(&self, id: LinkId, wanted: &LinkChange) -> PortResult<Option<Link>> {
        let wanted = wanted.clone();
        self.engine.write(Durability::Durable, move |tx| Ok(change(tx, id, &wanted)?)).await
    }

    async fn remove_link(&self, id: LinkId, by: Option<UserId>, at: Timestamp) -> PortResult<bool> {
        self.write(move |tx| {
            let node = tx
                .prepare_cached("DELETE FROM links WHERE id = ?1 RETURNING node")?
                .query_row([id.bytes()], |row| row.id(0))
                .optional()?;
            let Some(node) = node else { return Ok(false) };
            let doer = Doer { user: by, link: None };
            activity::tell_of(tx, node, FileEventKind::Unlinked, doer, at)?;
            Ok(true)
        })
        .await
    }

    async fn count_open(&self, id: LinkId, at: Timestamp) -> PortResult<()> {
        self.engine
            .write(Durability::Relaxed, move |tx| {
                tx.prepare_cached("UPDATE links SET opens = opens + 1, last_used_at = ?2 WHERE id = ?1")?
                    .execute((id.bytes(), at.millis()))?;
                Ok(())
            })
            .await
    }

    async fn note_drop(&self, id: LinkId, at: Timestamp, used: &LinkUse) -> PortResult<()> {
        let used = used.clone();
        self.engine
            .write(Durability::Durable, move |tx| {
                tx.prepare_cached("UPDATE links SET last_used_at = ?2 WHERE id = ?1")?
                    .execute((id.bytes(), at.millis()))?;
                Ok(link_notices::count(tx, id, [0, 1], at, &used)?)
            })
            .await
    }

    async fn take_download(&self, id: LinkId, at: Timestamp, used: &LinkUse) -> PortResult<TakeDownload> {
        let used = used.clone();
        self.engine.write(Durability::Durable, move |tx| Ok(take_download(tx, id, at, &used)?)).await
    }

    async fn open_notice(&self, id: LinkId, job: JobId) -> PortResult<Option<LinkNotice>> {
        self.engine.write(Durability::Durable, move |tx| Ok(link_notices::open(tx, id, job)?)).await
    }

    async fn close_notice(&self, id: LinkId, job: JobId, next: &NewJob, at: Timestamp) -> PortResult<()> {
        let next = next.clone();
        self.engine
            .write(Durability::Durable, move |tx| Ok(link_notices::close(tx, id, job, &next, at)?))
            .await
    }

    async fn list_links(&self, of: &AccessOf, after: Option<LinkId>, limit: u32) -> PortResult<Vec<Link>> {
        let of = *of;
        self.engine.read(move |connection| Ok(list(connection, &of, after, limit)?)).await
    }

    async fn count_links(&self, of: &AccessOf) -> PortResult<u64> {
        let (condition, values) = condition(of);
        self.engine
            .read(move |connection| {
                let mut select =
                    connection.prepare_cached(&format!("SELECT count(*) FROM links WHERE {condition}"))?;
                Ok(select.query_row(params_from_iter(values), |row| row.count(0))?)
            })
            .await
    }

    async fn list_public(&self, space: SpaceId, after: Option<FileId>, limit: u32) -> PortResult<Vec<Node>> {
        self.engine.read(move |connection| Ok(list_public(connection, space, after, limit)?)).await
    }

    async fn count_public(&self, space: SpaceId) -> PortResult<u64> {
        self.engine
            .read(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT count(*) FROM nodes INDEXED BY nodes_public
                     WHERE space = ?1 AND public_since IS NOT NULL AND deleted_at IS NULL",
                )?;
                Ok(select.query_row([space.bytes()], |row| row.count(0))?)
            })
            .await
    }
}
