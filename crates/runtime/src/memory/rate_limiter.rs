use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use common::auth::{RateDecision, RateLimiter, RateRule};
use common::{Clock, PortResult, Timestamp};

/// Most keys; some 100 bytes each. When it is full, those that are back at their full burst go, and if that frees little, the eighth that is nearest to it:
/// many at once, so that a flood of new keys does not cost a look at all of them each.
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

fn make_room(map: &mut HashMap<(&'static str, String), Timestamp>, now: Timestamp) {
    map.retain(|_, full| now < *full);
    let most = CAPACITY - CAPACITY / 8;
    if map.len() > most {
        let mut times: Vec<_> = map.values().copied().collect();
        let excess = map.len() - most;
        let (_, last_to_go, _) = times.select_nth_unstable(excess - 1);
        let last_to_go = *last_to_go;
        // equal times are told apart by the count
        let mut left = excess;
        map.retain(|_, full| {
            let goes = left > 0 && *full <= last_to_go;
            left -= usize::from(goes);
            !goes
        });
    }
}

#[async_trait]
impl RateLimiter for MemoryRateLimiter {
    async fn hit(&self, rule: RateRule, key: &str) -> PortResult<RateDecision> {
        let now = self.clock.now();
        let mut map = self.locked();
        let entry = (rule.name, key.to_owned());
        let (decision, after) = decide(rule, map.get(&entry).copied(), now);
        if !map.contains_key(&entry) && map.len() >= CAPACITY {
            make_room(&mut map, now);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use testkit::TestClock;

    #[tokio::test]
    async fn a_flood_of_keys_stays_bounded_and_spares_those_that_are_limited() {
        let rule = RateRule { name: "flood", burst: 10, refill: Duration::from_secs(60) };
        let limiter = MemoryRateLimiter::new(Arc::new(TestClock::default()));
        while matches!(limiter.hit(rule, "limited").await.unwrap(), RateDecision::Allowed { .. }) {}
        for key in 0..2 * CAPACITY {
            limiter.hit(rule, &key.to_string()).await.unwrap();
        }
        assert!(limiter.locked().len() <= CAPACITY);
        assert!(matches!(limiter.hit(rule, "limited").await.unwrap(), RateDecision::Limited { .. }));
    }
}
