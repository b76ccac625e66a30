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
}

/// What caused a job: whoever makes one says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause {
    /// The request.
    pub request_id: Option<String>,
    /// The step of a trace.
    pub trace: Option<TraceContext>,
}

impl NewJob {
    /// The job, with its cause.
    #[must_use]
    pub fn caused_by(self, cause: &Cause) -> Self {
        Self { request_id: cause.request_id.clone(), trace: cause.trace, ..self }
    }
}

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
        let job = NewJob {
            id: JobId::from_bytes([1; 12]),
            kind: "thumbnails".into(),
            data: serde_json::json!({"fileId": "x"}),
            priority: Priority::HIGH,
            user: Some(UserId::from_bytes([2; 12])),
            max_attempts: 3,
            backoff: Backoff::Exponential { delay_ms: 10, max_delay_ms: 20 },
            ttl_ms: 1000,
            run_at: None,
            created_at: Timestamp::from_millis(1234),
            request_id: None,
            trace: None,
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
}
