use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use common::auth::{RateDecision, RateLimiter, RateRule};
use common::{PortResult, Sha256};
use redis::Script;

use crate::RedisLink;

/// The generic cell rate algorithm. Its one time for each key, at which the bucket will be full again, is the moment at which the key expires: so the
/// server's clock alone counts, and there is nothing to clean up.
///
/// `ARGV`: what one attempt costs, how much may be owed at most (both in milliseconds), whether it counts. Returns whether it passes, and what is left of
/// the room or how much is missing.
static ATTEMPT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local owed = redis.call('PTTL', KEYS[1])
if owed < 0 then owed = 0 end
local after = owed + tonumber(ARGV[1])
local room = tonumber(ARGV[2]) - after
if room < 0 then return {0, -room} end
if ARGV[3] == '1' then redis.call('SET', KEYS[1], '', 'PX', after) end
return {1, room}
",
    )
});

/// A [`RateLimiter`] that processes share.
pub struct RedisLimiter {
    link: Arc<RedisLink>,
}

impl RedisLimiter {
    /// A limiter over this link.
    pub fn new(link: Arc<RedisLink>) -> Self {
        Self { link }
    }

    /// Keys may be of any length, and name people: only a hash of them is sent.
    fn key(&self, rule: RateRule, key: &str) -> String {
        let digest = Sha256::of(key.as_bytes()).to_string();
        self.link.key("rate", &format!("{}:{}", rule.name, &digest[..32]))
    }

    async fn attempt(&self, rule: RateRule, key: &str, counts: bool) -> PortResult<RateDecision> {
        let cost = u64::try_from(rule.refill.as_millis()).unwrap_or(u64::MAX).max(1);
        let depth = cost.saturating_mul(u64::from(rule.burst));
        let mut attempt = ATTEMPT.key(self.key(rule, key));
        attempt.arg(cost).arg(depth).arg(u8::from(counts));
        let (passes, millis) =
            self.link.run(async |connection| attempt.invoke_async::<(bool, u64)>(connection).await).await?;
        Ok(if passes {
            RateDecision::Allowed { remaining: u32::try_from(millis / cost).unwrap_or(u32::MAX) }
        } else {
            RateDecision::Limited { retry_after: Duration::from_millis(millis) }
        })
    }
}

#[async_trait]
impl RateLimiter for RedisLimiter {
    async fn hit(&self, rule: RateRule, key: &str) -> PortResult<RateDecision> {
        self.attempt(rule, key, true).await
    }

    async fn peek(&self, rule: RateRule, key: &str) -> PortResult<RateDecision> {
        self.attempt(rule, key, false).await
    }

    async fn reset(&self, rule: RateRule, key: &str) -> PortResult<()> {
        let key = self.key(rule, key);
        self.link.run(async |connection| redis::cmd("DEL").arg(key).query_async::<()>(connection).await).await
    }
}
