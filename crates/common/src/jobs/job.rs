use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{JobId, Timestamp, TraceContext, UserId};

/// How urgent a job is: lower is sooner. Kue's names: low 10, normal 0, medium -5, high -10, critical -15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priority(pub i32);

impl Priority {
    /// 10
    pub const LOW: Self = Self(10);
    /// 0
    pub const NORMAL: Self = Self(0);
    /// -5
    pub const MEDIUM: Self = Self(-5);
    /// -10
    pub const HIGH: Self = Self(-10);
    /// -15
    pub const CRITICAL: Self = Self(-15);
}

/// How long to wait before the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Backoff {
    /// At once.
    None,
    /// Always the same time.
    Fixed {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// Twice as long each time.
    Exponential {
        /// Milliseconds before the second attempt.
        delay_ms: u64,
        /// At most so many milliseconds.
        max_delay_ms: u64,
    },
}

impl Backoff {
    /// How long to wait after the attempt number `made` (from 1) failed. `jitter` in 0..1 takes away up to a fifth, so that jobs
    /// which failed together do not come back together.
    pub fn delay(self, made: u32, jitter: f64) -> Duration {
        let whole = match self {
            Self::None => return Duration::ZERO,
            Self::Fixed { delay_ms } => delay_ms,
            Self::Exponential { delay_ms, max_delay_ms } => {
                let doublings = made.saturating_sub(1).min(62);
                delay_ms.saturating_mul(1_u64 << doublings).min(max_delay_ms)
            }
        };
        Duration::from_millis(whole).mul_f64(1.0 - 0.2 * jitter.clamp(0.0, 1.0))
    }
}

/// Where a job is in its life. `failed` is the dead-letter state: all attempts are used up, or the failure is permanent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Ready to be claimed.
    Inactive,
    /// Claimed, with a lease.
    Active,
    /// Done.
    Complete,
    /// Given up.
    Failed,
    /// Waiting for its time: a delay or a backoff.
    Delayed,
    /// Called off.
    Cancelled,
}

impl JobState {
    /// All states, in the order of Kue's dashboard.
    pub const ALL: [Self; 6] =
        [Self::Inactive, Self::Active, Self::Complete, Self::Failed, Self::Delayed, Self::Cancelled];

    /// The word in stores and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Active => "active",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it may still be worked.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Inactive | Self::Active | Self::Delayed)
    }

    /// Reads [`JobState::word`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// A job as its producer makes it: whole, with its id. What the outbox keeps and `job.submit` carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewJob {
    /// Its id, minted by the producer: a second delivery changes nothing.
    pub id: JobId,
    /// What handles it, such as `thumbnails`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is about.
    pub data: Value,
    /// How urgent it is.
    #[serde(default)]
    pub priority: Priority,
    /// Whose it is, if anybody's.
    #[serde(default)]
    pub user: Option<UserId>,
    /// How often it may be tried, from 1.
    pub max_attempts: u32,
    /// How long to wait between attempts.
    pub backoff: Backoff,
    /// Longest time that one attempt may be active, in milliseconds.
    pub ttl_ms: u64,
    /// Not before this time.
    #[serde(default)]
    pub run_at: Option<Timestamp>,
    /// When its producer made it.
    pub created_at: Timestamp,
    /// The request that caused it.
    #[serde(default)]
    pub request_id: Option<String>,
    /// The step of a trace that caused it. Messages from before there were traces have none.
    #[serde(
        default,
        deserialize_with = "crate::trace::if_readable",
        skip_serializing_if = "Option::is_none"
    )]
    pub trace: Option<TraceContext>,
    /// No two live jobs (`inactive`, `active`, `delayed`) have the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// It is removed when it is complete.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remove_on_complete: bool,
}

/// What caused a job: whoever makes one says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause {
    /// The request.
    pub request_id: Option<String>,
    /// The step of a trace.
    pub trace: Option<TraceContext>,
}

