//! The adapters in memory keep the contracts of their ports.

use std::sync::Arc;
use std::time::Duration;

use testkit::TestClock;

/// A clock, and the function that moves it.
fn clock() -> (Arc<TestClock>, impl Fn(Duration) + Send + Sync + 'static) {
    let clock = Arc::new(TestClock::default());
    let moved = Arc::clone(&clock);
    (clock, move |span| moved.advance(span))
}

mod credential_cache {
    use super::*;
    use runtime::memory::MemoryCredentialCache;
    use testkit::credential_cache::CacheSubject;

    async fn subject() -> CacheSubject {
        let (clock, pass) = clock();
        CacheSubject::new(Arc::new(MemoryCredentialCache::new(clock)), pass, ())
    }

    testkit::credential_cache_suite!(subject);
}

mod rate_limiter {
    use super::*;
    use runtime::memory::MemoryRateLimiter;
    use testkit::rate_limiter::LimiterSubject;

    async fn subject() -> LimiterSubject {
        let (clock, pass) = clock();
        LimiterSubject::new(Arc::new(MemoryRateLimiter::new(clock)), pass, ())
    }

    testkit::rate_limiter_suite!(subject);
}

mod job_bus {
    use super::*;
    use runtime::memory::EmbeddedBus;
    use testkit::job_bus::BusSubject;

    async fn subject() -> BusSubject {
        BusSubject::new(Arc::new(EmbeddedBus::default()), ())
    }

    testkit::job_bus_suite!(subject);
}
