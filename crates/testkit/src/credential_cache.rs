//! What every [`CredentialCache`] promises.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::auth::{
    Cached, CachedSession, CredentialCache, Role, Scope, SessionKind, SessionState, TokenHash, TokenState,
    UserState,
};
use common::{Clock as _, SessionId, SigningKeyId, UserId};
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::{TestClock, TestIds};

/// A fresh cache and its time.
pub struct CacheSubject {
    /// The cache.
    pub cache: Arc<dyn CredentialCache>,
    /// Lets this much time pass for the cache.
    pub pass: Box<dyn Fn(Duration) + Send + Sync>,
    ids: TestIds,
    _keep: Box<dyn Any + Send + Sync>,
}

impl CacheSubject {
    /// A subject over an empty cache; `keep` lives as long as it does.
    pub fn new(
        cache: Arc<dyn CredentialCache>,
        pass: impl Fn(Duration) + Send + Sync + 'static,
        keep: impl Any + Send + Sync,
    ) -> Self {
        Self { cache, pass: Box::new(pass), ids: TestIds::new(), _keep: Box::new(keep) }
    }

    fn pair(&self) -> (SessionId, UserId) {
        (self.ids.next(), self.ids.next())
    }

    async fn put(&self, session: SessionId, user: UserId, role: Role) {
        self.cache.put(session, user, (&session_of(user), &UserState { role })).await.unwrap();
    }

    async fn get(&self, session: SessionId, user: UserId) -> (Cached<SessionState>, Cached<UserState>) {
        let CachedSession { session, user, .. } = self.cache.get(session, user).await.unwrap();
        (session, user)
    }
}

fn session_of(user: UserId) -> SessionState {
    let expires_at = TestClock::default().now() + Duration::from_secs(900);
    SessionState { user, kind: SessionKind::Token, expires_at }
}

fn token_of(user: UserId) -> TokenState {
    TokenState {
        id: common::TokenId::from_bytes([7; 12]),
        user,
        scopes: [Scope::FilesRead, Scope::JobsRead].into_iter().collect(),
        folder: Some(common::FileId::from_bytes([8; 12])),
        expires_at: Some(TestClock::default().now() + Duration::from_secs(900)),
    }
}

/// Tokens are remembered like sessions, each with the state of its account.
pub async fn a_token_is_known_with_its_account(subject: &CacheSubject) {
    let (hash, other): (TokenHash, TokenHash) = ([1; 32], [2; 32]);
    let (session, user) = subject.pair();
    let absent = (Cached::Absent, Cached::Absent);
    assert_eq!(subject.cache.get_token(&hash).await.unwrap(), absent);
    let (token, state) = (token_of(user), UserState { role: Role::Admin });
    subject.cache.put_token(&hash, (&token, &state)).await.unwrap();
    let known = (Cached::Known(token.clone()), Cached::Known(state.clone()));
    assert_eq!(subject.cache.get_token(&hash).await.unwrap(), known);
    assert_eq!(subject.cache.get_token(&other).await.unwrap(), absent);
    // the account is the same one that sessions ask for
    assert_eq!(subject.get(session, user).await, (Cached::Absent, Cached::Known(state.clone())));
    let narrower = TokenState { folder: None, ..token.clone() };
    subject.cache.put_token(&hash, (&narrower, &state)).await.unwrap();
    assert_eq!(subject.cache.get_token(&hash).await.unwrap(), known, "only what is absent is set");
    subject.cache.forget_user(user).await.unwrap();
    let known = (Cached::Known(token), Cached::Tombstone);
    assert_eq!(subject.cache.get_token(&hash).await.unwrap(), known);
}

/// What is asked of an account alone is what its sessions ask for.
pub async fn an_account_is_known_by_itself(subject: &CacheSubject) {
    let (session, user) = subject.pair();
    let (state, other) = (UserState { role: Role::Admin }, UserState { role: Role::User });
    assert_eq!(subject.cache.get_user(user).await.unwrap(), Cached::Absent);
    subject.cache.put_user(user, &state).await.unwrap();
    subject.cache.put_user(user, &other).await.unwrap();
    assert_eq!(subject.cache.get_user(user).await.unwrap(), Cached::Known(state.clone()), "set once");
    assert_eq!(subject.get(session, user).await, (Cached::Absent, Cached::Known(state.clone())));
    subject.cache.forget_user(user).await.unwrap();
    subject.cache.put_user(user, &state).await.unwrap();
    assert_eq!(subject.cache.get_user(user).await.unwrap(), Cached::Tombstone, "a put lifts none");
    (subject.pass)(Duration::from_secs(122));
    subject.cache.put_user(user, &state).await.unwrap();
    (subject.pass)(Duration::from_secs(62));
    assert_eq!(subject.cache.get_user(user).await.unwrap(), Cached::Absent);
}

