//! What every [`RateLimiter`] promises.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use common::auth::{RateDecision, RateLimiter, RateRule};
use futures_util::future::join_all;

const RULE: RateRule = RateRule { name: "suite", burst: 3, refill: Duration::from_secs(60) };
const OTHER: RateRule = RateRule { name: "suite_other", burst: 1, refill: Duration::from_secs(60) };

/// A fresh limiter and its time.
pub struct LimiterSubject {
    /// The limiter.
    pub limiter: Arc<dyn RateLimiter>,
    /// Lets this much time pass for the limiter.
    pub pass: Box<dyn Fn(Duration) + Send + Sync>,
    _keep: Box<dyn Any + Send + Sync>,
}

impl LimiterSubject {
    /// A subject over an empty limiter; `keep` lives as long as it does.
    pub fn new(
        limiter: Arc<dyn RateLimiter>,
        pass: impl Fn(Duration) + Send + Sync + 'static,
        keep: impl Any + Send + Sync,
    ) -> Self {
        Self { limiter, pass: Box::new(pass), _keep: Box::new(keep) }
    }

    async fn passes(&self, rule: RateRule, key: &str) -> bool {
        matches!(self.limiter.hit(rule, key).await.unwrap(), RateDecision::Allowed { .. })
    }

    async fn exhaust(&self, rule: RateRule, key: &str) {
        while self.passes(rule, key).await {}
    }
}

/// The burst passes, counted down; then nothing does, and the answer says how long.
pub async fn a_burst_passes_and_no_more(subject: &LimiterSubject) {
    for left in (0..RULE.burst).rev() {
        assert_eq!(subject.limiter.hit(RULE, "a").await.unwrap(), RateDecision::Allowed { remaining: left });
    }
    for _ in 0..5 {
        // what does not pass is not counted, so the wait does not grow
        let RateDecision::Limited { retry_after } = subject.limiter.hit(RULE, "a").await.unwrap() else {
            panic!("more than the burst passed");
        };
        assert!(!retry_after.is_zero() && retry_after <= RULE.refill, "{retry_after:?}");
    }
}

/// Keys and rules are counted apart, whatever characters keys have.
pub async fn keys_and_rules_are_apart(subject: &LimiterSubject) {
    subject.exhaust(RULE, "a").await;
    for key in ["b", "A", "", "a ", "a:b", "ä", "*"] {
        assert!(subject.passes(RULE, key).await, "{key}");
    }
    assert!(subject.passes(OTHER, "a").await);
    assert!(!subject.passes(OTHER, "a").await);
}

/// Looking counts nothing.
pub async fn a_peek_counts_nothing(subject: &LimiterSubject) {
    for _ in 0..5 {
        let seen = subject.limiter.peek(RULE, "a").await.unwrap();
        assert_eq!(seen, RateDecision::Allowed { remaining: RULE.burst - 1 });
    }
    subject.exhaust(RULE, "a").await;
    assert!(matches!(subject.limiter.peek(RULE, "a").await.unwrap(), RateDecision::Limited { .. }));
}

/// A reset gives the whole burst again, and may be repeated.
pub async fn a_reset_forgets(subject: &LimiterSubject) {
    subject.limiter.reset(RULE, "a").await.unwrap();
    subject.exhaust(RULE, "a").await;
    subject.exhaust(RULE, "b").await;
    subject.limiter.reset(RULE, "a").await.unwrap();
    assert!(!subject.passes(RULE, "b").await);
    let hit = subject.limiter.hit(RULE, "a").await.unwrap();
    assert_eq!(hit, RateDecision::Allowed { remaining: RULE.burst - 1 });
}

/// Of many at once exactly the burst passes.
pub async fn many_at_once_are_counted_exactly(subject: &LimiterSubject) {
    let rule = RateRule { burst: 20, ..RULE };
    let passed = join_all((0..100).map(|_| subject.passes(rule, "a"))).await;
    assert_eq!(passed.into_iter().filter(|passed| *passed).count(), 20);
}

/// One more passes after each refill, and after a long time the burst, not more.
pub async fn one_more_passes_after_each_refill(subject: &LimiterSubject) {
    subject.exhaust(RULE, "a").await;
    for _ in 0..3 {
        (subject.pass)(RULE.refill + Duration::from_millis(50));
        assert!(subject.passes(RULE, "a").await);
        assert!(!subject.passes(RULE, "a").await);
    }
    (subject.pass)(RULE.refill * 100);
    for _ in 0..RULE.burst {
        assert!(subject.passes(RULE, "a").await);
    }
    assert!(!subject.passes(RULE, "a").await);
}

/// Waiting as long as the answer says is enough, and a good deal less is not.
pub async fn the_wait_is_as_long_as_it_says(subject: &LimiterSubject) {
    subject.exhaust(RULE, "a").await;
    (subject.pass)(Duration::from_secs(20));
    let RateDecision::Limited { retry_after } = subject.limiter.hit(RULE, "a").await.unwrap() else {
        panic!("a third of the refill is not enough");
    };
    assert!(retry_after <= Duration::from_secs(41), "{retry_after:?}");
    (subject.pass)(retry_after / 2);
    assert!(!subject.passes(RULE, "a").await);
    (subject.pass)(retry_after / 2 + Duration::from_millis(50));
    assert!(subject.passes(RULE, "a").await);
}

/// Makes tests of an async function that returns a fresh [`LimiterSubject`].
#[macro_export]
macro_rules! rate_limiter_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            rate_limiter,
            [
                a_burst_passes_and_no_more,
                keys_and_rules_are_apart,
                a_peek_counts_nothing,
                a_reset_forgets,
                many_at_once_are_counted_exactly,
                one_more_passes_after_each_refill,
                the_wait_is_as_long_as_it_says,
            ]
        );
    };
}
