use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use common::auth::internal::{
    CredentialEnded, CredentialsOf, EndCredential, EndExport, FindExport, FindPeople, FoundPeople,
    MAX_PEOPLE, OwnedCredentials, PublicKeys, ResolveCredential, ResolveToken, ResolvedCredential,
    ResolvedToken,
};
use common::auth::{
    Address, CredentialEnd, CredentialSource, EXPORT_PART_BYTES, EndedBy, Export, ExportPart, Exports,
    GroupName, OwnCredential, OwnCredentialKind, OwnCredentials, People, Person, PublicKey, Role,
    SessionState, TokenHash, TokenState, UserCount, UserState,
};
use common::files::internal::{ExportPage, ExportQuestion};
use common::jobs::internal::{FindUser, FoundUser, UserStats};
use common::{GroupId, ObjectId, PortError, PortResult, SessionId, Sha256, UserId};
use futures_util::StreamExt as _;

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

impl AuthClient {
    /// Some of what auth-service knows of an account.
    ///
    /// # Errors
    /// As [`InternalClient::get_json`]; `Broken` for an unknown subject.
    pub async fn export_page(&self, question: &ExportQuestion) -> PortResult<ExportPage> {
        self.0.post_json("/internal/accounts/export", question).await
    }

    /// Keeps a part of an export. False if it is not this run's to write, or gone.
    ///
    /// # Errors
    /// As [`InternalClient::get_json`].
    pub async fn put_export_part(&self, part: ExportPart, run: i64, bytes: &Bytes) -> PortResult<bool> {
        self.0.put_bytes(&format!("{}?run={run}", part_path(part)), bytes).await
    }

    /// Ends an export. False if it is not this run's to end, or gone.
    ///
    /// # Errors
    /// As [`InternalClient::get_json`].
    pub async fn end_export(&self, end: &EndExport) -> PortResult<bool> {
        self.0.post_to("/internal/exports/end", end).await
    }
}

fn part_path(part: ExportPart) -> String {
    let ExportPart { user, export, file, number } = part;
    format!("/internal/exports/{user}/{export}/{file}/{number}")
}

#[async_trait]
impl Exports for AuthClient {
    async fn export_of(&self, user: UserId) -> PortResult<Option<Export>> {
        self.0.post_json("/internal/exports/find", &FindExport { user }).await
    }

    async fn export_part(&self, part: ExportPart) -> PortResult<Option<Bytes>> {
        let Some(mut pieces) = self.0.get_stream(&part_path(part)).await? else { return Ok(None) };
        let mut bytes = BytesMut::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece?);
            if bytes.len() > EXPORT_PART_BYTES {
                return Err(PortError::broken(self.0.part(), "a part that is longer than any"));
            }
        }
        Ok(Some(bytes.freeze()))
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

    async fn resolve_user(&self, user: UserId) -> PortResult<Option<UserState>> {
        let open = self.find_user(user).await?.filter(|found| !found.disabled);
        // what no role is told of may do least
        Ok(open.map(|found| UserState { role: found.role.unwrap_or(Role::User) }))
    }
}

#[async_trait]
impl OwnCredentials for AuthClient {
    async fn list_credentials(&self, user: UserId) -> PortResult<Vec<OwnCredential>> {
        let answer: OwnedCredentials =
            self.0.post_json("/internal/credentials/list", &CredentialsOf { user, identities: true }).await?;
        Ok(answer.items)
    }

    async fn end_credential(
        &self,
        user: UserId,
        kind: OwnCredentialKind,
        id: ObjectId,
        by: EndedBy,
    ) -> PortResult<CredentialEnd> {
        let question = EndCredential::new(user, kind, id, by);
        let answer: CredentialEnded = self.0.post_json("/internal/credentials/end", &question).await?;
        Ok(match answer {
            CredentialEnded { ended: true, .. } => CredentialEnd::Ended,
            CredentialEnded { last_way_in: true, .. } => CredentialEnd::LastWayIn,
            CredentialEnded { .. } => CredentialEnd::Unknown,
        })
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
            let question = FindPeople { ids: ids.to_vec(), ..FindPeople::default() };
            let answer: FoundPeople = self.0.post_json("/internal/people/find", &question).await?;
            people.extend(answer.people);
        }
        Ok(people)
    }

    async fn find_person(&self, address: &Address) -> PortResult<Option<Person>> {
        let question = FindPeople { address: Some(address.as_str().to_owned()), ..FindPeople::default() };
        let answer: FoundPeople = self.0.post_json("/internal/people/find", &question).await?;
        Ok(answer.person)
    }

    async fn find_groups(&self, ids: &[GroupId]) -> PortResult<Vec<GroupName>> {
        let mut groups = Vec::with_capacity(ids.len());
        for ids in ids.chunks(MAX_PEOPLE) {
            let question = FindPeople { groups: ids.to_vec(), ..FindPeople::default() };
            let answer: FoundPeople = self.0.post_json("/internal/people/find", &question).await?;
            groups.extend(answer.groups);
        }
        Ok(groups)
    }

    async fn groups_of(&self, user: UserId) -> PortResult<Vec<GroupId>> {
        let question = FindPeople { groups_of: Some(user), ..FindPeople::default() };
        let answer: FoundPeople = self.0.post_json("/internal/people/find", &question).await?;
        Ok(answer.memberships)
    }
}
