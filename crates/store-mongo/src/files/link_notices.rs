//! What is told of uses of links. A use of a link that notifies of nothing, or whose next notice is awaited, is one update; the first one since a notice is a
//! transaction, with the job of the next.

use common::files::{LinkNotice, LinkUse};
use common::jobs::NewJob;
use common::{JobId, LinkId, PortError, PortResult, SpaceId, Timestamp};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::FilesDb;
use super::links::LinkDoc;
use crate::engine::{Tx, TxResult};
use crate::value::{ToOid as _, count as counted, id as id_of};

/// The part of a link's document that is about notices.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct NoticeDoc {
    /// Uses that no notice has told of, and the file of the last one.
    #[serde(default)]
    pub(super) new_downloads: i64,
    #[serde(default)]
    pub(super) new_drops: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) new_file: Option<ObjectId>,
    /// Uses that the notice tells of which is being given.
    #[serde(default)]
    pub(super) told_downloads: i64,
    #[serde(default)]
    pub(super) told_drops: i64,
    /// The job that gives the next notice, and when that is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) notice_job: Option<ObjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) notice_due: Option<i64>,
    /// When the last one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) noticed_at: Option<i64>,
}

impl NoticeDoc {
    fn due(&self, at: Timestamp) -> Timestamp {
        LinkNotice::due(at, self.noticed_at.map(Timestamp::from_millis))
    }

    /// The fields of the next notice. What one told that never came is told by it.
    fn planned(&self, job: &NewJob, due: Timestamp) -> Document {
        doc! {
            "notice_job": job.id.oid(),
            "notice_due": due.millis(),
            "new_downloads": self.new_downloads + self.told_downloads,
            "new_drops": self.new_drops + self.told_drops,
            "told_downloads": 0_i64,
            "told_drops": 0_i64,
        }
    }
}

/// Counts a use of a link, if the condition holds; whether it was counted.
pub(super) async fn count(
    db: &FilesDb,
    id: LinkId,
    (condition, counters): (Document, Document),
    at: Timestamp,
    used: &LinkUse,
) -> PortResult<bool> {
    let update = doc! {
        "$inc": counters.clone(),
        "$set": { "last_used_at": at.millis(), "new_file": used.file.oid() },
    };
    let silent = doc! { "id": id.oid(), "notify": { "$ne": true } };
    let mut plain = Document::new();
    if let Ok(downloads) = counters.get_i64("downloads") {
        plain.insert("$inc", doc! { "downloads": downloads });
    }
    plain.insert("$set", doc! { "last_used_at": at.millis() });
    if db.update_link(with(silent, &condition), plain).await? {
        return Ok(true);
    }
    let awaited = doc! {
        "id": id.oid(),
        "notify": true,
        "notice_due": { "$gte": (at - LinkNotice::LOST_AFTER).millis() },
    };
    if db.update_link(with(awaited, &condition), update.clone()).await? {
        return Ok(true);
    }
    let Some(space) = space_of(db, id).await? else { return Ok(false) };
    let _ring = db.outbox.ring_for(std::slice::from_ref(&used.job));
    db.write(space.oid(), |mut tx| {
        let (condition, update) = (&condition, &update);
        async move { first(db, &mut tx, id, (condition, update), at, used).await }
    })
    .await
}

fn with(mut filter: Document, condition: &Document) -> Document {
    filter.extend(condition.clone());
    filter
}

