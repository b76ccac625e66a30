//! Work of several callers in one request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use common::{PortError, PortResult};

use super::super::error::GroupFailure;
use super::super::{Durability, PART, Tx, sql_error};
use super::{Queue, Request, Verdict};

/// Work that answers for several callers. It is asked on the thread of the writer, where it must not block.
pub(crate) trait Shared: Send {
    /// Does it; what it did is undone if it fails. Those that it does it for may be chosen only now.
    fn run(&mut self, tx: &Tx<'_>) -> rusqlite::Result<()>;

    /// Answers each of them, when the commit stands or has failed.
    fn answer(self: Box<Self>, outcome: PortResult<()>);
}

/// Where such work waits for its commit. It may outlive the store; then what is handed in is dropped.
#[derive(Clone)]
pub(crate) struct Line(pub(super) Arc<Queue>);

impl Line {
    /// Hands work in, or drops it if the store is closed. It takes no place of those who wait at the door: who hands in does so once for many.
    pub(crate) fn submit(&self, durability: Durability, work: Box<dyn Shared>) {
        let request = Box::new(SharedRequest { work: Some(work), outcome: None });
        // a request that is refused is dropped outside the lock, since its callers hear of that then
        let refused = self.0.push(durability, request).err();
        drop(refused);
    }
}

/// How the work itself ended.
enum Outcome {
    Done,
    Failed(rusqlite::Error),
    Panicked,
}

struct SharedRequest {
    work: Option<Box<dyn Shared>>,
    outcome: Option<Outcome>,
}

impl Request for SharedRequest {
    fn run(&mut self, tx: &Tx<'_>) -> Verdict {
        let Some(work) = &mut self.work else { return Verdict::Undo };
        let outcome = match catch_unwind(AssertUnwindSafe(|| work.run(tx))) {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(error)) => Outcome::Failed(error),
            Err(_) => Outcome::Panicked,
        };
        let verdict = if matches!(outcome, Outcome::Done) { Verdict::Keep } else { Verdict::Undo };
        self.outcome = Some(outcome);
        verdict
    }

    fn failure(&self) -> GroupFailure {
        match &self.outcome {
            Some(Outcome::Failed(error)) => error.into(),
            _ => GroupFailure::unknown(),
        }
    }

    fn answer(self: Box<Self>, failure: Option<&GroupFailure>) {
        let Some(work) = self.work else { return };
        work.answer(match (self.outcome, failure) {
            // an own failure stays what it is, whatever happened to the others
            (Some(Outcome::Failed(error)), _) => Err(sql_error(error)),
            (Some(Outcome::Panicked), _) => Err(PortError::broken(PART, "a write panicked")),
            (_, Some(failure)) => Err(failure.to_error()),
            (Some(Outcome::Done), None) => Ok(()),
            (None, None) => Err(super::closed()),
        });
    }
}
