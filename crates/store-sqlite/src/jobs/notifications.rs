//! What users are told of.

use std::collections::BTreeSet;

use async_trait::async_trait;
use common::notifications::{
    MAX_NOTIFICATIONS, NewNotification, Notification, NotificationPage, NotificationPlace, NotificationStore,
    ReadMark,
};
use common::{NotificationId, PortResult, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::JobsDb;
use super::job::{from_json, to_json};
use crate::engine::{Durability, Tx};
use crate::row::RowExt as _;

pub(super) const COLUMNS: &str = "id, user, kind, text, data, created_at, read_at";

#[async_trait]
impl NotificationStore for JobsDb {
    async fn notify(&self, news: &[NewNotification], now: Timestamp) -> PortResult<Vec<NotificationId>> {
        let news = news.to_vec();
        self.write(Durability::Durable, move |tx| notify(tx, &news, now)).await
    }

    async fn list_notifications(
        &self,
        user: UserId,
        only_unread: bool,
        after: Option<NotificationPlace>,
        limit: u32,
    ) -> PortResult<NotificationPage> {
        self.read(move |connection| list(connection, user, only_unread, after, limit)).await
    }

    async fn mark_read(&self, user: UserId, which: &ReadMark, now: Timestamp) -> PortResult<u64> {
        let which = which.clone();
        self.write(Durability::Durable, move |tx| mark_read(tx, user, &which, now)).await
    }

    async fn forget_notifications_of(&self, user: UserId, limit: u32) -> PortResult<u32> {
        self.write(Durability::Durable, move |tx| {
            let removed = tx
                .prepare_cached(
                    "DELETE FROM notifications WHERE id IN (SELECT id FROM notifications WHERE user = ?1 LIMIT ?2)",
                )?
                .execute((user.bytes(), limit))?;
            Ok(u32::try_from(removed).unwrap_or(limit))
        })
        .await
    }

    async fn forget_notifications(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.write(Durability::Relaxed, move |tx| forget(tx, before, limit)).await
    }
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Notification> {
    Ok(Notification {
        news: NewNotification {
            id: row.id(0)?,
            user: row.id(1)?,
            kind: row.get(2)?,
            text: row.get(3)?,
            data: from_json(row, 4)?,
        },
        created_at: row.time(5)?,
        read_at: row.time_opt(6)?,
    })
}

fn notify(tx: &Tx<'_>, news: &[NewNotification], now: Timestamp) -> rusqlite::Result<Vec<NotificationId>> {
    let mut insert = tx.prepare_cached(&format!(
        "INSERT OR IGNORE INTO notifications ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL)"
    ))?;
    let mut new = Vec::new();
    let mut users = BTreeSet::new();
    for one in news {
        let data = to_json(&one.data)?;
        let place = (one.id.bytes(), one.user.bytes(), &one.kind, &one.text, data, now.millis());
        if insert.execute(place)? == 1 {
            new.push(one.id);
            users.insert(one.user);
        }
    }
    for user in users {
        let oldest: Option<(i64, Vec<u8>)> = tx
            .prepare_cached(
                "SELECT created_at, id FROM notifications WHERE user = ?1
                 ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?2",
            )?
            .query_row((user.bytes(), MAX_NOTIFICATIONS), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((at, id)) = oldest {
            tx.prepare_cached("DELETE FROM notifications WHERE user = ?1 AND (created_at, id) <= (?2, ?3)")?
                .execute((user.bytes(), at, id))?;
        }
    }
    Ok(new)
}

fn list(
    connection: &Connection,
    user: UserId,
    only_unread: bool,
    after: Option<NotificationPlace>,
    limit: u32,
) -> rusqlite::Result<NotificationPage> {
    let unread = if only_unread { "AND read_at IS NULL" } else { "" };
    // everything is behind a place that no time reaches
    let (at, id) = after.map_or((i64::MAX, [0; 12]), |place| (place.at.millis(), *place.id.bytes()));
    let mut items: Vec<Notification> = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM notifications WHERE user = ?1 {unread} AND (created_at, id) < (?2, ?3)
             ORDER BY created_at DESC, id DESC LIMIT ?4"
        ))?
        .query_map((user.bytes(), at, id, i64::from(limit) + 1), read)?
        .collect::<Result<_, _>>()?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    Ok(NotificationPage { items, more, unread: count_unread(connection, user)? })
}

fn count_unread(connection: &Connection, user: UserId) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM notifications WHERE user = ?1 AND read_at IS NULL")?
        .query_row([user.bytes()], |row| row.count(0))
}

fn mark_read(tx: &Tx<'_>, user: UserId, which: &ReadMark, now: Timestamp) -> rusqlite::Result<u64> {
    match which {
        ReadMark::Ids(ids) => {
            let mut mark = tx.prepare_cached(
                "UPDATE notifications SET read_at = ?3 WHERE id = ?1 AND user = ?2 AND read_at IS NULL",
            )?;
            for id in ids {
                mark.execute((id.bytes(), user.bytes(), now.millis()))?;
            }
        }
        ReadMark::UpTo(until) => {
            tx.prepare_cached(
                "UPDATE notifications SET read_at = ?3 WHERE user = ?1 AND created_at <= ?2 AND read_at IS NULL",
            )?
            .execute((user.bytes(), until.millis(), now.millis()))?;
        }
    }
    count_unread(tx, user)
}

fn forget(tx: &Tx<'_>, before: Timestamp, limit: u32) -> rusqlite::Result<u32> {
    let forgotten = tx
        .prepare_cached(
            "DELETE FROM notifications WHERE rowid IN
                 (SELECT rowid FROM notifications WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)",
        )?
        .execute((before.millis(), limit))?;
    Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
}