/// What a job must not be, so that stores can keep it and people can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJob {
    /// See [`NewJob::MAX_TYPE_BYTES`].
    #[error("the type has 1 to 100 bytes, and no control characters")]
    Type,
    /// See [`NewJob::MAX_DATA_BYTES`].
    #[error("the data have at most 256 KiB as JSON")]
    Data,
    /// See [`NewJob::MAX_KEY_BYTES`].
    #[error("the unique key has 1 to 200 bytes")]
    Key,
    /// See [`NewJob::MAX_ATTEMPTS`].
    #[error("a job may be tried 1 to 1000 times")]
    Attempts,
    /// See [`NewJob::MAX_MS`].
    #[error("times to live, delays and pauses are at most ten years, and the time to live is at least 1 ms")]
    Time,
}

impl NewJob {
    /// Longest type, in bytes.
    pub const MAX_TYPE_BYTES: usize = 100;
    /// Most data, as bytes of JSON; as many for a result, and for the data of a progress.
    pub const MAX_DATA_BYTES: usize = 256 * 1024;
    /// Longest unique key, in bytes.
    pub const MAX_KEY_BYTES: usize = 200;
    /// Most attempts.
    pub const MAX_ATTEMPTS: u32 = 1000;
    /// Longest time to live, delay or pause, in milliseconds: ten years.
    pub const MAX_MS: u64 = 10 * 366 * 86_400_000;
    /// Time to live of a job whose producer names none: an hour.
    pub const USUAL_TTL_MS: u64 = 3_600_000;

    /// A job of nobody that is ready at once and tried once.
    pub fn new(id: JobId, kind: impl Into<String>, data: Value, created_at: Timestamp) -> Self {
        Self {
            id,
            kind: kind.into(),
            data,
            priority: Priority::NORMAL,
            user: None,
            max_attempts: 1,
            backoff: Backoff::None,
            ttl_ms: Self::USUAL_TTL_MS,
            run_at: None,
            created_at,
            request_id: None,
            trace: None,
            unique_key: None,
            remove_on_complete: false,
        }
    }

    /// Whether a store takes it.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), InvalidJob> {
        let is_type = |kind: &str| {
            (1..=Self::MAX_TYPE_BYTES).contains(&kind.len()) && !kind.chars().any(char::is_control)
        };
        let pauses = match self.backoff {
            Backoff::None => 0,
            Backoff::Fixed { delay_ms } => delay_ms,
            Backoff::Exponential { delay_ms, max_delay_ms } => delay_ms.max(max_delay_ms),
        };
        let delay = self.run_at.map_or(0, |at| at.millis().saturating_sub(self.created_at.millis()));
        if !is_type(&self.kind) {
            Err(InvalidJob::Type)
        } else if self.data.to_string().len() > Self::MAX_DATA_BYTES {
            Err(InvalidJob::Data)
        } else if self.unique_key.as_ref().is_some_and(|key| !(1..=Self::MAX_KEY_BYTES).contains(&key.len()))
        {
            Err(InvalidJob::Key)
        } else if !(1..=Self::MAX_ATTEMPTS).contains(&self.max_attempts) {
            Err(InvalidJob::Attempts)
        } else if !(1..=Self::MAX_MS).contains(&self.ttl_ms)
            || pauses > Self::MAX_MS
            || u64::try_from(delay).is_ok_and(|delay| delay > Self::MAX_MS)
        {
            Err(InvalidJob::Time)
        } else {
            Ok(())
        }
    }

    /// The job, with its cause.
    #[must_use]
    pub fn caused_by(self, cause: &Cause) -> Self {
        Self { request_id: cause.request_id.clone(), trace: cause.trace, ..self }
    }
}

/// Failures of a job that are kept: of more, the latest. Each is up to 16 KiB, and a document of MongoDB 16 MiB.
pub const MOST_FAILURES: usize = 50;

/// One attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When it ended.
    pub at: Timestamp,
    /// Why it failed.
    pub error: String,
}

