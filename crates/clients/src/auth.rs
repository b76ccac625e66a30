use async_trait::async_trait;
use common::auth::internal::{
    PublicKeys, ResolveCredential, ResolveToken, ResolvedCredential, ResolvedToken,
};
use common::auth::{CredentialSource, PublicKey, SessionState, TokenHash, TokenState, UserCount, UserState};
use common::jobs::internal::{FindUser, FoundUser, UserStats};
use common::{PortResult, SessionId, Sha256, UserId};

use crate::InternalClient;

/// auth-service, as the other services see it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AuthClient(InternalClient);

impl AuthClient {
    /// Calls by this client.
    pub fn new(client: InternalClient) -> Self {
        Self(client)
    }

    /// The account with this id, as a mail needs it.
    ///
    /// # Errors
    /// As [`InternalClient::get_json`].
    pub async fn find_user(&self, id: UserId) -> PortResult<Option<FoundUser>> {
        self.0.post_json("/internal/users/find", &FindUser { id }).await
    }
}

#[async_trait]
impl CredentialSource for AuthClient {
    async fn public_keys(&self) -> PortResult<Vec<PublicKey>> {
        let answer: PublicKeys = self.0.get_json("/internal/keys").await?;
        Ok(answer.keys)
    }

    async fn resolve(
        &self,
        session: SessionId,
        user: UserId,
    ) -> PortResult<Option<(SessionState, UserState)>> {
        let question = ResolveCredential { session, user };
        let answer: Option<ResolvedCredential> =
            self.0.post_json("/internal/credentials/resolve", &question).await?;
        Ok(answer.map(|states| (states.session, states.user)))
    }

    async fn resolve_token(&self, hash: &TokenHash) -> PortResult<Option<(TokenState, UserState)>> {
        let question = ResolveToken { token: Sha256(*hash) };
        let answer: Option<ResolvedToken> =
            self.0.post_json("/internal/credentials/resolve", &question).await?;
        Ok(answer.map(|states| (states.token, states.user)))
    }
}

#[async_trait]
impl UserCount for AuthClient {
    async fn count_users(&self) -> PortResult<u64> {
        let answer: UserStats = self.0.get_json("/internal/stats").await?;
        Ok(answer.users)
    }
}
