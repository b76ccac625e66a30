//! Events, written into the job that they happen to by the very update that makes them happen. `events.rs` gives them their places afterwards.

use common::Timestamp;
use common::jobs::JobEventKind;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::doc::to_json;
use crate::engine::Fault;

/// So many events of a job may wait for their places before a progress takes the place of the one before it. Data of a progress are up to 256 KiB, and a
/// document is at most 16 MiB.
const MERGE_FROM: i32 = 16;

/// An event without a place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) at: i64,
    /// Orders what happens to several jobs within a millisecond, in one process.
    pub(super) tick: ObjectId,
    pub(super) event: String,
    /// JSON.
    pub(super) data: Option<String>,
}

impl Told {
    /// One that says no more.
    pub(super) fn plain(event: JobEventKind, at: Timestamp) -> Self {
        Self { at: at.millis(), tick: ObjectId::new(), event: event.word().to_owned(), data: None }
    }

    /// One with data.
    pub(super) fn of(event: JobEventKind, data: &Value, at: Timestamp) -> Result<Self, Fault> {
        Ok(Self { data: Some(to_json(data)?), ..Self::plain(event, at) })
    }

    fn document(self) -> Document {
        doc! { "at": self.at, "tick": self.tick, "event": self.event, "data": self.data }
    }
}

/// The change, with its event.
pub(super) fn with(mut change: Document, event: Told) -> Document {
    let mut add = |operator: &str, field: &str, value: Bson| match change.get_document_mut(operator) {
        Ok(fields) => drop(fields.insert(field, value)),
        Err(_) => drop(change.insert(operator, doc! { field: value })),
    };
    add("$set", "untold", true.into());
    add("$min", "untold_since", event.at.into());
    add("$push", "events", event.document().into());
    change
}

/// The fields of a `$set` stage that tell of the change which the stage makes: `events` is an array, as an expression.
fn stage(events: impl Into<Bson>, at: Timestamp) -> Document {
    doc! { "events": events.into(), "untold": true, "untold_since": { "$min": ["$untold_since", at.millis()] } }
}

fn so_far() -> Document {
    doc! { "$ifNull": ["$events", []] }
}

/// A field of one of the events, as an expression; missing if there is no such event.
pub(super) fn of(index: i32, field: &str) -> Document {
    // `$events.at` by itself would do, but not every server that can stand in for MongoDB knows paths through arrays
    doc! { "$let": { "vars": { "event": { "$arrayElemAt": ["$events", index] } }, "in": format!("$$event.{field}") } }
}

/// What users wrote must not be taken for an expression.
fn literal(event: Told) -> Document {
    doc! { "$literal": [event.document()] }
}

/// For a stage that completes a job: if it is removed then, it tells that, too.
pub(super) fn completion(complete: Told, remove: Told, at: Timestamp) -> Document {
    let removed = doc! { "$cond": ["$remove_on_complete", literal(remove), []] };
    stage(doc! { "$concatArrays": [so_far(), literal(complete), removed] }, at)
}

/// For a stage that reports progress.
pub(super) fn progress(event: Told, at: Timestamp) -> Document {
    let pile = doc! { "$and": [
        { "$gte": [{ "$size": so_far() }, MERGE_FROM] },
        { "$eq": [of(-1, "event"), JobEventKind::Progress.word()] },
    ] };
    let but_last = doc! { "$slice": ["$events", { "$subtract": [{ "$size": so_far() }, 1] }] };
    let kept = doc! { "$cond": [pile, but_last, so_far()] };
    stage(doc! { "$concatArrays": [kept, literal(event)] }, at)
}
