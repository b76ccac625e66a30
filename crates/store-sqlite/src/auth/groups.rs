//! Groups.

use async_trait::async_trait;
use common::auth::{AddressKey, AuditEntry, Group, GroupChange, GroupError, GroupName, GroupStore, User};
use common::files::Page;
use common::{GroupId, PortError, PortResult, UserId};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _};

use super::admin::paged;
use super::{AuthDb, audit, users};
use crate::engine::{Abort, Durability, Tx, TxResult};
use crate::row::RowExt as _;

#[async_trait]
impl GroupStore for AuthDb {
    async fn create_group(&self, group: &Group, entry: &AuditEntry) -> Result<(), GroupError> {
        let (group, entry) = (group.clone(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                let made = tx
                    .prepare_cached(
                        "INSERT INTO groups (id, name, name_key, created_at) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT (name_key) DO NOTHING",
                    )?
                    .execute((
                        group.id.bytes(),
                        &group.name,
                        Group::name_key(&group.name),
                        group.created_at.millis(),
                    ))?;
                if made == 0 {
                    return Err(GroupError::NameTaken.into());
                }
                set_members(tx, group.id, &group.members)?;
                Ok(audit::insert(tx, &entry)?)
            })
            .await
    }

    async fn list_groups(
        &self,
        member: Option<UserId>,
        before: Option<GroupId>,
        limit: u32,
    ) -> PortResult<Page<Group>> {
        // above every id
        let before = before.map_or([0xff; 12], |before| *before.bytes());
        let member = member.map(|member| *member.bytes());
        let of_member =
            "(?1 IS NULL OR EXISTS (SELECT 1 FROM group_members WHERE user = ?1 AND \"group\" = groups.id))";
        self.engine
            .read(move |connection| {
                let total = connection
                    .prepare_cached(&format!("SELECT count(*) FROM groups WHERE {of_member}"))?
                    .query_row([member], |row| row.count(0))?;
                let mut select = connection.prepare_cached(&format!(
                    "SELECT id FROM groups WHERE {of_member} AND id < ?2 ORDER BY id DESC LIMIT ?3"
                ))?;
                let ids = select
                    .query_map((member, before, i64::from(limit) + 1), |row| row.id(0))?
                    .collect::<Result<Vec<GroupId>, _>>()?;
                let groups = ids.into_iter().filter_map(|id| find(connection, id).transpose());
                Ok(paged(groups.collect::<Result<_, _>>()?, limit, total))
            })
            .await
    }

    async fn find_group(&self, id: GroupId) -> PortResult<Option<Group>> {
        self.engine.read(move |connection| Ok(find(connection, id)?)).await
    }

    async fn find_group_names(&self, ids: &[GroupId]) -> PortResult<Vec<GroupName>> {
        let ids = ids.to_vec();
        self.engine
            .read(move |connection| {
                let places = vec!["?"; ids.len()].join(", ");
                let mut select =
                    connection.prepare(&format!("SELECT id, name FROM groups WHERE id IN ({places})"))?;
                let ids = rusqlite::params_from_iter(ids.iter().map(GroupId::bytes));
                let names =
                    select.query_map(ids, |row| Ok(GroupName { id: row.id(0)?, name: row.get(1)? }))?;
                Ok(names.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn change_group(
        &self,
        id: GroupId,
        change: &GroupChange,
        entry: &AuditEntry,
    ) -> Result<Group, GroupError> {
        let (change, entry) = (change.clone(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                let before = find(tx, id)?.ok_or(GroupError::NotFound)?;
                if let Some(name) = &change.name {
                    let renamed = tx
                        .prepare_cached("UPDATE groups SET name = ?2, name_key = ?3 WHERE id = ?1")?
                        .execute((id.bytes(), name, Group::name_key(name)));
                    match renamed {
                        Err(rusqlite::Error::SqliteFailure(failure, _))
                            if failure.code == ErrorCode::ConstraintViolation =>
                        {
                            return Err(GroupError::NameTaken.into());
                        }
                        other => other?,
                    };
                }
                if let Some(members) = &change.members {
                    set_members(tx, id, members)?;
                }
                audit::insert(tx, &entry)?;
                Ok(find(tx, id)?.unwrap_or(before))
            })
            .await
    }

    async fn delete_group(&self, id: GroupId, entry: &AuditEntry) -> PortResult<bool> {
        let entry = entry.clone();
        self.engine
            .write(Durability::Durable, move |tx| {
                tx.prepare_cached("DELETE FROM group_members WHERE \"group\" = ?1")?.execute([id.bytes()])?;
                let gone = tx.prepare_cached("DELETE FROM groups WHERE id = ?1")?.execute([id.bytes()])?;
                if gone == 1 {
                    audit::insert(tx, &entry)?;
                }
                Ok::<_, Abort<PortError>>(gone == 1)
            })
            .await
    }

    async fn find_people(
        &self,
        prefix: &AddressKey,
        of: Option<UserId>,
        limit: u32,
    ) -> PortResult<Vec<User>> {
        let prefix = prefix.as_str().to_owned();
        // the first text that is greater than all that begin so
        let end = format!("{prefix}\u{10ffff}");
        let of = of.map(|of| *of.bytes());
        self.engine
            .read(move |connection| {
                let mut select = connection.prepare_cached(&format!(
                    "SELECT {} FROM users WHERE address_key >= ?1 AND address_key < ?2
                     AND disabled = 0 AND deletes_at IS NULL
                     AND (?3 IS NULL OR id <> ?3 AND EXISTS (
                         SELECT 1 FROM group_members mine JOIN group_members theirs ON theirs.\"group\" = mine.\"group\"
                         WHERE mine.user = ?3 AND theirs.user = users.id))
                     ORDER BY address_key LIMIT ?4",
                    users::COLUMNS
                ))?;
                let people = select.query_map((prefix, end, of, limit), users::user)?;
                Ok(people.collect::<Result<_, _>>()?)
            })
            .await
    }
}

pub(super) fn find(connection: &Connection, id: GroupId) -> rusqlite::Result<Option<Group>> {
    let found = connection
        .prepare_cached("SELECT name, created_at FROM groups WHERE id = ?1")?
        .query_row([id.bytes()], |row| Ok((row.get(0)?, row.time(1)?)))
        .optional()?;
    let Some((name, created_at)) = found else { return Ok(None) };
    let members = connection
        .prepare_cached("SELECT user FROM group_members WHERE \"group\" = ?1 ORDER BY user")?
        .query_map([id.bytes()], |row| row.id(0))?
        .collect::<Result<_, _>>()?;
    Ok(Some(Group { id, name, members, created_at }))
}

fn set_members(tx: &Tx<'_>, id: GroupId, members: &[UserId]) -> TxResult<(), GroupError> {
    tx.prepare_cached("DELETE FROM group_members WHERE \"group\" = ?1")?.execute([id.bytes()])?;
    for member in members {
        if users::find(tx, *member)?.is_none() {
            return Err(GroupError::NoSuchUser(*member).into());
        }
        tx.prepare_cached(
            "INSERT INTO group_members (\"group\", user) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute((id.bytes(), member.bytes()))?;
    }
    Ok(())
}
