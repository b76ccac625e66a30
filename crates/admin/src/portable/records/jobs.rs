use std::time::Duration;

use common::jobs::{Attempt, Job, JobState, JobType, NewJob, Schedule, ScheduleSpec, TypeLimit};
use common::notifications::{NewNotification, Notification};
use common::portable::PortableJob;
use common::{ScheduleId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Strange;

record!(
    /// A schedule.
    ScheduleRecord {
        id: ScheduleId,
        spec: ScheduleSpec,
        paused: bool,
        next_at: Option<Timestamp>,
        last_at: Option<Timestamp>,
        user: Option<UserId>,
        created_at: Timestamp,
        revision: u64,
    }
);

impl ScheduleRecord {
    pub(in crate::portable) fn of(schedule: Schedule) -> Self {
        Self {
            id: schedule.id,
            spec: schedule.spec,
            paused: schedule.paused,
            next_at: schedule.next_at,
            last_at: schedule.last_at,
            user: schedule.user,
            created_at: schedule.created_at,
            revision: schedule.revision,
        }
    }

    pub(in crate::portable) fn read(self) -> Schedule {
        Schedule {
            id: self.id,
            spec: self.spec,
            paused: self.paused,
            next_at: self.next_at,
            last_at: self.last_at,
            user: self.user,
            created_at: self.created_at,
            revision: self.revision,
        }
    }
}

record!(
    /// A notification.
    NotificationRecord {
        news: NewNotification,
        created_at: Timestamp,
        read_at: Option<Timestamp>,
    }
);

impl NotificationRecord {
    pub(in crate::portable) fn of(kept: Notification) -> Self {
        Self { news: kept.news, created_at: kept.created_at, read_at: kept.read_at }
    }

    pub(in crate::portable) fn read(self) -> Result<Notification, Strange> {
        Ok(Notification { news: self.news, created_at: self.created_at, read_at: self.read_at })
    }
}

record!(
    /// A line of the log of a job.
    LogRecord {
        at: Timestamp,
        line: String,
    }
);

record!(
    /// A job that is yet to be done. Its place among these is its order.
    JobRecord {
        spec: NewJob,
        state: JobState,
        progress: u8,
        progress_data: Option<Value>,
        result: Option<Value>,
        error: Option<String>,
        attempts_made: u32,
        failures: Vec<Attempt>,
        inserted_at: Timestamp,
        started_at: Option<Timestamp>,
        updated_at: Timestamp,
        due_at: Option<Timestamp>,
        log: Vec<LogRecord>,
    }
);

impl JobRecord {
    pub(in crate::portable) fn of(PortableJob { job, log }: PortableJob) -> Self {
        Self {
            spec: job.spec,
            state: job.state,
            progress: job.progress,
            progress_data: job.progress_data,
            result: job.result,
            error: job.error,
            attempts_made: job.attempts_made,
            failures: job.failures,
            inserted_at: job.inserted_at,
            started_at: job.started_at,
            updated_at: job.updated_at,
            due_at: job.due_at,
            log: log.into_iter().map(|(at, line)| LogRecord { at, line }).collect(),
        }
    }

    pub(in crate::portable) fn read(self) -> Result<PortableJob, Strange> {
        match (self.state, self.due_at) {
            (JobState::Inactive, None) | (JobState::Delayed, Some(_)) => {}
            _ => return Err("a job that is neither ready nor delayed"),
        }
        let job = Job {
            spec: self.spec,
            number: 0,
            state: self.state,
            progress: self.progress,
            progress_data: self.progress_data,
            result: self.result,
            error: self.error,
            attempts_made: self.attempts_made,
            failures: self.failures,
            inserted_at: self.inserted_at,
            started_at: self.started_at,
            updated_at: self.updated_at,
            due_at: self.due_at,
            finished_at: None,
            worker: None,
        };
        Ok(PortableJob { job, log: self.log.into_iter().map(|line| (line.at, line.line)).collect() })
    }
}

record!(
    /// How many jobs of a type may begin.
    LimitRecord {
        max: u32,
        per_ms: u64,
    }
);

record!(
    /// What a type of jobs was told; without a name, what all of them were.
    TypeRecord {
        name: Option<String>,
        paused: bool,
        limit: Option<LimitRecord>,
    }
);

impl TypeRecord {
    pub(in crate::portable) const ALL_PAUSED: Self = Self { name: None, paused: true, limit: None };

    /// None of a type that was told nothing.
    pub(in crate::portable) fn of(told: JobType) -> Option<Self> {
        let limit = told.limit.map(|limit| LimitRecord {
            max: limit.max,
            per_ms: u64::try_from(limit.per.as_millis()).unwrap_or(u64::MAX),
        });
        (told.paused || limit.is_some()).then_some(Self { name: Some(told.kind), paused: told.paused, limit })
    }

    pub(in crate::portable) fn read(self) -> (Option<String>, bool, Option<TypeLimit>) {
        let limit =
            self.limit.map(|limit| TypeLimit { max: limit.max, per: Duration::from_millis(limit.per_ms) });
        (self.name, self.paused, limit)
    }
}
