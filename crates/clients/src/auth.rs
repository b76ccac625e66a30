use async_trait::async_trait;
use common::auth::internal::{
    FindPeople, FoundPeople, MAX_PEOPLE, PublicKeys, ResolveCredential, ResolvedCredential,
};
use common::auth::{
    Address, CredentialSource, People, Person, PublicKey, SessionState, UserCount, UserState,
};
use common::jobs::internal::{FindUser, FoundUser, UserStats};
use common::{PortResult, SessionId, UserId};

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
}

#[async_trait]
impl UserCount for AuthClient {
    async fn count_users(&self) -> PortResult<u64> {
        let answer: UserStats = self.0.get_json("/internal/stats").await?;
        Ok(answer.users)
    }
}

#[async_trait]
impl People for AuthClient {
    async fn find_people(&self, ids: &[UserId]) -> PortResult<Vec<Person>> {
        let mut people = Vec::with_capacity(ids.len());
        for ids in ids.chunks(MAX_PEOPLE) {
            let question = FindPeople { ids: ids.to_vec(), address: None };
            let answer: FoundPeople = self.0.post_json("/internal/people/find", &question).await?;
            people.extend(answer.people);
        }
        Ok(people)
    }

    async fn find_person(&self, address: &Address) -> PortResult<Option<Person>> {
        let question = FindPeople { ids: Vec::new(), address: Some(address.as_str().to_owned()) };
        let answer: FoundPeople = self.0.post_json("/internal/people/find", &question).await?;
        Ok(answer.person)
    }
}
