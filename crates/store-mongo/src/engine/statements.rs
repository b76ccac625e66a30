//! Many statements of a transaction in one message: the driver's own calls take a round trip for each.

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
