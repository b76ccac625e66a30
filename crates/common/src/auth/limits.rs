use std::time::Duration;

use async_trait::async_trait;

use crate::error::PortResult;

/// How often something may happen: `burst` times at once, then one more each `refill` (a token bucket, by GCRA).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateRule {
    /// Stable name for metrics and keys, such as `login_account`.
    pub name: &'static str,
    /// How many pass at once.
    pub burst: u32,
    /// After how long one more passes.
    pub refill: Duration,
}

/// Whether one more attempt passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateDecision {
    /// It passes; so many more would pass right now.
    Allowed {
        /// Attempts left at once.
        remaining: u32,
    },
    /// It does not.
    Limited {
        /// When the next one passes.
        retry_after: Duration,
    },
}

/// Counts attempts by key. What it holds may be lost at any time: then counting starts over.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts one attempt of `key` under `rule` and says whether it passes. An attempt that does not pass is not counted.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`]; callers then limit by themselves rather than let everything pass.
    async fn hit(&self, rule: RateRule, key: &str) -> PortResult<RateDecision>;

    /// Says what [`RateLimiter::hit`] would say, without counting.
    ///
    /// # Errors
    /// As `hit`.
    async fn peek(&self, rule: RateRule, key: &str) -> PortResult<RateDecision>;

    /// Forgets the attempts of `key` under `rule`, as after a success.
    ///
    /// # Errors
    /// As `hit`.
    async fn reset(&self, rule: RateRule, key: &str) -> PortResult<()>;
}