/// The use of a link for whose next notice there is no job.
async fn first(
    db: &FilesDb,
    tx: &mut Tx,
    id: LinkId,
    (condition, update): (&Document, &Document),
    at: Timestamp,
    used: &LinkUse,
) -> TxResult<bool, PortError> {
    let links = db.links();
    let filter = with(doc! { "id": id.oid() }, condition);
    let changed = links.update_one(filter, update.clone()).session(tx.session()).await?;
    if changed.matched_count == 0 {
        return Ok(false);
    }
    let found = find(db, tx, doc! { "id": id.oid(), "notify": true }).await?;
    let Some(LinkDoc { notice, .. }) = found else { return Ok(true) };
    let is_awaited =
        notice.notice_due.is_some_and(|due| LinkNotice::is_awaited(at, Timestamp::from_millis(due)));
    if is_awaited {
        return Ok(true);
    }
    let due = notice.due(at);
    plan(db, tx, id, notice.planned(&used.job, due), &used.job, due).await?;
    Ok(true)
}

async fn plan(
    db: &FilesDb,
    tx: &mut Tx,
    id: LinkId,
    planned: Document,
    job: &NewJob,
    due: Timestamp,
) -> TxResult<(), PortError> {
    let link = doc! { "id": id.oid() };
    db.links().update_one(link, doc! { "$set": planned }).session(tx.session()).await?;
    let job = NewJob { run_at: Some(due), ..job.clone() };
    Ok(db.outbox.push(&db.engine, tx.session(), &[job]).await?)
}

async fn find(db: &FilesDb, tx: &mut Tx, filter: Document) -> TxResult<Option<LinkDoc>, PortError> {
    Ok(db.links().find_one(filter).session(tx.session()).await?)
}

async fn space_of(db: &FilesDb, id: LinkId) -> PortResult<Option<SpaceId>> {
    Ok(db.find_one_link(doc! { "id": id.oid() }).await?.map(|link| link.space))
}

pub(super) async fn open(db: &FilesDb, id: LinkId, job: JobId) -> PortResult<Option<LinkNotice>> {
    let Some(space) = space_of(db, id).await? else { return Ok(None) };
    db.write(space.oid(), |mut tx| async move {
        let mine = doc! { "id": id.oid(), "notice_job": job.oid() };
        let Some(mut link) = find(db, &mut tx, mine).await? else {
            return Ok(None);
        };
        let NoticeDoc { new_downloads, new_drops, new_file, told_downloads, told_drops, .. } =
            std::mem::take(&mut link.notice);
        let Some(file) = new_file else { return Ok(None) };
        let told = if (told_downloads, told_drops) == (0, 0) {
            let opened = doc! { "$set": {
                "told_downloads": new_downloads, "told_drops": new_drops, "new_downloads": 0_i64, "new_drops": 0_i64,
            } };
            db.links().update_one(doc! { "id": id.oid() }, opened).session(tx.session()).await?;
            (new_downloads, new_drops)
        } else {
            (told_downloads, told_drops)
        };
        let (link, downloads, drops) = (link.read()?, counted(told.0)?, counted(told.1)?);
        Ok(Some(LinkNotice { link, file: id_of(file), downloads, drops }))
    })
    .await
}

pub(super) async fn close(
    db: &FilesDb,
    id: LinkId,
    job: JobId,
    next: &NewJob,
    at: Timestamp,
) -> PortResult<()> {
    let Some(space) = space_of(db, id).await? else { return Ok(()) };
    let _ring = db.outbox.ring_for(std::slice::from_ref(next));
    db.write(space.oid(), |mut tx| async move {
        let closed = doc! {
            "$set": { "noticed_at": at.millis(), "told_downloads": 0_i64, "told_drops": 0_i64 },
            "$unset": { "notice_job": "", "notice_due": "" },
        };
        let mine = doc! { "id": id.oid(), "notice_job": job.oid() };
        let changed = db.links().update_one(mine, closed).session(tx.session()).await?;
        if changed.matched_count == 0 {
            return Ok(());
        }
        let Some(LinkDoc { notice, .. }) = find(db, &mut tx, doc! { "id": id.oid() }).await? else {
            return Ok(());
        };
        if notice.new_downloads + notice.new_drops == 0 {
            return Ok(());
        }
        let due = notice.due(at);
        plan(db, &mut tx, id, notice.planned(next, due), next, due).await
    })
    .await
}
