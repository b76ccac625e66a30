//! Ports that tests cut off, or answer themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use common::auth::{
    Cached, CachedSession, CredentialCache, RateDecision, RateLimiter, RateRule, SessionState, TokenHash,
    TokenState, UserState,
};
use common::{PortError, PortResult, SessionId, SigningKeyId, UserId};

/// A port that can be cut off.
pub(super) struct Breakable<P> {
    pub(super) inner: P,
    pub(super) broken: Arc<AtomicBool>,
}

impl<P> Breakable<P> {
    fn reach(&self) -> PortResult<&P> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(PortError::unavailable("cache", "cut off by the test"));
        }
        Ok(&self.inner)
    }
}

#[async_trait]
impl<P: CredentialCache> CredentialCache for Breakable<P> {
    async fn get(&self, session: SessionId, user: UserId) -> PortResult<CachedSession> {
        self.reach()?.get(session, user).await
    }

    async fn put(
        &self,
        session: SessionId,
        user: UserId,
        states: (&SessionState, &UserState),
    ) -> PortResult<()> {
        self.reach()?.put(session, user, states).await
    }

    async fn get_token(&self, hash: &TokenHash) -> PortResult<(Cached<TokenState>, Cached<UserState>)> {
        self.reach()?.get_token(hash).await
    }

    async fn put_token(&self, hash: &TokenHash, states: (&TokenState, &UserState)) -> PortResult<()> {
        self.reach()?.put_token(hash, states).await
    }

    async fn get_user(&self, user: UserId) -> PortResult<Cached<UserState>> {
        self.reach()?.get_user(user).await
    }

    async fn put_user(&self, user: UserId, state: &UserState) -> PortResult<()> {
        self.reach()?.put_user(user, state).await
    }

    async fn forget_token(&self, hash: &TokenHash) -> PortResult<()> {
        self.reach()?.forget_token(hash).await
    }

    async fn forget_session(&self, session: SessionId) -> PortResult<()> {
        self.reach()?.forget_session(session).await
    }

    async fn forget_keys(&self, new: SigningKeyId) -> PortResult<()> {
        self.reach()?.forget_keys(new).await
    }

    async fn forget_user(&self, user: UserId) -> PortResult<()> {
        self.reach()?.forget_user(user).await
    }
}

#[async_trait]
impl<P: RateLimiter> RateLimiter for Breakable<P> {
    async fn hit(&self, rule: RateRule, key: &str) -> PortResult<RateDecision> {
        self.reach()?.hit(rule, key).await
    }

    async fn peek(&self, rule: RateRule, key: &str) -> PortResult<RateDecision> {
        self.reach()?.peek(rule, key).await
    }

    async fn reset(&self, rule: RateRule, key: &str) -> PortResult<()> {
        self.reach()?.reset(rule, key).await
    }
}

/// The spaces of accounts, as file-service would have them.
#[derive(Default)]
pub(crate) struct Spaces(pub(crate) std::sync::Mutex<std::collections::HashMap<UserId, Option<u64>>>);

#[async_trait]
impl common::files::UserSpaces for Spaces {
    async fn usage_of(&self, user: UserId) -> PortResult<common::files::UserUsage> {
        let quota_bytes = self.0.lock().unwrap().get(&user).copied().flatten();
        Ok(common::files::UserUsage { used_bytes: 5, quota_bytes, node_count: 1 })
    }

    async fn set_quota_of(
        &self,
        user: UserId,
        quota_bytes: Option<u64>,
    ) -> PortResult<common::files::UserUsage> {
        self.0.lock().unwrap().insert(user, quota_bytes);
        self.usage_of(user).await
    }
}
