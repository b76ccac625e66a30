use std::sync::Arc;

use async_trait::async_trait;
use common::auth::{
    Authenticator, Cached, CachedSession, CredentialCache, CredentialId, CredentialSource, OpenAccounts,
    Presented, PresentedBy, Principal, SessionState, TokenHash, TokenState, TokenText, UserState,
};
use common::{Clock, PortResult, SessionId, SigningKeyId, UserId};

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

    /// The states of a sign-in, whose token is signed with `key`, and of its account; none if either has ended.
    async fn states(
        &self,
        session: SessionId,
        user: UserId,
        key: SigningKeyId,
    ) -> PortResult<Option<(SessionState, UserState)>> {
        let cached = self.cache.get(session, user).await;
        if let Ok(CachedSession { keys_since: Some(new), .. }) = &cached
            && !self.keys.has_since(*new, key).await?
        {
            return Ok(None);
        }
        let (known, reachable) = look_up(cached.map(|cached| (cached.session, cached.user)));
        if known.is_some() {
            return Ok(known);
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

    /// The account of a sign-in that has not ended.
    async fn account(
        &self,
        session: SessionId,
        user: UserId,
        key: SigningKeyId,
    ) -> PortResult<Option<UserState>> {
        let states = self.states(session, user, key).await?;
        let now = self.clock.now();
        Ok(states.filter(|(state, _)| state.user == user && now < state.expires_at).map(|(_, user)| user))
    }

    async fn token_states(&self, hash: &TokenHash) -> PortResult<Option<(TokenState, UserState)>> {
        let (known, reachable) = look_up(self.cache.get_token(hash).await);
        if known.is_some() {
            return Ok(known);
        }
        let resolved = self.source.resolve_token(hash).await?;
        if let Some((token, user)) = &resolved
            && reachable
            && let Err(error) = self.cache.put_token(hash, (token, user)).await
        {
            tracing::debug!(%error, "credential cache unavailable; nothing remembered");
        }
        Ok(resolved)
    }

    async fn token(&self, text: &TokenText) -> PortResult<Option<Principal>> {
        let hash = text.hash();
        let Some((token, user)) = self.token_states(&hash).await? else { return Ok(None) };
        let now = self.clock.now();
        Ok(token.expires_at.is_none_or(|end| now < end).then(|| Principal::of_token(&token, user.role)))
    }
}

/// What the cache knows whole, and whether it can be reached.
fn look_up<C, U>(cached: PortResult<(Cached<C>, Cached<U>)>) -> (Option<(C, U)>, bool) {
    let (outcome, known, reachable) = match cached {
        Ok((Cached::Known(credential), Cached::Known(user))) => ("hit", Some((credential, user)), true),
        Ok((Cached::Tombstone, _) | (_, Cached::Tombstone)) => ("tombstone", None, true),
        Ok(_) => ("miss", None, true),
        Err(error) => {
            tracing::debug!(%error, "credential cache unavailable; asking the source");
            ("error", None, false)
        }
    };
    metrics::counter!("fm_auth_credential_cache_total", "outcome" => outcome).increment(1);
    (known, reachable)
}

#[async_trait]
impl Authenticator for CachedAuthenticator {
    async fn authenticate(&self, presented: &Presented) -> PortResult<Option<Principal>> {
        if let Some(token) = TokenText::parse(&presented.token) {
            // a cookie is sent by whatever page asks for it: no place for what programs carry
            return match presented.by {
                PresentedBy::Header => self.token(&token).await,
                PresentedBy::Cookie => Ok(None),
            };
        }
        let Some(verified) = self.verified(&presented.token).await? else {
            return Ok(None);
        };
        let Verified { session, user, key, .. } = verified;
        let account = self.account(session, user, key).await?;
        Ok(account.map(|account| Principal::of_session(user, session, account.role)))
    }

    async fn still_stands(&self, presented: &Presented, caller: &Principal) -> PortResult<bool> {
        let CredentialId::Session(session) = caller.credential else {
            let now = self.authenticate(presented).await?;
            return Ok(now.is_some_and(|now| now.credential == caller.credential));
        };
        // its signature was good when the caller came
        let Some(key) = claimed_key(&presented.token) else { return Ok(false) };
        Ok(self.account(session, caller.user, key).await?.is_some())
    }
}

#[async_trait]
impl OpenAccounts for CachedAuthenticator {
    /// By the same entries as the account's own requests, so that whatever closes it for its owner closes it for others, too. That it is closed is not
    /// remembered: it is open again with the next request.
    async fn is_open(&self, user: UserId) -> PortResult<bool> {
        let cached = self.cache.get_user(user).await;
        let reachable = match cached {
            Ok(Cached::Known(_)) => return Ok(true),
            Ok(Cached::Absent) => true,
            Ok(Cached::Tombstone) => false,
            Err(error) => {
                tracing::debug!(%error, "credential cache unavailable; asking the source");
                false
            }
        };
        let Some(state) = self.source.resolve_user(user).await? else { return Ok(false) };
        if reachable && let Err(error) = self.cache.put_user(user, &state).await {
            tracing::debug!(%error, "credential cache unavailable; nothing remembered");
        }
        Ok(true)
    }
}