/// A token that was ended is asked for anew each time for two minutes, whatever is put meanwhile.
pub async fn a_tombstone_hides_a_token(subject: &CacheSubject) {
    let hash: TokenHash = [3; 32];
    let (_, user) = subject.pair();
    let (token, state) = (token_of(user), UserState { role: Role::User });
    let put = async || subject.cache.put_token(&hash, (&token, &state)).await.unwrap();
    put().await;
    subject.cache.forget_token(&hash).await.unwrap();
    put().await;
    assert_eq!(subject.cache.get_token(&hash).await.unwrap().0, Cached::Tombstone);
    (subject.pass)(Duration::from_secs(62));
    put().await;
    assert_eq!(subject.cache.get_token(&hash).await.unwrap().0, Cached::Tombstone);
    (subject.pass)(Duration::from_secs(60));
    put().await;
    assert_eq!(subject.cache.get_token(&hash).await.unwrap().0, Cached::Known(token.clone()));
    (subject.pass)(Duration::from_secs(62));
    assert_eq!(subject.cache.get_token(&hash).await.unwrap(), (Cached::Absent, Cached::Absent));
}

fn known(user: UserId, role: Role) -> (Cached<SessionState>, Cached<UserState>) {
    (Cached::Known(session_of(user)), Cached::Known(UserState { role }))
}

/// Each is remembered by itself: another session of the same user finds the user.
pub async fn what_was_put_is_known(subject: &CacheSubject) {
    let (session, user) = subject.pair();
    assert_eq!(subject.get(session, user).await, (Cached::Absent, Cached::Absent));
    subject.put(session, user, Role::Admin).await;
    assert_eq!(subject.get(session, user).await, known(user, Role::Admin));
    let (other, stranger) = subject.pair();
    assert_eq!(subject.get(other, user).await, (Cached::Absent, known(user, Role::Admin).1));
    assert_eq!(subject.get(session, stranger).await, (known(user, Role::Admin).0, Cached::Absent));
}

/// Only what is absent is set.
pub async fn a_second_put_changes_nothing(subject: &CacheSubject) {
    let (session, user) = subject.pair();
    subject.put(session, user, Role::Admin).await;
    subject.put(session, user, Role::User).await;
    assert_eq!(subject.get(session, user).await, known(user, Role::Admin));
    let other = subject.ids.next();
    subject.put(other, user, Role::User).await;
    assert_eq!(subject.get(other, user).await, known(user, Role::Admin));
}

/// A tombstone hides one entry and touches no other.
pub async fn a_tombstone_hides_what_was_known(subject: &CacheSubject) {
    let (session, user) = subject.pair();
    subject.put(session, user, Role::User).await;
    subject.cache.forget_session(session).await.unwrap();
    assert_eq!(subject.get(session, user).await, (Cached::Tombstone, known(user, Role::User).1));
    subject.cache.forget_user(user).await.unwrap();
    subject.cache.forget_user(user).await.unwrap();
    assert_eq!(subject.get(session, user).await, (Cached::Tombstone, Cached::Tombstone));
    let (unknown, _) = subject.pair();
    subject.cache.forget_session(unknown).await.unwrap();
    assert_eq!(subject.get(unknown, user).await, (Cached::Tombstone, Cached::Tombstone));
}

/// A resolution that read before the revocation comes too late.
pub async fn a_put_does_not_lift_a_tombstone(subject: &CacheSubject) {
    let (session, user) = subject.pair();
    subject.cache.forget_session(session).await.unwrap();
    subject.put(session, user, Role::User).await;
    assert_eq!(subject.get(session, user).await, (Cached::Tombstone, known(user, Role::User).1));
}

/// However puts and a tombstone interleave, nothing is known once the tombstone was answered.
pub async fn a_tombstone_wins_against_puts_at_the_same_time(subject: &CacheSubject) {
    for _ in 0..50 {
        let (session, user) = subject.pair();
        let puts = join_all((0..8).map(|_| subject.put(session, user, Role::User)));
        let (_, forgotten) = tokio::join!(puts, subject.cache.forget_session(session));
        forgotten.unwrap();
        assert_eq!(subject.get(session, user).await.0, Cached::Tombstone);
    }
}

