use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::auth::{Cached, CachedSession, CredentialCache, SessionState, TokenHash, TokenState, UserState};
use common::{PortError, PortResult, SessionId, Sha256, SigningKeyId, UserId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::RedisLink;
use crate::owed::Owed;

/// How long a resolved credential is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How long a tombstone stands: twice as long, so that no resolution that began before it can outlive it.
const TOMBSTONE: Duration = Duration::from_secs(120);
/// The version of values. Another one is written by a newer or an older program, and is absent for this one.
const VERSION: u32 = 1;

/// A [`CredentialCache`] that processes share.
///
/// A tombstone that Redis cannot take now is taken here, and written when Redis is back: a revocation does not wait for the cache. So that
/// nobody uses an entry from before in between, each process that saw Redis away believes no entry until everybody has had the time to
/// come back. What is left: a process that asked Redis nothing while it could not be reached, and kept its
/// connection, can use such an entry for those few seconds; and who ends with tombstones owed.
pub struct RedisCache {
    link: Arc<RedisLink>,
    owed: Owed,
}

/// A value: what is known, or nothing for a tombstone.
#[derive(Serialize, Deserialize)]
struct Entry<T> {
    v: u32,
    state: Option<T>,
}

impl RedisCache {
    /// A cache over this link.
    pub fn new(link: Arc<RedisLink>) -> Self {
        Self { owed: Owed::start(Arc::clone(&link), TOMBSTONE), link }
    }

    /// What an entry says that was read from this key.
    fn believed<T: DeserializeOwned>(&self, key: &str, value: Option<Vec<u8>>) -> Cached<T> {
        match decode(value) {
            _ if self.owed.has(key) => Cached::Tombstone,
            Cached::Known(_) if !self.link.is_settled() => Cached::Absent,
            entry => entry,
        }
    }

    fn session_key(&self, session: SessionId) -> String {
        self.link.key("cred:sid", &session.to_string())
    }

    fn user_key(&self, user: UserId) -> String {
        self.link.key("cred:user", &user.to_string())
    }

    fn token_key(&self, hash: &TokenHash) -> String {
        self.link.key("cred:tok", &Sha256(*hash).to_string())
    }

    fn withdrawn_key(&self) -> String {
        self.link.key("cred:keys", "since")
    }

    async fn put_if_absent(&self, entries: impl IntoIterator<Item = (String, Vec<u8>)>) -> PortResult<()> {
        let mut both = redis::pipe();
        for (key, value) in entries {
            // whatever is there stays, a tombstone above all
            both.cmd("SET").arg(key).arg(value).arg("NX").arg("PX").arg(millis(REMEMBERED)).ignore();
        }
        self.link.run(async |connection| both.query_async::<()>(connection).await).await
    }

    async fn bury(&self, key: String) -> PortResult<()> {
        self.set_tombstone(key, encode::<()>(None)?).await
    }

    async fn set_tombstone(&self, key: String, tombstone: Vec<u8>) -> PortResult<()> {
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(&tombstone).arg("PX").arg(millis(TOMBSTONE));
        match self.link.run(async |connection| set.query_async::<()>(connection).await).await {
            Err(reason) => self.owed.owe(key, tombstone, TOMBSTONE, reason),
            Ok(()) => Ok(()),
        }
    }
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn encode<T: Serialize>(state: Option<&T>) -> PortResult<Vec<u8>> {
    serde_json::to_vec(&Entry { v: VERSION, state }).map_err(|error| PortError::broken("cache", error))
}

fn decode<T: DeserializeOwned>(value: Option<Vec<u8>>) -> Cached<T> {
    match value.as_deref().map(serde_json::from_slice::<Entry<T>>) {
        Some(Ok(Entry { v: VERSION, state: Some(state) })) => Cached::Known(state),
        Some(Ok(Entry { v: VERSION, state: None })) => Cached::Tombstone,
        _ => Cached::Absent,
    }
}

#[async_trait]
impl CredentialCache for RedisCache {
    async fn get(&self, session: SessionId, user: UserId) -> PortResult<CachedSession> {
        let keys = [self.session_key(session), self.user_key(user), self.withdrawn_key()];
        let (of_session, of_user, withdrawn) = self
            .link
            .run(async |connection| {
                redis::cmd("MGET")
                    .arg(&keys)
                    .query_async::<(Option<Vec<u8>>, Option<Vec<u8>>, Option<String>)>(connection)
                    .await
            })
            .await?;
        // whatever else stands there was put there by a newer program, and tells as much
        let keys_since = withdrawn.map(|id| id.parse().unwrap_or(SigningKeyId::from_bytes([0; 12])));
        let (session, user) = (self.believed(&keys[0], of_session), self.believed(&keys[1], of_user));
        Ok(CachedSession { session, user, keys_since })
    }

    async fn put(
        &self,
        session: SessionId,
        user: UserId,
        states: (&SessionState, &UserState),
    ) -> PortResult<()> {
        self.put_if_absent([
            (self.session_key(session), encode(Some(states.0))?),
            (self.user_key(user), encode(Some(states.1))?),
        ])
        .await
    }

    /// Two questions, since only the token's state tells whose it is.
    async fn get_token(&self, hash: &TokenHash) -> PortResult<(Cached<TokenState>, Cached<UserState>)> {
        let (token_key, link) = (self.token_key(hash), &self.link);
        let get = async |key: &str| {
            link.run(async |connection| {
                redis::cmd("GET").arg(key).query_async::<Option<Vec<u8>>>(connection).await
            })
            .await
        };
        let token = self.believed::<TokenState>(&token_key, get(&token_key).await?);
        let user = match &token {
            Cached::Known(token) => {
                let user_key = self.user_key(token.user);
                self.believed(&user_key, get(&user_key).await?)
            }
            Cached::Absent | Cached::Tombstone => Cached::Absent,
        };
        Ok((token, user))
    }

    async fn put_token(&self, hash: &TokenHash, states: (&TokenState, &UserState)) -> PortResult<()> {
        self.put_if_absent([
            (self.token_key(hash), encode(Some(states.0))?),
            (self.user_key(states.0.user), encode(Some(states.1))?),
        ])
        .await
    }

    async fn get_user(&self, user: UserId) -> PortResult<Cached<UserState>> {
        let key = self.user_key(user);
        let found = self
            .link
            .run(async |connection| {
                redis::cmd("GET").arg(&key).query_async::<Option<Vec<u8>>>(connection).await
            })
            .await?;
        Ok(self.believed(&key, found))
    }

    async fn put_user(&self, user: UserId, state: &UserState) -> PortResult<()> {
        self.put_if_absent([(self.user_key(user), encode(Some(state))?)]).await
    }

    async fn forget_token(&self, hash: &TokenHash) -> PortResult<()> {
        self.bury(self.token_key(hash)).await
    }

    async fn forget_session(&self, session: SessionId) -> PortResult<()> {
        self.bury(self.session_key(session)).await
    }

    async fn forget_keys(&self, new: SigningKeyId) -> PortResult<()> {
        self.set_tombstone(self.withdrawn_key(), new.to_string().into_bytes()).await
    }

    async fn forget_user(&self, user: UserId) -> PortResult<()> {
        self.bury(self.user_key(user)).await
    }
}
