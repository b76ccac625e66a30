//! The outbox, a collection of each owner.

use std::time::Duration;

use common::jobs::{NewJob, OutboxRow, UNREADABLE_RESTS};
use common::{JobId, PortError, PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, deserialize_from_document, doc};
use mongodb::{ClientSession, Collection};
use serde::Deserialize;
use tokio::sync::{Mutex, Notify};

use crate::engine::{Abort, Astray, Attempt, Engine, Fault, Index};
use crate::value::{ToOid as _, id, oids};

/// Jobs on their way to the job store.
pub(crate) struct Outbox {
    name: &'static str,
    bell: Notify,
    /// Relays of one process take rows one after another; those of several meet in the documents.
    leasing: Mutex<()>,
    astray: Astray<Lease>,
}

/// What a relay needs of a document. Beside it there are `seq`, which ascends within a process, and by seconds among processes (rows come about in the
/// order of their commits, which is enough), `waits`, `sent_at`, `leased_until` and `lease`.
#[derive(Deserialize)]
struct Row {
    job: String,
    sent: u32,
}

impl Row {
    /// Why a document is none that this program knows, in words that show nothing of it.
    fn read(document: Document) -> Result<OutboxRow, String> {
        let row: Self =
            deserialize_from_document(document).map_err(|_| "its form is another one".to_owned())?;
        let job = serde_json::from_str(&row.job).map_err(|error| error.to_string())?;
        Ok(OutboxRow { job, sent: row.sent })
    }
}

/// What [`Outbox::lease_unsent`] looks for.
#[derive(Deserialize)]
struct RowId {
    #[serde(rename = "_id")]
    id: ObjectId,
}

/// The mark of no lease.
fn nobody() -> ObjectId {
    ObjectId::from_bytes([0; 12])
}

/// A lease that was asked for.
#[derive(Debug)]
struct Lease {
    /// What only this lease writes into rows.
    mark: ObjectId,
    until: Timestamp,
}

/// Rings when it goes, however the call ends that made it: also a commit whose answer is lost may have brought rows in.
pub(crate) struct Ring<'o>(Option<&'o Notify>);

impl Drop for Ring<'_> {
    fn drop(&mut self) {
        if let Some(bell) = self.0 {
            bell.notify_one();
        }
    }
}

/// The indexes of an outbox in this collection.
pub(crate) fn indexes(name: &'static str) -> [Index; 2] {
    [
        // what waits, in its order
        Index::new(name, "waiting_1", &[("seq", 1), ("leased_until", 1)]).only(|| doc! { "waits": true }),
        Index::new(name, "sent_1", &[("sent_at", 1)]).only(|| doc! { "waits": false }),
    ]
}

impl Outbox {
    /// The outbox in this collection.
    pub(crate) fn new(name: &'static str) -> Self {
        let bell = Notify::new();
        // rows may have been left by a process before
        bell.notify_one();
        Self { name, bell, leasing: Mutex::new(()), astray: Astray::default() }
    }

    fn rows(&self, engine: &Engine) -> Collection<Document> {
        engine.collection(self.name)
    }