/// However many resolutions are under way while a credential is revoked, each of which read the source at some moment and puts what it read at some later
/// moment: once the revocation was answered, neither the session nor the account is known, then or later.
pub async fn what_is_revoked_while_it_is_resolved_is_not_remembered(subject: &CacheSubject) {
    for round in 0..20 {
        let (session, user) = subject.pair();
        let revoked = AtomicBool::new(false);
        let (answered, hear_answer) = watch::channel(false);
        let resolutions = join_all((0..8).map(|late| {
            let (revoked, mut hear_answer) = (&revoked, hear_answer.clone());
            async move {
                let before = subject.get(session, user).await;
                // what is read from the source here is out of date soon after
                let live = !revoked.load(Ordering::SeqCst);
                for _ in 0..(late + round) % 4 {
                    tokio::task::yield_now().await;
                }
                if late % 2 == 0 {
                    hear_answer.wait_for(|answered| *answered).await.unwrap();
                }
                if live && !matches!(before, (Cached::Known(_), Cached::Known(_))) {
                    subject.put(session, user, Role::User).await;
                }
            }
        }));
        let revocation = async {
            for _ in 0..round % 3 {
                tokio::task::yield_now().await;
            }
            revoked.store(true, Ordering::SeqCst);
            subject.cache.forget_session(session).await.unwrap();
            subject.cache.forget_user(user).await.unwrap();
            answered.send_replace(true);
            for _ in 0..10 {
                assert_eq!(subject.get(session, user).await, (Cached::Tombstone, Cached::Tombstone));
            }
        };
        tokio::join!(resolutions, revocation);
        assert_eq!(subject.get(session, user).await, (Cached::Tombstone, Cached::Tombstone));
    }
    // nor when what was put before the revocation would have expired
    let (session, user) = subject.pair();
    subject.put(session, user, Role::User).await;
    subject.cache.forget_session(session).await.unwrap();
    subject.cache.forget_user(user).await.unwrap();
    (subject.pass)(Duration::from_secs(62));
    subject.put(session, user, Role::User).await;
    assert_eq!(subject.get(session, user).await, (Cached::Tombstone, Cached::Tombstone));
}

/// What is known is known for a minute.
pub async fn what_is_known_expires(subject: &CacheSubject) {
    let (session, user) = subject.pair();
    subject.put(session, user, Role::User).await;
    (subject.pass)(Duration::from_secs(58));
    // asking and putting again make it no younger
    subject.put(session, user, Role::Admin).await;
    assert_eq!(subject.get(session, user).await, known(user, Role::User));
    (subject.pass)(Duration::from_secs(4));
    assert_eq!(subject.get(session, user).await, (Cached::Absent, Cached::Absent));
    subject.put(session, user, Role::Admin).await;
    assert_eq!(subject.get(session, user).await, known(user, Role::Admin));
}

/// A tombstone stands for two minutes, longer than anything that was read before it.
pub async fn a_tombstone_expires_later(subject: &CacheSubject) {
    let (session, user) = subject.pair();
    subject.put(session, user, Role::User).await;
    (subject.pass)(Duration::from_secs(30));
    subject.cache.forget_session(session).await.unwrap();
    (subject.pass)(Duration::from_secs(118));
    assert_eq!(subject.get(session, user).await, (Cached::Tombstone, Cached::Absent));
    (subject.pass)(Duration::from_secs(4));
    assert_eq!(subject.get(session, user).await, (Cached::Absent, Cached::Absent));
}

/// Withdrawn keys are told of for two minutes.
pub async fn withdrawn_keys_are_told_of(subject: &CacheSubject) {
    let (session, user) = subject.pair();
    let since = async || subject.cache.get(session, user).await.unwrap().keys_since;
    assert_eq!(since().await, None);
    for _ in 0..2 {
        let new: SigningKeyId = subject.ids.next();
        subject.cache.forget_keys(new).await.unwrap();
        assert_eq!(since().await, Some(new));
    }
    (subject.pass)(Duration::from_secs(118));
    assert!(since().await.is_some());
    (subject.pass)(Duration::from_secs(4));
    assert_eq!(since().await, None);
}

/// Makes tests of an async function that returns a fresh [`CacheSubject`].
#[macro_export]
macro_rules! credential_cache_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            credential_cache,
            [
                what_was_put_is_known,
                a_second_put_changes_nothing,
                a_tombstone_hides_what_was_known,
                a_put_does_not_lift_a_tombstone,
                a_tombstone_wins_against_puts_at_the_same_time,
                what_is_revoked_while_it_is_resolved_is_not_remembered,
                what_is_known_expires,
                withdrawn_keys_are_told_of,
                a_tombstone_expires_later,
                a_token_is_known_with_its_account,
                a_tombstone_hides_a_token,
                an_account_is_known_by_itself,
            ]
        );
    };
}
