//! The collections of worker-service: all jobs, their order, who works them, what happened to them, and what makes them at times.
//!
//! The state of a job changes in its own document, on the condition of the state before: of any number of processes one succeeds. Only becoming ready
//! is a transaction, because it writes the line that claims look at as well, and the job's unique key. An event is written into the job by the update that it
//! tells of, and gets its place among all events afterwards.

mod arrive;
mod astray;
mod claim;
mod depths;
mod doc;
mod events;
mod lines;
mod list;
mod log;
mod manage;
mod notifications;
mod portable;
mod ports;
mod schedules;
pub(crate) mod schema;
mod settings;
mod stream;
mod tally;
mod tell;
mod text;
mod turns;
mod unique;
mod webhooks;
mod work;

use common::PortResult;
use mongodb::bson::oid::ObjectId;

use crate::engine::{Astray, Engine, Mongo};
use crate::keyed;

/// The store of worker-service: a [`JobStore`], with its [`JobAdmin`], [`JobEvents`] and [`ScheduleStore`].
///
/// [`JobStore`]: common::jobs::JobStore
/// [`JobAdmin`]: common::jobs::JobAdmin
/// [`JobEvents`]: common::jobs::JobEvents
/// [`ScheduleStore`]: common::jobs::ScheduleStore
pub struct JobsDb {
    engine: Engine,
    named: settings::Named,
    tally: tally::Tally,
    astray: Astray<astray::Claim>,
    served: turns::Served,
    reach: depths::Reach,
}

/// What the calls of one process do one after another, so that they meet only those of others.
#[derive(Clone, Copy)]
enum Turn {
    /// Making jobs ready.
    Ready = 1,
    /// Claiming.
    Claim,
    /// Reaping.
    Reap,
    /// Giving events their places.
    Order,
}

fn keys(turn: Turn) -> [ObjectId; 1] {
    [ObjectId::from_bytes([turn as u8; 12])]
}

impl JobsDb {
    /// Asks nothing of the server: the first call that reaches it brings the schema up to date.
    pub fn new(mongo: &Mongo) -> Self {
        Self {
            engine: Engine::new(mongo, &schema::SCHEMA),
            named: settings::Named::default(),
            tally: tally::Tally::default(),
            astray: Astray::default(),
            served: turns::Served::default(),
            reach: depths::Reach::default(),
        }
    }

    /// Brings the schema up to date, if that was not done; for programs to call when they start. Of several processes one does it, and the others wait.
    ///
    /// # Errors
    /// `Broken` if a newer major version was here, or the server knows no transactions; `Unavailable` if it does not answer.
    pub async fn migrate(&self) -> PortResult<()> {
        self.engine.migrate().await
    }
}

keyed::impl_keyed!(JobsDb);

#[cfg(all(test, feature = "servers"))]
mod tests;
