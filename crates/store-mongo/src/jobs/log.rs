//! What jobs tell about themselves.

use common::jobs::{LeaseHolder, LostLease};
use common::{JobId, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::Deserialize;

use super::schema::{JOBS, LOG};
use super::work::held;
use crate::engine::{Engine, Fault, TxResult};
use crate::value::ToOid as _;

/// Lines that a job keeps, and the longest line.
const LINES: i64 = 1000;
const LINE_BYTES: usize = 4096;

pub(super) async fn add(
    engine: &Engine,
    holder: LeaseHolder,
    text: &str,
    now: Timestamp,
) -> TxResult<(), LostLease> {
    let mut end = text.len().min(LINE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let numbered = engine
        .collection::<Document>(JOBS)
        .find_one_and_update(held(holder, now), doc! { "$inc": { "log_lines": 1_i64 } })
        .projection(doc! { "_id": 0, "log_lines": 1 })
        .return_document(ReturnDocument::After)
        .await?;
    let (job, id) = (numbered.ok_or(LostLease::Lost)?, holder.job);
    let line = job.get_i64("log_lines").map_err(|_| Fault::Damaged("a job that does not count its lines"))?;
    let log = engine.collection::<Document>(LOG);
    log.insert_one(doc! { "job": id.oid(), "line": line, "at": now.millis(), "text": &text[..end] }).await?;
    if line > LINES {
        log.delete_many(doc! { "job": id.oid(), "line": { "$lte": line - LINES } }).await?;
    }
    Ok(())
}

pub(super) async fn list(engine: &Engine, id: JobId) -> Result<Vec<(Timestamp, String)>, Fault> {
    #[derive(Deserialize)]
    struct Line {
        at: i64,
        text: String,
    }
    let lines = engine
        .collection::<Line>(LOG)
        .find(doc! { "job": id.oid() })
        .sort(doc! { "line": 1 })
        .max_time(engine.deadline())
        .await?;
    Ok(lines.map_ok(|line| (Timestamp::from_millis(line.at), line.text)).try_collect().await?)
}

/// Removes the logs of jobs.
pub(super) async fn forget(engine: &Engine, jobs: &[ObjectId]) -> Result<(), Fault> {
    engine.collection::<Document>(LOG).delete_many(doc! { "job": { "$in": jobs.to_vec() } }).await?;
    Ok(())
}

/// Removes the log of a job that was removed. If that fails, it goes when the job is buried.
pub(super) async fn forget_now(engine: &Engine, job: ObjectId) {
    if let Err(fault) = forget(engine, &[job]).await {
        tracing::debug!(%fault, "the log of a removed job stays for now");
    }
}