/// A job as the store knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// What its producer said.
    pub spec: NewJob,
    /// Arrival, as the store numbered it: the order within a priority and a user.
    pub number: u64,
    /// Where it is in its life.
    pub state: JobState,
    /// 0 to 100.
    pub progress: u8,
    /// What a worker said with the last progress. It outlives the attempt, so that the next one can go on from there.
    pub progress_data: Option<Value>,
    /// What it gave.
    pub result: Option<Value>,
    /// Why the last attempt failed, if one did.
    pub error: Option<String>,
    /// Attempts begun.
    pub attempts_made: u32,
    /// Those that failed.
    pub failures: Vec<Attempt>,
    /// When the store got it.
    pub inserted_at: Timestamp,
    /// When the last attempt began.
    pub started_at: Option<Timestamp>,
    /// When anything last changed.
    pub updated_at: Timestamp,
    /// When it becomes ready, while it is `delayed`.
    pub due_at: Option<Timestamp>,
    /// When it reached a final state.
    pub finished_at: Option<Timestamp>,
    /// Who works it.
    pub worker: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_limit() {
        let backoff = Backoff::Exponential { delay_ms: 1000, max_delay_ms: 5000 };
        let delays: Vec<_> = (1..=5).map(|made| backoff.delay(made, 0.0).as_millis()).collect();
        assert_eq!(delays, [1000, 2000, 4000, 5000, 5000]);
        assert_eq!(backoff.delay(u32::MAX, 1.0).as_millis(), 4000);
        assert_eq!(Backoff::None.delay(3, 0.5), Duration::ZERO);
    }

    #[test]
    fn a_new_job_survives_the_bus() {
        let created_at = Timestamp::from_millis(1234);
        let data = serde_json::json!({"fileId": "x"});
        let job = NewJob {
            priority: Priority::HIGH,
            user: Some(UserId::from_bytes([2; 12])),
            max_attempts: 3,
            backoff: Backoff::Exponential { delay_ms: 10, max_delay_ms: 20 },
            unique_key: Some("k".into()),
            ..NewJob::new(JobId::from_bytes([1; 12]), "thumbnails", data, created_at)
        };
        let text = serde_json::to_string(&job).unwrap();
        assert!(text.contains(r#""backoff":{"kind":"exponential","delayMs":10,"maxDelayMs":20}"#), "{text}");
        assert_eq!(serde_json::from_str::<NewJob>(&text).unwrap(), job);
        assert!(!text.contains("trace"), "{text}");
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let traced = NewJob { trace: Some(trace.parse().unwrap()), ..job.clone() };
        let text = serde_json::to_string(&traced).unwrap();
        assert!(text.contains(&format!(r#""trace":"{trace}""#)), "{text}");
        assert_eq!(serde_json::from_str::<NewJob>(&text).unwrap(), traced);
        for unreadable in [r#""what comes later""#, "7", "null", r#"{"a":1}"#] {
            let text = text.replace(&format!("\"{trace}\""), unreadable);
            assert_eq!(serde_json::from_str::<NewJob>(&text).unwrap(), job, "{text}");
        }
        let newer = text.replacen('{', r#"{"fieldOfALaterVersion":1,"#, 1);
        assert_eq!(serde_json::from_str::<NewJob>(&newer).unwrap(), traced);
    }

    #[test]
    fn what_no_store_takes_is_named() {
        let good = || {
            NewJob::new(
                JobId::from_bytes([1; 12]),
                "video conversion",
                Value::Null,
                Timestamp::from_millis(0),
            )
        };
        good().check().unwrap();
        for (wrong, job) in [
            (InvalidJob::Type, NewJob { kind: String::new(), ..good() }),
            (InvalidJob::Type, NewJob { kind: "a\nb".into(), ..good() }),
            (InvalidJob::Type, NewJob { kind: "x".repeat(101), ..good() }),
            (InvalidJob::Data, NewJob { data: Value::String("x".repeat(NewJob::MAX_DATA_BYTES)), ..good() }),
            (InvalidJob::Key, NewJob { unique_key: Some(String::new()), ..good() }),
            (InvalidJob::Attempts, NewJob { max_attempts: 0, ..good() }),
            (InvalidJob::Time, NewJob { ttl_ms: 0, ..good() }),
            (InvalidJob::Time, NewJob { backoff: Backoff::Fixed { delay_ms: u64::MAX }, ..good() }),
            (InvalidJob::Time, NewJob { run_at: Some(Timestamp::from_millis(i64::MAX)), ..good() }),
        ] {
            assert_eq!(job.check(), Err(wrong));
        }
    }
}
