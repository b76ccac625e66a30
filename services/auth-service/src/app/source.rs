//! The truth about credentials, for every service.

use std::sync::Arc;

use async_trait::async_trait;
use common::auth::{
    AuthStore, CredentialSource, PublicKey, SessionState, TokenHash, TokenState, TokenStore, UserState,
};
use common::{Clock, PortResult, SessionId, UserId};

use super::my_sessions::SessionUses;
use super::tokens::TokenUses;

/// Answers from the store, never from memory: a key or a session that another replica made is known at once.
pub(crate) struct StoreSource {
    pub(crate) store: Arc<dyn AuthStore>,
    pub(crate) tokens: Arc<dyn TokenStore>,
    pub(crate) token_uses: Arc<TokenUses>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) uses: Arc<SessionUses>,
}

#[async_trait]
impl CredentialSource for StoreSource {
    async fn public_keys(&self) -> PortResult<Vec<PublicKey>> {
        let keys = self.store.list_signing_keys(self.clock.now()).await?;
        Ok(keys.into_iter().map(|key| PublicKey { id: key.id, ed25519: key.public }).collect())
    }

    async fn resolve(
        &self,
        session: SessionId,
        user: UserId,
    ) -> PortResult<Option<(SessionState, UserState)>> {
        let now = self.clock.now();
        let session = self
            .store
            .find_session(session)
            .await?
            .filter(|session| session.is_live(now) && session.user == user);
        let Some(session) = session else { return Ok(None) };
        let Some(user) = self.store.find_user(user).await?.filter(|user| !user.disabled) else {
            return Ok(None);
        };
        self.uses.note(session.id, now);
        let session = SessionState { user: session.user, kind: session.kind, expires_at: session.expires_at };
        Ok(Some((session, UserState { role: user.role })))
    }

    async fn resolve_token(&self, hash: &TokenHash) -> PortResult<Option<(TokenState, UserState)>> {
        let now = self.clock.now();
        let Some(token) = self.tokens.find_token(hash).await?.filter(|token| token.is_live(now)) else {
            return Ok(None);
        };
        let Some(user) = self.store.find_user(token.user).await?.filter(|user| !user.disabled) else {
            return Ok(None);
        };
        self.token_uses.note(&token, now);
        let token = TokenState {
            id: token.id,
            user: token.user,
            scopes: token.scopes,
            folder: token.folder,
            expires_at: token.expires_at,
        };
        Ok(Some((token, UserState { role: user.role })))
    }

    async fn resolve_user(&self, user: UserId) -> PortResult<Option<UserState>> {
        let user = self.store.find_user(user).await?.filter(|user| !user.disabled);
        Ok(user.map(|user| UserState { role: user.role }))
    }
}
