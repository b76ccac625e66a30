use std::sync::Arc;

use async_trait::async_trait;
use common::auth::{
    Authenticator, Cached, CredentialCache, CredentialSource, Presented, Principal, SessionState, UserState,
};
use common::{Clock, PortResult};

use super::keys::KeyRing;
use super::token::{TokenPolicy, Verified, claimed_key, verify};
use super::verified::{VerifiedTokens, hash};

/// Resolves tokens: the signature once, then remembered by the token's hash; session and account at each request, from the cache, else
/// from the source.
pub struct CachedAuthenticator {
    source: Arc<dyn CredentialSource>,
    cache: Arc<dyn CredentialCache>,
    clock: Arc<dyn Clock>,
    policy: TokenPolicy,
    keys: KeyRing,
    verified: VerifiedTokens,
}

impl CachedAuthenticator {
    /// An authenticator over a source and a cache.
    pub fn new(
        source: Arc<dyn CredentialSource>,
        cache: Arc<dyn CredentialCache>,
        clock: Arc<dyn Clock>,
        policy: TokenPolicy,
    ) -> Self {
        let keys = KeyRing::new(Arc::clone(&source), Arc::clone(&clock));
        Self { source, cache, clock, policy, keys, verified: VerifiedTokens::new() }
    }

    async fn verified(&self, token: &str) -> PortResult<Option<Verified>> {
        let hash = hash(token);
        let known = self.verified.find(&hash);
        let Some(id) = known.map(|known| known.key).or_else(|| claimed_key(token)) else {
            return Ok(None);
        };
        // looked up each time, so that what a withdrawn key signed stops counting
        let Some(key) = self.keys.find(id).await? else {
            self.verified.forget(&hash);
            return Ok(None);
        };
        let verified = match known {
            Some(known) => known,
            None => match verify(token, id, &key, &self.policy) {
                Some(fresh) => fresh,
                None => return Ok(None),
            },
        };
        if !verified.is_current(self.clock.now()) {
            self.verified.forget(&hash);
            return Ok(None);
        }
        if known.is_none() {
            self.verified.keep(hash, verified);
        }
        Ok(Some(verified))
    }

    async fn states(&self, verified: &Verified) -> PortResult<Option<(SessionState, UserState)>> {
        let Verified { session, user, .. } = *verified;
        let cached = match self.cache.get(session, user).await {
            Ok(cached) => Some(cached),
            Err(error) => {
                tracing::debug!(%error, "credential cache unavailable; asking the source");
                None
            }
        };
        let reachable = cached.is_some();
        let outcome = match &cached {
            Some((Cached::Known(_), Cached::Known(_))) => "hit",
            Some((Cached::Tombstone, _) | (_, Cached::Tombstone)) => "tombstone",
            Some(_) => "miss",
            None => "error",
        };
        metrics::counter!("fm_auth_credential_cache_total", "outcome" => outcome).increment(1);
        if let Some((Cached::Known(session), Cached::Known(user))) = cached {
            return Ok(Some((session, user)));
        }
        let resolved = self.source.resolve(session, user).await?;
        if let Some((session_state, user_state)) = &resolved
            && reachable
        {
            // sets only what is absent, so a tombstone that came meanwhile stays
            if let Err(error) = self.cache.put(session, user, (session_state, user_state)).await {
                tracing::debug!(%error, "credential cache unavailable; nothing remembered");
            }
        }
        Ok(resolved)
    }
}

#[async_trait]
impl Authenticator for CachedAuthenticator {
    async fn authenticate(&self, presented: &Presented) -> PortResult<Option<Principal>> {
        let Some(verified) = self.verified(&presented.token).await? else {
            return Ok(None);
        };
        let Some((session, user)) = self.states(&verified).await? else {
            return Ok(None);
        };
        if session.user != verified.user || session.expires_at <= self.clock.now() {
            return Ok(None);
        }
        Ok(Some(Principal { user: verified.user, session: verified.session, role: user.role }))
    }
}
