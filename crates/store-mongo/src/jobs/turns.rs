//! Who was served with a type, and when last: a document for each user and type, kept for a while. It is written after the claim, by itself: a claimer that
//! dies in between gives the user one more turn, and claims at the same moment may give one to the same user.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::Timestamp;
use common::jobs::SERVED_KEPT;
use futures_util::TryStreamExt as _;
use futures_util::future::try_join;
use mongodb::bson::doc;
use serde::Deserialize;

use super::lines::{Holder, Line};
use super::schema::{LINES, TURNS};
use crate::engine::{Engine, Fault, statements};

/// Documents that are forgotten in one go.
const FORGET: i64 = 500;

/// Steps in a millisecond: so many can be served within one and still have an order. With more the order runs ahead of the clock.
const STEPS: i64 = 1000;

/// The order in which a process serves: microseconds since 1970, never the same twice. Those of several processes differ as their clocks do, and none falls
/// behind one that it has read.
#[derive(Default)]
pub(super) struct Served(Mutex<i64>);

impl Served {
    fn next(&self, now: Timestamp) -> i64 {
        let mut last = self.last();
        *last = last.saturating_add(1).max(now.millis().saturating_mul(STEPS));
        *last
    }

    fn read(&self, served: i64) {
        let mut last = self.last();
        *last = served.max(*last);
    }

    fn last(&self) -> MutexGuard<'_, i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a user is known by with a type. The type comes last: it is the one part that could hold anything.
fn turn_id(kind: &str, user: Holder) -> String {
    let user = user.map(|user| user.to_hex()).unwrap_or_default();
    format!("{user} {kind}")
}

#[derive(Deserialize)]
struct Turn {
    #[serde(rename = "_id")]
    id: String,
    served: i64,
}

/// When the users of these lines were served last, as far as it is later than their lines say: they may have been served in others.
pub(super) async fn correct(
    engine: &Engine,
    served: &Served,
    lines: &mut [Line],
) -> Result<Vec<usize>, Fault> {
    let ids: Vec<String> = lines.iter().map(|line| turn_id(&line.kind, line.user)).collect();
    let found = engine
        .collection::<Turn>(TURNS)
        .find(doc! { "_id": { "$in": &ids } })
        .projection(doc! { "served": 1 })
        .max_time(engine.deadline())
        .await?;
    let known: HashMap<String, i64> = found.map_ok(|turn| (turn.id, turn.served)).try_collect().await?;
    let mut corrected = Vec::new();
    for (index, (line, id)) in lines.iter_mut().zip(&ids).enumerate() {
        let last = known.get(id).copied();
        if last > line.served {
            line.served = last;
            corrected.push(index);
        }
        served.read(line.served.unwrap_or(0));
    }
    Ok(corrected)
}

/// Writes into lines when their users were served last.
pub(super) async fn note_in<'l>(engine: &Engine, lines: impl Iterator<Item = &'l Line>) -> Result<(), Fault> {
    let served = lines.filter_map(|line| {
        let served = line.served?;
        // it may be gone by now
        Some(doc! { "q": { "_id": line.id() }, "u": { "$max": { "served": served } } })
    });
    statements::update_each(engine, LINES, served.collect()).await
}

/// The users of these lines were served with a job, one after another.
pub(super) async fn serve(
    engine: &Engine,
    served: &Served,
    mut lines: Vec<Line>,
    now: Timestamp,
) -> Result<(), Fault> {
    if lines.is_empty() {
        return Ok(());
    }
    lines.iter_mut().for_each(|line| line.served = Some(served.next(now)));
    let turns = lines.iter().map(|line| {
        doc! {
            "q": { "_id": turn_id(&line.kind, line.user) }, "u": { "$max": { "served": line.served } }, "upsert": true,
        }
    });
    let turns = statements::update_each(engine, TURNS, turns.collect());
    try_join(turns, note_in(engine, lines.iter())).await.map(drop)
}

/// Forgets who was served long enough ago.
pub(super) async fn forget(engine: &Engine, now: Timestamp) -> Result<(), Fault> {
    // within that millisecond, too
    let before = (now - SERVED_KEPT).millis().saturating_add(1).saturating_mul(STEPS);
    let mut old = doc! { "served": { "$lt": before } };
    let turns = engine.collection::<Turn>(TURNS);
    let found = turns.find(old.clone()).limit(FORGET).max_time(engine.deadline()).await?;
    let ids: Vec<String> = found.map_ok(|turn| turn.id).try_collect().await?;
    if !ids.is_empty() {
        // one of them may have been served meanwhile
        old.insert("_id", doc! { "$in": ids });
        turns.delete_many(old).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_served_later_has_the_greater_place() {
        let served = Served::default();
        let at = Timestamp::from_millis;
        assert_eq!([served.next(at(5)), served.next(at(5)), served.next(at(4))], [5000, 5001, 5002]);
        served.read(7000);
        served.read(6000);
        assert_eq!([served.next(at(6)), served.next(at(8))], [7001, 8000]);
    }
}
