//! What jobs tell about themselves.

use common::{JobId, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::Deserialize;

use super::schema::{JOBS, LOG};
use crate::engine::{Engine, Fault};
use crate::value::ToOid as _;

/// Lines that a job keeps, and the longest line.
const LINES: i64 = 1000;
const LINE_BYTES: usize = 4096;

pub(super) async fn add(engine: &Engine, id: JobId, text: &str, now: Timestamp) -> Result<(), Fault> {
    let mut end = text.len().min(LINE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let numbered = engine
        .collection::<Document>(JOBS)
        .find_one_and_update(doc! { "_id": id.oid() }, doc! { "$inc": { "log_lines": 1_i64 } })
        .projection(doc! { "_id": 0, "log_lines": 1 })
        .return_document(ReturnDocument::After)
        .await?;
    let Some(job) = numbered else { return Ok(()) };
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
