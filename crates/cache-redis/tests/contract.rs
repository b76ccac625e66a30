//! The adapters on a real Redis keep the contracts of their ports, and what they promise beyond them.

#![allow(clippy::unwrap_used, reason = "all of this is a test")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cache_redis::{RedisCache, RedisLimiter, RedisLink, RedisSettings};
use common::auth::{
    Cached, CredentialCache as _, RateDecision, RateLimiter as _, RateRule, Role, SessionKind, SessionState,
    UserState,
};
use common::{IdGen as _, SessionId, Timestamp, UserId};
use redis::{Commands as _, Connection};
use testkit::TestIds;
use testkit::credential_cache::CacheSubject;
use testkit::rate_limiter::LimiterSubject;
use testkit::servers::Redis;

use support::{link, settings};

const RULE: RateRule = RateRule { name: "test", burst: 2, refill: Duration::from_secs(60) };

struct Fixture {
    settings: RedisSettings,
    own: Option<Redis>,
}

impl Fixture {
    async fn new() -> Self {
        let (url, own) = Redis::shared().await.unwrap();
        Self { settings: settings(&url), own }
    }

    fn stranger(&self) -> Connection {
        redis::Client::open(self.settings.url.as_str()).unwrap().get_connection().unwrap()
    }

    fn keys(&self) -> BTreeSet<String> {
        let prefix = &self.settings.prefix;
        let keys: Vec<String> = self.stranger().keys(format!("{prefix}*")).unwrap();
        keys.into_iter().map(|key| key.strip_prefix(prefix).unwrap().to_owned()).collect()
    }

    fn link(&self) -> Arc<RedisLink> {
        link(&self.settings)
    }
}

/// Lets time pass on the server for all keys with this prefix: each lives that much shorter.
fn passing(fixture: &Fixture) -> impl Fn(Duration) + Send + Sync + 'static {
    let (url, pattern) = (fixture.settings.url.clone(), format!("{}*", fixture.settings.prefix));
    let shorten = redis::Script::new(
        r"
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local left = redis.call('PTTL', key)
  assert(left >= 0, 'a key that does not expire: ' .. key)
  if left > tonumber(ARGV[2]) then
    redis.call('PEXPIRE', key, left - tonumber(ARGV[2]))
  else
    redis.call('DEL', key)
  end
end
",
    );
    move |span| {
        let mut connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
        let millis = u64::try_from(span.as_millis()).unwrap();
        shorten.arg(&pattern).arg(millis).invoke::<()>(&mut connection).unwrap();
    }
}

mod credential_cache {
    use super::*;

    async fn subject() -> CacheSubject {
        let fixture = Fixture::new().await;
        CacheSubject::new(Arc::new(RedisCache::new(fixture.link())), passing(&fixture), fixture.own)
    }

    testkit::credential_cache_suite!(subject);
}

mod rate_limiter {
    use super::*;

    async fn subject() -> LimiterSubject {
        let fixture = Fixture::new().await;
        LimiterSubject::new(Arc::new(RedisLimiter::new(fixture.link())), passing(&fixture), fixture.own)
    }

    testkit::rate_limiter_suite!(subject);
}

fn ids() -> (SessionId, UserId) {
    let ids = TestIds::seeded(rand::random());
    (ids.object_id().into(), ids.object_id().into())
}

fn states(user: UserId) -> (SessionState, UserState) {
    let session = SessionState { user, kind: SessionKind::Token, expires_at: Timestamp::MAX };
    (session, UserState { role: Role::User })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_what_they_know() {
    let fixture = Fixture::new().await;
    let (one, other) = (fixture.link(), fixture.link());
    let (session, user) = ids();
    let (session_state, user_state) = states(user);
    let cache = RedisCache::new(Arc::clone(&one));
    cache.put(session, user, (&session_state, &user_state)).await.unwrap();
    RedisCache::new(Arc::clone(&other)).forget_user(user).await.unwrap();
    let cached = cache.get(session, user).await.unwrap();
    assert_eq!((cached.session, cached.user), (Cached::Known(session_state), Cached::Tombstone));

    let limiters = [RedisLimiter::new(one), RedisLimiter::new(other)];
    for limiter in &limiters {
        let passed = limiter.hit(RULE, "a").await.unwrap();
        assert!(matches!(passed, RateDecision::Allowed { .. }));
    }
    for limiter in &limiters {
        let refused = limiter.hit(RULE, "a").await.unwrap();
        assert!(matches!(refused, RateDecision::Limited { .. }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_other_versions_are_absent() {
    let fixture = Fixture::new().await;
    let cache = RedisCache::new(fixture.link());
    let (session, user) = ids();
    let (session_state, user_state) = states(user);
    let key = format!("{}cred:sid:{session}", fixture.settings.prefix);
    let newer = serde_json::json!({"v": 2, "state": session_state}).to_string();
    for value in
        [newer.as_str(), r#"{"v":2,"state":null}"#, r#"{"v":1,"state":{"kind":"new"}}"#, "not JSON", ""]
    {
        let mut connection = fixture.stranger();
        connection.set::<_, _, ()>(&key, value).unwrap();
        assert_eq!(cache.get(session, user).await.unwrap().session, Cached::Absent, "{value}");
        // it may be a tombstone that this program cannot read: it stays
        cache.put(session, user, (&session_state, &user_state)).await.unwrap();
        assert_eq!(connection.get::<_, String>(&key).unwrap(), value);
    }
    cache.forget_session(session).await.unwrap();
    assert_eq!(cache.get(session, user).await.unwrap().session, Cached::Tombstone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_tell_no_more_than_ids_and_hashes() {
    let fixture = Fixture::new().await;
    let (session, user) = ids();
    let (session_state, user_state) = states(user);
    let link = fixture.link();
    RedisCache::new(Arc::clone(&link)).put(session, user, (&session_state, &user_state)).await.unwrap();
    RedisLimiter::new(link).hit(RULE, "somebody@example.org").await.unwrap();
    let hash = common::Sha256::of(b"somebody@example.org").to_string();
    let expected =
        [format!("cred:sid:{session}"), format!("cred:user:{user}"), format!("rate:test:{}", &hash[..32])];
    assert_eq!(fixture.keys(), BTreeSet::from(expected));
}

#[tokio::test]
async fn urls_that_cannot_work_are_refused_without_being_told() {
    let refused = RedisLink::start(RedisSettings::new("amqp://user:secret@localhost"));
    let told = refused.err().expect("it is refused").to_string();
    assert!(!told.contains("secret"), "{told}");
    let debug = format!("{:?}", RedisSettings::new("redis://user:secret@localhost"));
    assert!(!debug.contains("secret"), "{debug}");
}
