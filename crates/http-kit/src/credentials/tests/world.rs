//! An authenticator over a source and a cache that the test has in its hands.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::auth::{
    Authenticator as _, Cached, CachedSession, CredentialCache, CredentialSource, Presented, PresentedBy,
    Principal, PublicKey, Role, SessionKind, SessionState, TokenHash, TokenState, TokenText, UserState,
};
use common::{Clock as _, PortError, PortResult, SessionId, SigningKeyId, UserId};
use runtime::memory::MemoryCredentialCache;
use testkit::TestClock;

use super::super::{CachedAuthenticator, Claims, TokenPolicy, TokenSigner};

pub(super) const USER: UserId = UserId::from_bytes([1; 12]);
pub(super) const SESSION: SessionId = SessionId::from_bytes([2; 12]);
pub(super) const KEY: SigningKeyId = SigningKeyId::from_bytes([3; 12]);
pub(super) const OTHER_KEY: SigningKeyId = SigningKeyId::from_bytes([4; 12]);
pub(super) const SEED: [u8; 32] = [5; 32];

#[derive(Default)]
pub(super) struct Source {
    pub(super) keys: Mutex<Vec<PublicKey>>,
    pub(super) states: Mutex<Option<(SessionState, UserState)>>,
    pub(super) token: Mutex<Option<(TokenState, UserState)>>,
    pub(super) down: AtomicBool,
    pub(super) keys_hang: AtomicBool,
    pub(super) asked_for_keys: AtomicUsize,
    pub(super) resolved: AtomicUsize,
}

impl Source {
    fn answer<T>(&self, value: T) -> PortResult<T> {
        if self.down.load(Ordering::SeqCst) { Err(PortError::unavailable("auth", "down")) } else { Ok(value) }
    }
}

#[async_trait]
impl CredentialSource for Source {
    async fn public_keys(&self) -> PortResult<Vec<PublicKey>> {
        self.asked_for_keys.fetch_add(1, Ordering::SeqCst);
        if self.keys_hang.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        self.answer(self.keys.lock().unwrap().clone())
    }

    async fn resolve(
        &self,
        session: SessionId,
        user: UserId,
    ) -> PortResult<Option<(SessionState, UserState)>> {
        assert_eq!((session, user), (SESSION, USER));
        self.resolved.fetch_add(1, Ordering::SeqCst);
        self.answer(self.states.lock().unwrap().clone())
    }

    async fn resolve_token(&self, hash: &TokenHash) -> PortResult<Option<(TokenState, UserState)>> {
        self.resolved.fetch_add(1, Ordering::SeqCst);
        let known = (*hash == api_token().hash()).then(|| self.token.lock().unwrap().clone()).flatten();
        self.answer(known)
    }

    async fn resolve_user(&self, user: UserId) -> PortResult<Option<UserState>> {
        assert_eq!(user, USER);
        self.resolved.fetch_add(1, Ordering::SeqCst);
        self.answer(self.states.lock().unwrap().clone().map(|(_, user)| user))
    }
}

/// A cache that cannot be reached.
pub(super) struct NoCache;

#[async_trait]
impl CredentialCache for NoCache {
    async fn get(&self, _: SessionId, _: UserId) -> PortResult<CachedSession> {
        Err(PortError::unavailable("cache", "down"))
    }

    async fn put(&self, _: SessionId, _: UserId, _: (&SessionState, &UserState)) -> PortResult<()> {
        Err(PortError::unavailable("cache", "down"))
    }

    async fn get_token(&self, _: &TokenHash) -> PortResult<(Cached<TokenState>, Cached<UserState>)> {
        Err(PortError::unavailable("cache", "down"))
    }

    async fn put_token(&self, _: &TokenHash, _: (&TokenState, &UserState)) -> PortResult<()> {
        Err(PortError::unavailable("cache", "down"))
    }

    async fn get_user(&self, _: UserId) -> PortResult<Cached<UserState>> {
        Err(PortError::unavailable("cache", "down"))
    }

    async fn put_user(&self, _: UserId, _: &UserState) -> PortResult<()> {
        Err(PortError::unavailable("cache", "down"))
    }

    async fn forget_token(&self, _: &TokenHash) -> PortResult<()> {
        Err(PortError::unavailable("cache", "down"))
    }

    async fn forget_session(&self, _: SessionId) -> PortResult<()> {
        Err(PortError::unavailable("cache", "down"))
    }

    async fn forget_keys(&self, _: SigningKeyId) -> PortResult<()> {
        Err(PortError::unavailable("cache", "down"))
    }

    async fn forget_user(&self, _: UserId) -> PortResult<()> {
        Err(PortError::unavailable("cache", "down"))
    }
}

pub(super) fn api_token() -> TokenText {
    TokenText::of_random([9; 20])
}

pub(super) struct World {
    pub(super) clock: Arc<TestClock>,
    pub(super) source: Arc<Source>,
    pub(super) cache: Arc<dyn CredentialCache>,
    pub(super) authenticator: CachedAuthenticator,
    pub(super) signer: TokenSigner,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = Arc::new(TestClock::default());
        let cache = Arc::new(MemoryCredentialCache::new(clock.clone()));
        Self::over(clock, cache)
    }

    pub(super) fn over(clock: Arc<TestClock>, cache: Arc<dyn CredentialCache>) -> Self {
        let signer = TokenSigner::from_seed(KEY, &SEED).unwrap();
        let source = Arc::new(Source::default());
        source.keys.lock().unwrap().push(signer.public_key().clone());
        *source.states.lock().unwrap() = Some((
            SessionState {
                user: USER,
                kind: SessionKind::Token,
                expires_at: clock.now() + Duration::from_secs(86_400),
            },
            UserState { role: Role::Admin },
        ));
        let policy = TokenPolicy { issuer: "us".into(), audience: "api".into() };
        let authenticator = CachedAuthenticator::new(source.clone(), cache.clone(), clock.clone(), policy);
        Self { clock, source, cache, authenticator, signer }
    }

    pub(super) fn claims(&self) -> Claims {
        let now = self.clock.now().seconds();
        Claims {
            iss: "us".into(),
            aud: "api".into(),
            sub: USER,
            sid: SESSION,
            scope: String::new(),
            iat: now,
            exp: now + 900,
        }
    }

    pub(super) fn token(&self) -> String {
        self.signer.sign(&self.claims())
    }

    pub(super) async fn check(&self, token: &str) -> PortResult<Option<Principal>> {
        let presented = Presented { token: token.to_owned(), by: PresentedBy::Header };
        self.authenticator.authenticate(&presented).await
    }

    pub(super) async fn accepts(&self, token: &str) -> bool {
        self.check(token).await.unwrap().is_some()
    }

    pub(super) fn resolved(&self) -> usize {
        self.source.resolved.load(Ordering::SeqCst)
    }

    pub(super) fn asked_for_keys(&self) -> usize {
        self.source.asked_for_keys.load(Ordering::SeqCst)
    }
}
