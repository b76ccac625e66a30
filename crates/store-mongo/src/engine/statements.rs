//! Many statements in one message: the driver's own calls take a round trip for each.

use std::time::Duration;

use mongodb::ClientSession;
use mongodb::bson::{Bson, Document, doc};

use super::{Engine, Fault};

/// Statements in one message: far below the server's limit of 100,000 and of 48 MB.
const AT_ONCE: usize = 500;

/// Runs the statements of an `update` command, each `{ q, u, upsert }`, in order.
pub(crate) async fn update(
    engine: &Engine,
    session: &mut ClientSession,
    collection: &str,
    updates: Vec<Document>,
) -> Result<(), Fault> {
    for part in updates.chunks(AT_ONCE) {
        let command = doc! { "update": collection, "updates": part.to_vec() };
        let answer = engine.mongo().database().run_command(command).session(&mut *session).await?;
        check(&answer)?;
    }
    Ok(())
}

/// Runs statements, each `{ q, u, upsert }`, outside of a transaction: each is a commit of its own, in any order. Those that met others are run again.
pub(crate) async fn update_each(
    engine: &Engine,
    collection: &str,
    updates: Vec<Document>,
) -> Result<(), Fault> {
    let deadline = i64::try_from(engine.deadline().as_millis()).unwrap_or(i64::MAX);
    for part in updates.chunks(AT_ONCE) {
        let mut part = part.to_vec();
        while !part.is_empty() {
            // the concerns of the client do not go with a command that is run as such
            let command = doc! {
                "update": collection, "updates": &part, "ordered": false,
                "writeConcern": { "w": "majority", "j": true, "wtimeout": deadline },
            };
            let answer = engine.mongo().database().run_command(command).await?;
            let met = raced(&answer, engine.deadline())?;
            part = met.into_iter().filter_map(|index| part.get(index).cloned()).collect();
        }
    }
    Ok(())
}

/// The places of the statements that met others.
fn raced(answer: &Document, deadline: Duration) -> Result<Vec<usize>, Fault> {
    if answer.contains_key("writeConcernError") {
        // the majority did not take it in time
        return Err(Fault::Deadline(deadline));
    }
    let Ok(errors) = answer.get_array("writeErrors") else { return Ok(Vec::new()) };
    errors
        .iter()
        .map(|error| {
            let error = error.as_document();
            let code = error.and_then(|error| error.get_i32("code").ok());
            let index = error.and_then(|error| error.get_i32("index").ok());
            match (code, index.and_then(|index| usize::try_from(index).ok())) {
                (Some(super::error::DUPLICATE_KEY | super::error::WRITE_CONFLICT), Some(index)) => Ok(index),
                _ => Err(Fault::Damaged("the server refuses a statement")),
            }
        })
        .collect()
}

/// A command that was run as such answers "ok" also when a statement failed.
fn check(answer: &Document) -> Result<(), Fault> {
    let Ok(errors) = answer.get_array("writeErrors") else { return Ok(()) };
    let code = errors.first().and_then(Bson::as_document).and_then(|error| error.get_i32("code").ok());
    match code {
        None if errors.is_empty() => Ok(()),
        Some(super::error::DUPLICATE_KEY | super::error::WRITE_CONFLICT) => Err(Fault::Raced),
        _ => Err(Fault::Damaged("the server refuses a statement")),
    }
}
