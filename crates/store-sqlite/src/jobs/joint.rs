//! Insertions that wait for a commit share one piece of work in it: what several jobs change alike is written once for all of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::jobs::{InsertOutcome, NewJob};
use common::{PortError, PortResult, Timestamp};
use tokio::sync::oneshot;

use super::arrive;
use super::moves::Moves;
use crate::engine::{Durability, Line, PART, Shared, Tx};

/// One call.
struct Arrival {
    jobs: Vec<NewJob>,
    now: Timestamp,
    reply: oneshot::Sender<PortResult<Vec<InsertOutcome>>>,
}

#[derive(Default)]
struct Waiting {
    arrivals: Vec<Arrival>,
    /// Work for them stands in the line.
    called_for: bool,
}

/// Calls that wait to be taken along.
#[derive(Clone)]
pub(super) struct Arrivals {
    waiting: Arc<Mutex<Waiting>>,
    line: Line,
}

impl Arrivals {
    pub(super) fn new(line: Line) -> Self {
        Self { waiting: Arc::default(), line }
    }

    /// Inserts these jobs in one commit with whatever else waits. They are inserted, or not, by themselves; once this was polled they may be although it is
    /// dropped.
    ///
    /// # Errors
    /// As every call.
    pub(super) async fn insert(&self, jobs: &[NewJob], now: Timestamp) -> PortResult<Vec<InsertOutcome>> {
        let (reply, answer) = oneshot::channel();
        let first = {
            let mut waiting = self.lock();
            waiting.arrivals.push(Arrival { jobs: jobs.to_vec(), now, reply });
            !std::mem::replace(&mut waiting.called_for, true)
        };
        if first {
            let work = Insertion { of: self.clone(), begun: false, chosen: Vec::new(), outcomes: Vec::new() };
            self.line.submit(Durability::Durable, Box::new(work));
        }
        answer.await.unwrap_or_else(|_| Err(PortError::unavailable(PART, "the store is closed")))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<Arrival> {
        let mut waiting = self.lock();
        waiting.called_for = false;
        std::mem::take(&mut waiting.arrivals)
    }
}

/// The insertion of all that wait when its turn comes.
struct Insertion {
    of: Arrivals,
    /// Its turn has come.
    begun: bool,
    chosen: Vec<Arrival>,
    /// For each of them.
    outcomes: Vec<Vec<InsertOutcome>>,
}

impl Shared for Insertion {
    fn run(&mut self, tx: &Tx<'_>) -> rusqlite::Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            self.chosen = self.of.take();
        }
        let mut moves = Moves::new(tx);
        for arrival in &self.chosen {
            self.outcomes.push(arrive::insert_by(tx, &arrival.jobs, arrival.now, &mut moves)?);
        }
        moves.finish()
    }

    fn answer(mut self: Box<Self>, outcome: PortResult<()>) {
        let mut chosen = std::mem::take(&mut self.chosen);
        match outcome {
            Ok(()) => {
                for (arrival, outcomes) in chosen.into_iter().zip(self.outcomes.drain(..)) {
                    // whoever has left does not hear it; the jobs stand
                    let _gone = arrival.reply.send(Ok(outcomes));
                }
            }
            Err(error) if chosen.len() == 1 => {
                let only = chosen.remove(0);
                let _gone = only.reply.send(Err(error));
            }
            // what is wrong with one is nothing to the others: each by itself. Jobs that are in the store all the same are known there
            Err(_) => {
                for arrival in chosen {
                    let (of, chosen) = (self.of.clone(), vec![arrival]);
                    let alone = Self { of, begun: true, chosen, outcomes: Vec::new() };
                    self.of.line.submit(Durability::Durable, Box::new(alone));
                }
            }
        }
    }
}

impl Drop for Insertion {
    /// If it never came to its turn, as when the store is closed, neither did those that wait for it: they hear that nobody answers.
    fn drop(&mut self) {
        if !self.begun {
            drop(self.of.take());
        }
    }
}