    /// Hold it during a transaction that pushes `jobs`.
    pub(crate) fn ring_for(&self, jobs: &[NewJob]) -> Ring<'_> {
        Ring((!jobs.is_empty()).then_some(&self.bell))
    }

    /// Puts jobs in, within the transaction that causes them. A job that is there already stays as it is.
    pub(crate) async fn push(
        &self,
        engine: &Engine,
        session: &mut ClientSession,
        jobs: &[NewJob],
    ) -> Result<(), Fault> {
        let rows = self.rows(engine);
        for job in jobs {
            let text =
                serde_json::to_string(job).map_err(|_| Fault::Damaged("a job does not become JSON"))?;
            let fields = doc! {
                "seq": ObjectId::new(), "job": text, "sent": 0, "waits": true, "sent_at": 0_i64,
                "leased_until": i64::MIN, "lease": nobody(),
            };
            rows.update_one(doc! { "_id": job.id.oid() }, doc! { "$setOnInsert": fields })
                .upsert(true)
                .session(&mut *session)
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn lease_unsent(
        &self,
        engine: &Engine,
        limit: u32,
        lease: Duration,
        now: Timestamp,
    ) -> PortResult<Vec<OutboxRow>> {
        engine
            .call(async {
                let _turn = self.leasing.lock().await;
                self.free_astray(engine, now).await?;
                let (mut leased, mut attempts) = (Vec::new(), Vec::new());
                while leased.len() < limit as usize {
                    let wanted = i64::from(limit) - leased.len() as i64;
                    let candidates = self.candidates(engine, wanted, now).await?;
                    if candidates.is_empty() {
                        break;
                    }
                    let attempt = self.astray.attempt(Lease { mark: ObjectId::new(), until: now + lease });
                    leased.extend(self.take(engine, candidates, &attempt, now).await?);
                    attempts.push(attempt);
                }
                attempts.into_iter().for_each(Attempt::settle);
                Ok::<_, Abort<PortError>>(leased)
            })
            .await
    }

    async fn candidates(&self, engine: &Engine, wanted: i64, now: Timestamp) -> Result<Vec<ObjectId>, Fault> {
        let found = engine
            .collection::<RowId>(self.name)
            .find(doc! { "waits": true, "leased_until": { "$lte": now.millis() } })
            .projection(doc! { "_id": 1 })
            .sort(doc! { "seq": 1 })
            .limit(wanted)
            .max_time(engine.deadline())
            .await?;
        Ok(found.map_ok(|row| row.id).try_collect().await?)
    }

    /// Takes those that nobody took meanwhile: each document is changed on the condition that it is still free.
    async fn take(
        &self,
        engine: &Engine,
        candidates: Vec<ObjectId>,
        wanted: &Lease,
        now: Timestamp,
    ) -> Result<Vec<OutboxRow>, Fault> {
        let (rows, lease, until) = (self.rows(engine), wanted.mark, wanted.until);
        let free =
            doc! { "_id": { "$in": &candidates }, "waits": true, "leased_until": { "$lte": now.millis() } };
        rows.update_many(free, doc! { "$set": { "leased_until": until.millis(), "lease": lease } }).await?;
        let taken =
            rows.find(doc! { "_id": { "$in": candidates }, "lease": lease }).sort(doc! { "seq": 1 }).await?;
        let taken: Vec<Document> = taken.try_collect().await?;
        let (mut readable, mut unreadable) = (Vec::with_capacity(taken.len()), Vec::new());
        for document in taken {
            let id = document.get_object_id("_id").map_err(|_| Fault::Damaged("a row without an id"))?;
            match Row::read(document) {
                Ok(row) => readable.push(row),
                Err(cause) => {
                    metrics::counter!("fm_outbox_unreadable_total").increment(1);
                    tracing::error!(outbox = self.name, job = %id, %cause, "a job in the outbox cannot be read and is set aside");
                    unreadable.push(id);
                }
            }
        }
        if !unreadable.is_empty() {
            let rests = doc! { "$set": { "leased_until": (now + UNREADABLE_RESTS).millis() } };
            rows.update_many(doc! { "_id": { "$in": unreadable }, "lease": lease }, rests).await?;
        }
        Ok(readable)
    }

    /// Frees what was leased without anybody's knowing: it would wait for the end of its lease. Such a lease may also come to be later, so it is looked for
    /// until it would have ended.
    async fn free_astray(&self, engine: &Engine, now: Timestamp) -> Result<(), Fault> {
        let leases = self.astray.take(|lease| lease.until <= now, |_| true);
        if leases.is_empty() {
            return Ok(());
        }
        let marks: Vec<ObjectId> = leases.iter().map(|lease| lease.mark).collect();
        let held = doc! { "waits": true, "lease": { "$in": marks } };
        let free = doc! { "$set": { "leased_until": i64::MIN, "lease": nobody() } };
        self.rows(engine).update_many(held, free).await?;
        Ok(())
    }

    pub(crate) async fn mark_sent(&self, engine: &Engine, ids: &[JobId], at: Timestamp) -> PortResult<()> {
        let sent = doc! { "$inc": { "sent": 1 }, "$set": { "waits": false, "sent_at": at.millis() } };
        self.for_each(engine, ids, sent).await
    }

    pub(crate) async fn list_sent(
        &self,
        engine: &Engine,
        before: Timestamp,
        limit: u32,
    ) -> PortResult<Vec<JobId>> {
        engine
            .call(async {
                let found = engine
                    .collection::<RowId>(self.name)
                    .find(doc! { "waits": false, "sent_at": { "$lt": before.millis() } })
                    .projection(doc! { "_id": 1 })
                    .sort(doc! { "sent_at": 1 })
                    .limit(i64::from(limit))
                    .max_time(engine.deadline())
                    .await?;
                Ok(found.map_ok(|row| id::<JobId>(row.id)).try_collect().await?)
            })
            .await
    }

    pub(crate) async fn settle(&self, engine: &Engine, ids: &[JobId]) -> PortResult<()> {
        if ids.is_empty() {
            return Ok(());
        }
        engine
            .call(async {
                self.rows(engine).delete_many(doc! { "_id": { "$in": oids(ids) } }).await?;
                Ok(())
            })
            .await
    }

    pub(crate) async fn unsend(&self, engine: &Engine, ids: &[JobId]) -> PortResult<()> {
        let unsent = doc! { "$set": { "waits": true, "sent_at": 0_i64, "leased_until": i64::MIN } };
        let done = self.for_each(engine, ids, unsent).await;
        self.bell.notify_one();
        done
    }

    async fn for_each(&self, engine: &Engine, ids: &[JobId], change: Document) -> PortResult<()> {
        if ids.is_empty() {
            return Ok(());
        }
        engine
            .call(async {
                self.rows(engine).update_many(doc! { "_id": { "$in": oids(ids) } }, change).await?;
                Ok(())
            })
            .await
    }

    pub(crate) async fn depth(&self, engine: &Engine) -> PortResult<u64> {
        // a handful, unless the job store is away
        engine.call(async { Ok(self.rows(engine).count_documents(doc! {}).await?) }).await
    }

    pub(crate) async fn wait(&self) {
        self.bell.notified().await;
    }
}

/// Implements [`common::jobs::Outbox`] for a store with fields `engine` and `outbox`.
macro_rules! impl_outbox {
    ($store:ty) => {
        #[async_trait::async_trait]
        impl common::jobs::Outbox for $store {
            async fn lease_unsent(
                &self,
                limit: u32,
                lease: std::time::Duration,
                now: common::Timestamp,
            ) -> common::PortResult<Vec<common::jobs::OutboxRow>> {
                self.outbox.lease_unsent(&self.engine, limit, lease, now).await
            }

            async fn mark_sent(
                &self,
                ids: &[common::JobId],
                at: common::Timestamp,
            ) -> common::PortResult<()> {
                self.outbox.mark_sent(&self.engine, ids, at).await
            }

            async fn list_sent(
                &self,
                before: common::Timestamp,
                limit: u32,
            ) -> common::PortResult<Vec<common::JobId>> {
                self.outbox.list_sent(&self.engine, before, limit).await
            }

            async fn settle(&self, ids: &[common::JobId]) -> common::PortResult<()> {
                self.outbox.settle(&self.engine, ids).await
            }

            async fn unsend(&self, ids: &[common::JobId]) -> common::PortResult<()> {
                self.outbox.unsend(&self.engine, ids).await
            }

            async fn depth(&self) -> common::PortResult<u64> {
                self.outbox.depth(&self.engine).await
            }

            async fn wait(&self) {
                self.outbox.wait().await;
            }
        }
    };
}

pub(crate) use impl_outbox;
