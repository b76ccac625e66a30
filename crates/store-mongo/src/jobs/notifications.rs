//! What users are told of.

use std::collections::BTreeSet;

use async_trait::async_trait;
use common::notifications::{
    MAX_NOTIFICATIONS, NewNotification, Notification, NotificationPage, NotificationPlace, NotificationStore,
    ReadMark,
};
use common::{NotificationId, PortResult, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::JobsDb;
use super::doc::{from_json, to_json};
use super::schema::NOTIFICATIONS;
use super::webhooks::forget_old;
use crate::engine::{Engine, Fault, duplicates};
use crate::value::{ToOid as _, behind, id, oids};

#[async_trait]
impl NotificationStore for JobsDb {
    async fn notify(&self, news: &[NewNotification], now: Timestamp) -> PortResult<Vec<NotificationId>> {
        self.engine.write_run(notify(&self.engine, news, now)).await
    }

    async fn list_notifications(
        &self,
        user: UserId,
        only_unread: bool,
        after: Option<NotificationPlace>,
        limit: u32,
    ) -> PortResult<NotificationPage> {
        self.engine.run(list(&self.engine, user, only_unread, after, limit)).await
    }

    async fn mark_read(&self, user: UserId, which: &ReadMark, now: Timestamp) -> PortResult<u64> {
        self.engine.write_run(mark_read(&self.engine, user, which, now)).await
    }

    async fn forget_notifications_of(&self, user: UserId, limit: u32) -> PortResult<u32> {
        self.engine.run(forget_of(&self.engine, user.oid(), limit)).await
    }

    async fn forget_notifications(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine.run(forget_old(&self.engine, NOTIFICATIONS, before, limit)).await
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct NotificationDoc {
    #[serde(rename = "_id")]
    pub(super) id: ObjectId,
    pub(super) user: ObjectId,
    pub(super) kind: String,
    pub(super) text: String,
    /// JSON.
    pub(super) data: String,
    pub(super) created_at: i64,
    /// Whether `read_at` is null.
    pub(super) unread: bool,
    pub(super) read_at: Option<i64>,
}

impl NotificationDoc {
    pub(super) fn of(news: &NewNotification, now: Timestamp) -> Result<Self, Fault> {
        Ok(Self {
            id: news.id.oid(),
            user: news.user.oid(),
            kind: news.kind.clone(),
            text: news.text.clone(),
            data: to_json(&news.data)?,
            created_at: now.millis(),
            unread: true,
            read_at: None,
        })
    }

    pub(super) fn read(self) -> Result<Notification, Fault> {
        Ok(Notification {
            news: NewNotification {
                id: id(self.id),
                user: id(self.user),
                kind: self.kind,
                text: self.text,
                data: from_json(&self.data)?,
            },
            created_at: Timestamp::from_millis(self.created_at),
            read_at: self.read_at.map(Timestamp::from_millis),
        })
    }
}

async fn notify(
    engine: &Engine,
    news: &[NewNotification],
    now: Timestamp,
) -> Result<Vec<NotificationId>, Fault> {
    if news.is_empty() {
        return Ok(Vec::new());
    }
    let docs: Vec<_> = news.iter().map(|one| NotificationDoc::of(one, now)).collect::<Result<_, _>>()?;
    let there = duplicates(engine.collection(NOTIFICATIONS).insert_many(docs).ordered(false).await)?;
    let new: Vec<_> =
        news.iter().enumerate().filter(|(place, _)| !there.contains(place)).map(|(_, one)| one).collect();
    let users: BTreeSet<UserId> = new.iter().map(|one| one.user).collect();
    for user in users {
        keep_newest(engine, user).await?;
    }
    Ok(new.into_iter().map(|one| one.id).collect())
}

async fn keep_newest(engine: &Engine, user: UserId) -> Result<(), Fault> {
    let notifications = engine.collection::<NotificationDoc>(NOTIFICATIONS);
    let newest_first = doc! { "created_at": -1, "_id": -1 };
    let excess = notifications
        .find_one(doc! { "user": user.oid() })
        .sort(newest_first)
        .skip(MAX_NOTIFICATIONS.into())
        .max_time(engine.deadline())
        .await?;
    if let Some(newest) = excess {
        let mut old = behind(
            Timestamp::from_millis(newest.created_at),
            common::ObjectId::from_bytes(newest.id.bytes()),
        );
        old.push(doc! { "_id": newest.id });
        notifications.delete_many(doc! { "user": user.oid(), "$or": old }).await?;
    }
    Ok(())
}

async fn list(
    engine: &Engine,
    user: UserId,
    only_unread: bool,
    after: Option<NotificationPlace>,
    limit: u32,
) -> Result<NotificationPage, Fault> {
    let mut matching = doc! { "user": user.oid() };
    if only_unread {
        matching.insert("unread", true);
    }
    if let Some(place) = after {
        matching.insert("$or", behind(place.at, place.id));
    }
    let found = engine
        .collection::<NotificationDoc>(NOTIFICATIONS)
        .find(matching)
        .sort(doc! { "created_at": -1, "_id": -1 })
        .limit(i64::from(limit) + 1)
        .max_time(engine.deadline())
        .await?;
    let mut found: Vec<NotificationDoc> = found.try_collect().await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let items = found.into_iter().map(NotificationDoc::read).collect::<Result<_, _>>()?;
    Ok(NotificationPage { items, more, unread: count_unread(engine, user).await? })
}

async fn count_unread(engine: &Engine, user: UserId) -> Result<u64, Fault> {
    let unread = doc! { "user": user.oid(), "unread": true };
    Ok(engine
        .collection::<Document>(NOTIFICATIONS)
        .count_documents(unread)
        .max_time(engine.deadline())
        .await?)
}

async fn mark_read(engine: &Engine, user: UserId, which: &ReadMark, now: Timestamp) -> Result<u64, Fault> {
    let mut matching = doc! { "user": user.oid(), "unread": true };
    match which {
        ReadMark::Ids(ids) => matching.insert("_id", doc! { "$in": oids(ids) }),
        ReadMark::UpTo(until) => matching.insert("created_at", doc! { "$lte": until.millis() }),
    };
    let change = doc! { "$set": { "unread": false, "read_at": now.millis() } };
    engine.collection::<Document>(NOTIFICATIONS).update_many(matching, change).await?;
    count_unread(engine, user).await
}

async fn forget_of(engine: &Engine, user: ObjectId, limit: u32) -> Result<u32, Fault> {
    if limit == 0 {
        return Ok(0);
    }
    let notifications = engine.collection::<Document>(NOTIFICATIONS);
    let some: Vec<Document> = notifications
        .find(doc! { "user": user })
        .projection(doc! { "_id": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    let some: Vec<ObjectId> = some.iter().filter_map(|one| one.get_object_id("_id").ok()).collect();
    if some.is_empty() {
        return Ok(0);
    }
    let removed = notifications.delete_many(doc! { "_id": { "$in": some } }).await?;
    Ok(u32::try_from(removed.deleted_count).unwrap_or(limit))
}
