//! What happens when Redis fails. Each test has a server of its own.

#![allow(clippy::unwrap_used, reason = "all of this is a test")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use cache_redis::{RedisCache, RedisLimiter, RedisLink, RedisSettings};
use common::allowance::{Allowance, scope};
use common::auth::{
    Cached, CredentialCache as _, RateDecision, RateLimiter as _, RateRule, Role, SessionKind, SessionState,
    UserState,
};
use common::{IdGen as _, PortError, PortResult, SessionId, Timestamp, UserId};
use testkit::TestIds;
use testkit::servers::Redis;
use testkit::wait::{self, soon};

use support::{link, settings};

const RULE: RateRule = RateRule { name: "test", burst: 2, refill: Duration::from_secs(3600) };

#[track_caller]
fn unavailable(error: &PortError) {
    wait::assert_unavailable("cache", error);
}

async fn eventually<T>(what: impl AsyncFn() -> PortResult<T>) -> T {
    wait::recovered("cache", what).await
}

/// Both adapters over a server, with the deadline of production.
struct Fixture {
    link: Arc<RedisLink>,
    cache: RedisCache,
    limiter: RedisLimiter,
    session: SessionId,
    user: UserId,
}

impl Fixture {
    fn new(settings: &RedisSettings) -> Self {
        let ids = TestIds::seeded(rand::random());
        let link = link(&RedisSettings {
            deadline: RedisSettings::new("").deadline,
            connect_deadline: Duration::from_secs(1),
            ..settings.clone()
        });
        Self {
            cache: RedisCache::new(Arc::clone(&link)),
            limiter: RedisLimiter::new(Arc::clone(&link)),
            link,
            session: ids.object_id().into(),
            user: ids.object_id().into(),
        }
    }

    async fn put(&self) -> PortResult<()> {
        let expires_at = Timestamp::MAX;
        let session = SessionState { user: self.user, kind: SessionKind::Token, expires_at };
        self.cache.put(self.session, self.user, (&session, &UserState { role: Role::User })).await
    }

    async fn everything_is_unavailable(&self) {
        unavailable(&soon(self.link.ping()).await.unwrap_err());
        unavailable(&soon(self.cache.get(self.session, self.user)).await.unwrap_err());
        unavailable(&soon(self.put()).await.unwrap_err());
        soon(self.cache.forget_session(self.session)).await.unwrap();
        soon(self.cache.forget_user(self.user)).await.unwrap();
        unavailable(&soon(self.limiter.hit(RULE, "a")).await.unwrap_err());
        unavailable(&soon(self.limiter.peek(RULE, "a")).await.unwrap_err());
        unavailable(&soon(self.limiter.reset(RULE, "a")).await.unwrap_err());
    }

