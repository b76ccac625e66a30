use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Backoff, NewJob, Priority, types};
use crate::error::{PortError, PortResult};
use crate::{JobId, ScheduleId, Sha256, Timestamp, UserId};

/// What becomes of times that passed while nothing ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// They are left out.
    #[default]
    Skip,
    /// One job stands for all of them.
    Once,
    /// Each gets its job, up to 100.
    All,
}

/// What a schedule says of the jobs that it makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleSpec {
    /// For people.
    pub name: String,
    /// When, as a cron expression of five fields, or six with seconds.
    pub cron: String,
    /// Where the clock hangs that it means, such as `Europe/Berlin`.
    pub time_zone: String,
    /// What becomes of times that passed.
    pub catch_up: CatchUp,
    /// The jobs' type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Their data.
    pub data: Value,
    /// Their priority.
    pub priority: Priority,
    /// How often each may be tried.
    pub max_attempts: u32,
    /// How long to wait between attempts.
    pub backoff: Backoff,
    /// Their time to live, in milliseconds.
    pub ttl_ms: u64,
    /// A job is made only while none of this schedule is live.
    pub no_overlap: bool,
}

impl ScheduleSpec {
    /// The job that schedule `id` makes for the time `due`: the same, with the same id, whoever makes it.
    pub fn job(&self, id: ScheduleId, user: Option<UserId>, due: Timestamp, now: Timestamp) -> NewJob {
        let digest = Sha256::of(format!("{id} {}", due.millis()).as_bytes());
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&digest.0[..12]);
        NewJob {
            priority: self.priority,
            user,
            max_attempts: self.max_attempts,
            backoff: self.backoff,
            ttl_ms: self.ttl_ms,
            unique_key: self.no_overlap.then(|| format!("{}{id}", types::SCHEDULE_KEY)),
            ..NewJob::new(JobId::from_bytes(bytes), self.kind.clone(), self.data.clone(), now)
        }
    }
}

/// A schedule as the store knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// What it makes.
    pub spec: ScheduleSpec,
    /// It makes nothing.
    pub paused: bool,
    /// When it fires next; none if never again, or while it is paused.
    pub next_at: Option<Timestamp>,
    /// The last time that it made a job for.
    pub last_at: Option<Timestamp>,
    /// Who made it.
    pub user: Option<UserId>,
    /// When.
    pub created_at: Timestamp,
    /// Counts the changes, from 1. Firing is one too.
    pub revision: u64,
}

/// Where a schedule stands among all of them: by when it was made, then by id.
pub type SchedulePlace = (Timestamp, ScheduleId);

/// A page of a list of schedules.
#[derive(Debug, Clone, PartialEq)]
pub struct SchedulePage {
    /// The schedules.
    pub items: Vec<Schedule>,
    /// Others come after them.
    pub more: bool,
}

impl Schedule {
    /// Its place in lists.
    pub fn place(&self) -> SchedulePlace {
        (self.created_at, self.id)
    }
}

/// A schedule that stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ChangeScheduleError {
    /// There is none.
    #[error("there is no such schedule")]
    NotFound,
    /// It has been changed, or has fired, since it was read.
    #[error("the schedule was changed meanwhile")]
    Changed,
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Schedules. Durable when they return.
#[async_trait]
pub trait ScheduleStore: Send + Sync {
    /// Keeps a new one. Safe to repeat: a known id changes nothing.
    async fn create_schedule(&self, schedule: &Schedule) -> PortResult<()>;

    /// Those after this place, oldest first: up to `limit`, and no more than have [`JobPage::MOST_BYTES`](super::JobPage::MOST_BYTES) in all, but for the first
    /// one. They are few, at most [`MAX_SCHEDULES`]; their data may be long.
    async fn list_schedules(&self, after: Option<SchedulePlace>, limit: u32) -> PortResult<SchedulePage>;

    /// How many there are.
    async fn count_schedules(&self) -> PortResult<u64>;

    /// The one with this id.
    async fn find_schedule(&self, id: ScheduleId) -> PortResult<Option<Schedule>>;

    /// Replaces the one with this id if it still has the revision of `schedule`; it has the next one then.
    ///
    /// # Errors
    /// `NotFound`, `Changed`.
    async fn update_schedule(&self, schedule: &Schedule) -> Result<(), ChangeScheduleError>;

    /// Removes it; whether it was there.
    async fn delete_schedule(&self, id: ScheduleId) -> PortResult<bool>;

    /// Up to `limit` that are due, the longest due first.
    async fn due_schedules(&self, limit: u32, now: Timestamp) -> PortResult<Vec<Schedule>>;

    /// When the next one is due.
    async fn next_schedule(&self) -> PortResult<Option<Timestamp>>;

    /// Fires: inserts the jobs (as [`super::JobStore::insert`], ids derived from schedule and time so that a repetition changes nothing), each with the time that
    /// it is for, and moves `next_at` forward. `last_at` becomes the time of the last of these jobs that exists, if one does: a job whose unique key a live job
    /// has does not. Of any number of callers with one revision the jobs exist once.
    ///
    /// # Errors
    /// `NotFound`, `Changed`: then no job was made by this call that the other did not make.
    async fn fire_schedule(
        &self,
        schedule: &Schedule,
        jobs: &[(Timestamp, NewJob)],
        next_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), ChangeScheduleError>;
}

/// Most schedules of an installation.
pub const MAX_SCHEDULES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_a_schedule_is_one_job() {
        let spec = ScheduleSpec {
            name: "nightly".into(),
            cron: "0 3 * * *".into(),
            time_zone: "UTC".into(),
            catch_up: CatchUp::Skip,
            kind: "report".into(),
            data: Value::Null,
            priority: Priority::LOW,
            max_attempts: 2,
            backoff: Backoff::None,
            ttl_ms: 1000,
            no_overlap: true,
        };
        let (one, other) = (ScheduleId::from_bytes([1; 12]), ScheduleId::from_bytes([2; 12]));
        let job = |id, due, now| spec.job(id, None, Timestamp::from_millis(due), Timestamp::from_millis(now));
        assert_eq!(job(one, 5, 6).id, job(one, 5, 7).id);
        assert_ne!(job(one, 5, 6).id, job(one, 6, 6).id);
        assert_ne!(job(one, 5, 6).id, job(other, 5, 6).id);
        assert_eq!(job(one, 5, 6).unique_key.as_deref(), Some("schedule:010101010101010101010101"));
        job(one, 5, 6).check().unwrap();
    }
}
