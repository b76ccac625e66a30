use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use common::auth::{RateDecision, RateLimiter, RateRule};
use common::{Clock, PortResult, Timestamp};

/// Most keys; some 100 bytes each. When it is full, those that are back at their full burst go, and if none is, the one that is nearest to it.
const CAPACITY: usize = 50_000;

/// A [`RateLimiter`] in memory, by the generic cell rate algorithm: one time for each key, at which its bucket will be full again.
pub struct MemoryRateLimiter {
    clock: Arc<dyn Clock>,
    full_again: Mutex<HashMap<(&'static str, String), Timestamp>>,
}

impl MemoryRateLimiter {
    /// An empty one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, full_again: Mutex::new(HashMap::new()) }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<(&'static str, String), Timestamp>> {
        // the map holds no invariant that a panic could break
        self.full_again.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one more attempt at `now` would get, and when the bucket would be full again after it.
fn decide(rule: RateRule, full_again: Option<Timestamp>, now: Timestamp) -> (RateDecision, Timestamp) {
    let depth = rule.refill * rule.burst;
    let start = full_again.map_or(now, |at| at.max(now));
    let after = start + rule.refill;
    let used = after.since(now);
    if used > depth {
        return (RateDecision::Limited { retry_after: used - depth }, start);
    }
    let left = (depth - used).as_nanos() / rule.refill.as_nanos().max(1);
    (RateDecision::Allowed { remaining: u32::try_from(left).unwrap_or(u32::MAX) }, after)
}

#[async_trait]
impl RateLimiter for MemoryRateLimiter {
    async fn hit(&self, rule: RateRule, key: &str) -> PortResult<RateDecision> {
        let now = self.clock.now();
        let mut map = self.locked();
        let entry = (rule.name, key.to_owned());
        let (decision, after) = decide(rule, map.get(&entry).copied(), now);
        if !map.contains_key(&entry) && map.len() >= CAPACITY {
            map.retain(|_, full| now < *full);
            if map.len() >= CAPACITY {
                let nearest = map.iter().min_by_key(|(_, full)| **full).map(|(key, _)| key.clone());
                nearest.and_then(|key| map.remove(&key));
            }
        }
        map.insert(entry, after);
        Ok(decision)
    }

    async fn peek(&self, rule: RateRule, key: &str) -> PortResult<RateDecision> {
        let full_again = self.locked().get(&(rule.name, key.to_owned())).copied();
        Ok(decide(rule, full_again, self.clock.now()).0)
    }

    async fn reset(&self, rule: RateRule, key: &str) -> PortResult<()> {
        self.locked().remove(&(rule.name, key.to_owned()));
        Ok(())
    }
}