    /// Waits until the link has come back by itself.
    async fn recovers(&self) {
        eventually(async || self.link.ping().await).await;
        eventually(async || self.cache.forget_session(self.session).await).await;
        let session = eventually(async || self.cache.get(self.session, self.user).await).await.session;
        assert_eq!(session, Cached::Tombstone);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_server_is_unavailable_and_comes_back() {
    let mut server = Redis::start().await.unwrap();
    let fixture = Fixture::new(&settings(&server.url()));
    fixture.recovers().await;
    eventually(async || fixture.put().await).await;
    while let RateDecision::Allowed { .. } = eventually(async || fixture.limiter.hit(RULE, "a").await).await {
    }
    for _ in 0..2 {
        server.0.kill();
        fixture.everything_is_unavailable().await;
        server.0.restart().await.unwrap();
        fixture.recovers().await;
    }
    // it came back with its data; the script, which it does not keep, was sent again
    let limited = eventually(async || fixture.limiter.hit(RULE, "a").await).await;
    assert!(matches!(limited, RateDecision::Limited { .. }));
}

/// What a process reads once it can, again and again until the tombstone is there; it never is what was known.
async fn never_known_again(reader: &Fixture, of: &Fixture) {
    eventually(async || {
        let cached = reader.cache.get(of.session, of.user).await?;
        assert!(!matches!(cached.session, Cached::Known(_)), "a session that was ended is known again");
        assert!(!matches!(cached.user, Cached::Known(_)), "an account that was changed is known again");
        match (cached.session, cached.user) {
            (Cached::Tombstone, Cached::Tombstone) => Ok(()),
            _ => Err(PortError::unavailable("cache", "the tombstones are not there yet")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_revoked_while_the_server_is_away_is_not_known_again() {
    let mut server = Redis::start().await.unwrap();
    let shared = settings(&server.url());
    let (revoker, reader) = (Fixture::new(&shared), Fixture::new(&shared));
    for is_frozen in [true, false] {
        let subject = Fixture::new(&shared);
        eventually(async || subject.put().await).await;
        if is_frozen {
            server.0.freeze()
        } else {
            server.0.kill()
        }
        unavailable(&soon(reader.cache.get(subject.session, subject.user)).await.unwrap_err());
        soon(revoker.cache.forget_session(subject.session)).await.unwrap();
        soon(revoker.cache.forget_user(subject.user)).await.unwrap();
        if is_frozen {
            server.0.thaw()
        } else {
            server.0.restart().await.unwrap()
        }
        never_known_again(&reader, &subject).await;
        never_known_again(&revoker, &subject).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_believed_again_after_a_loss() {
    let mut server = Redis::start().await.unwrap();
    let fixture = Fixture::new(&settings(&server.url()));
    eventually(async || fixture.put().await).await;
    server.0.kill();
    fixture.link.ping().await.unwrap_err();
    server.0.restart().await.unwrap();
    eventually(async || match fixture.cache.get(fixture.session, fixture.user).await?.session {
        Cached::Known(_) => Ok(()),
        _ => Err(PortError::unavailable("cache", "it is not believed yet")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_holds_nobody_up() {
    let server = Redis::start().await.unwrap();
    let fixture = Fixture::new(&settings(&server.url()));
    fixture.recovers().await;
    server.0.freeze();
    fixture.everything_is_unavailable().await;
    let many = (0..200).map(|_| fixture.cache.get(fixture.session, fixture.user));
    for outcome in soon(futures_util::future::join_all(many)).await {
        unavailable(&outcome.unwrap_err());
    }
    server.0.thaw();
    fixture.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_has_waited_enough_waits_no_longer_and_breaks_nothing() {
    let server = Redis::start().await.unwrap();
    let link = link(&RedisSettings { deadline: 10 * wait::PATIENCE, ..settings(&server.url()) });
    eventually(async || link.ping().await).await;
    let taken = connections(&server);
    server.0.freeze();
    scope(Some(Allowance::new(Duration::from_millis(300))), async {
        for _ in 0..2 {
            unavailable(&soon(link.ping()).await.unwrap_err());
        }
    })
    .await;
    server.0.thaw();
    soon(link.ping()).await.unwrap();
    // its own questions are those of one connection each
    assert_eq!(connections(&server), taken + 1, "the link has the connection that it had");
}

/// How many connections a server has taken since it began.
fn connections(server: &Redis) -> u64 {
    let mut stranger = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let stats: redis::InfoDict = redis::cmd("INFO").arg("stats").query(&mut stranger).unwrap();
    stats.get("total_connections_received").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_starts_later_is_found() {
    let mut server = Redis::start().await.unwrap();
    server.0.kill();
    let fixture = Fixture::new(&settings(&server.url()));
    fixture.everything_is_unavailable().await;
    server.0.restart().await.unwrap();
    fixture.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cuts_connections_costs_at_most_one_call_each() {
    let server = Redis::start().await.unwrap();
    let fixture = Fixture::new(&settings(&server.url()));
    for _ in 0..5 {
        fixture.recovers().await;
        let client = redis::Client::open(server.url()).unwrap();
        let mut stranger = client.get_connection().unwrap();
        redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec(&mut stranger).unwrap();
    }
    fixture.recovers().await;
}
