//! Jobs that are yet to be done, and notifications, as a whole.

use async_trait::async_trait;
use common::jobs::{JobState, NewJob};
use common::notifications::Notification;
use common::portable::{PortableJob, PortableJobs};
use common::{NotificationId, PortError, PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};

use super::doc::{JobDoc, live, seen};
use super::lines::Entering;
use super::notifications::NotificationDoc;
use super::schema::{JOBS, LOG, NOTIFICATIONS};
use super::{JobsDb, Turn, arrive, keys, log, unique};
use crate::engine::{Abort, Engine, Fault, Tx};
use crate::portable::{keep, page};
use crate::value::{ToOid as _, int};

async fn page_jobs(engine: &Engine, after: Option<u64>, limit: u32) -> Result<Vec<PortableJob>, Fault> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let behind = doc! { "number": { "$gt": int(after.unwrap_or(0)) }, "state": live() };
    let found = engine
        .collection::<JobDoc>(JOBS)
        .find(behind)
        .projection(seen())
        .sort(doc! { "number": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?;
    let found: Vec<JobDoc> = found.try_collect().await?;
    let mut jobs = Vec::with_capacity(found.len());
    for job in found {
        let job = job.read()?;
        let log = log::list(engine, job.spec.id).await?;
        jobs.push(PortableJob::at_rest(job, log));
    }
    Ok(jobs)
}

/// Puts jobs in that are not there, with numbers from `first` on; those that were left out, since another has their key.
async fn keep_jobs(
    engine: &Engine,
    tx: &mut Tx,
    jobs: &[PortableJob],
    first: u64,
) -> Result<Vec<ObjectId>, Fault> {
    let ids: Vec<ObjectId> = jobs.iter().map(|kept| kept.job.spec.id.oid()).collect();
    let mut known = arrive::there(engine, tx.session(), &ids).await?;
    let fresh: Vec<(&PortableJob, u64)> =
        jobs.iter().zip(first..).filter(|(kept, _)| known.insert(kept.job.spec.id.oid())).collect();
    let wanted: Vec<(&str, ObjectId)> = fresh
        .iter()
        .filter_map(|(kept, _)| Some((kept.job.spec.unique_key.as_deref()?, kept.job.spec.id.oid())))
        .collect();
    let holders = unique::take(engine, tx.session(), &wanted).await?;
    let left_out: Vec<ObjectId> =
        wanted.iter().zip(holders).filter_map(|((_, job), holder)| holder.map(|_| *job)).collect();
    let (mut arriving, mut entering) = (Vec::new(), Entering::default());
    for (PortableJob { job, log }, number) in fresh {
        if left_out.contains(&job.spec.id.oid()) {
            continue;
        }
        let doc = JobDoc::as_it_was(job, number, log.len() as u64)?;
        if job.state == JobState::Inactive {
            entering.add(&doc);
        }
        arriving.push(doc);
    }
    if !arriving.is_empty() {
        arrive::or_raced(engine.collection(JOBS).insert_many(arriving).session(tx.session()).await)?;
        entering.write(engine, tx.session()).await?;
    }
    Ok(left_out)
}

/// Lines go first: a job that is there has all of its log.
async fn keep_logs(engine: &Engine, jobs: &[PortableJob]) -> Result<(), Fault> {
    for PortableJob { job, log: lines } in jobs.iter().filter(|kept| !kept.log.is_empty()) {
        let id = job.spec.id.oid();
        log::forget(engine, &[id]).await?;
        let lines = (1_i64..).zip(lines).map(|(line, (at, text))| {
            doc! { "job": id, "line": line, "at": at.millis(), "text": text }
        });
        engine.collection::<Document>(LOG).insert_many(lines).await?;
    }
    Ok(())
}

#[async_trait]
impl PortableJobs for JobsDb {
    async fn page_jobs(&self, after: Option<u64>, limit: u32) -> PortResult<Vec<PortableJob>> {
        self.engine.run(page_jobs(&self.engine, after, limit)).await
    }

    async fn keep_jobs(&self, jobs: &[PortableJob]) -> PortResult<()> {
        if jobs.is_empty() {
            return Ok(());
        }
        let engine = &self.engine;
        let specs: Vec<NewJob> = jobs.iter().map(|kept| kept.job.spec.clone()).collect();
        let first = engine.run(arrive::prepare(engine, &self.named, &specs)).await?;
        engine.run(keep_logs(engine, jobs)).await?;
        let left_out = engine
            .transact(&keys(Turn::Ready), |mut tx| async move {
                Ok::<_, Abort<PortError>>(keep_jobs(engine, &mut tx, jobs, first).await?)
            })
            .await?;
        engine.run(log::forget(engine, &left_out)).await
    }

    async fn page_notifications(
        &self,
        after: Option<NotificationId>,
        limit: u32,
    ) -> PortResult<Vec<Notification>> {
        self.engine
            .run(async {
                let after = after.map(|id| id.oid());
                let found: Vec<NotificationDoc> =
                    page(&self.engine, NOTIFICATIONS, "_id", after, limit).await?;
                found.into_iter().map(NotificationDoc::read).collect()
            })
            .await
    }

    async fn keep_notifications(&self, kept: &[Notification]) -> PortResult<()> {
        self.engine
            .run(async {
                let mut docs = Vec::with_capacity(kept.len());
                for Notification { news, created_at, read_at } in kept {
                    docs.push(NotificationDoc {
                        unread: read_at.is_none(),
                        read_at: read_at.map(Timestamp::millis),
                        ..NotificationDoc::of(news, *created_at)?
                    });
                }
                keep(&self.engine, NOTIFICATIONS, docs).await
            })
            .await
    }
}
