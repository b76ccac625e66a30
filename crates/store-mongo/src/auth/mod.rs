//! The collections of auth-service: accounts, sessions, signing keys.

mod account;
mod admin;
mod audit;
mod exports;
mod groups;
mod identities;
mod invitations;
mod portable;
mod sessions;
mod tokens;
mod users;

use async_trait::async_trait;
use common::auth::{
    AddressKey, AuditEntry, AuthStore, CreateUserError, RefreshOutcome, SealedKey, Session, User,
};
use common::jobs::NewJob;
use common::{PortError, PortResult, SessionId, SigningKeyId, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, doc};
use serde::{Deserialize, Serialize};

use crate::engine::{Abort, Engine, Fault, Index, Migration, Mongo, Schema, Step, Version};
use crate::keyed;
use crate::outbox::{self, Outbox};
use crate::value::{ToOid as _, binary, fixed, id};

use audit::AUDIT;
use groups::{GROUP_NAMES, GROUPS, MEMBERS};
use invitations::INVITATIONS;
use sessions::{REFRESH_TOKENS, SESSIONS};
use tokens::TOKENS;
use users::{COUNTERS, EMAILS, FIRST_ADMIN, Office, USERS};

const OUTBOX: &str = "auth_outbox";
const SIGNING_KEYS: &str = "signing_keys";

pub(crate) static SCHEMA: Schema = Schema {
    name: "auth",
    migrations: &[FIRST, ACCOUNT, ADMINISTRATION, DELETION, IDENTITIES, exports::MIGRATION, KEYED],
};

const FIRST: Migration = Migration {
    version: Version { major: 1, minor: 0 },
    steps: &[
        Step::Collection(USERS),
        Step::Collection(EMAILS),
        Step::Collection(FIRST_ADMIN),
        Step::Document { collection: COUNTERS, id: users::COUNT, fields: || doc! { "value": 0_i64 } },
        Step::Collection(SESSIONS),
        Step::Index(Index::new(SESSIONS, "ended_1", &[("ended_at", 1)])),
        Step::Index(Index::new(SESSIONS, "user_1", &[("user", 1), ("_id", 1)])),
        Step::Collection(REFRESH_TOKENS),
        Step::Index(Index::new(REFRESH_TOKENS, "session_1", &[("session", 1)])),
        Step::Collection(SIGNING_KEYS),
        Step::Outbox(OUTBOX),
    ],
};

/// What people do with their own account.
const ACCOUNT: Migration = Migration { version: Version { major: 1, minor: 1 }, steps: account::STEPS };

/// API tokens, the audit log, invitations, groups.
const ADMINISTRATION: Migration = Migration {
    version: Version { major: 1, minor: 2 },
    steps: &[
        Step::Collection(TOKENS),
        Step::Index(Index::new(TOKENS, "token_1", &[("token", 1)]).unique()),
        Step::Index(Index::new(TOKENS, "user_1", &[("user", 1), ("token", -1)])),
        Step::Index(Index::new(TOKENS, "ended_1", &[("ended_at", 1)])),
        Step::Collection(AUDIT),
        Step::Index(Index::new(AUDIT, "at_1", &[("at", -1), ("_id", -1)])),
        Step::Index(Index::new(AUDIT, "actor_1", &[("actor", 1), ("at", -1), ("_id", -1)])),
        Step::Index(Index::new(AUDIT, "action_1", &[("action", 1), ("at", -1), ("_id", -1)])),
        Step::Collection(INVITATIONS),
        Step::Index(Index::new(INVITATIONS, "invitation_1", &[("invitation", 1)]).unique()),
        Step::Index(Index::new(INVITATIONS, "expires_1", &[("expires_at", 1)])),
        Step::Collection(GROUPS),
        Step::Collection(GROUP_NAMES),
        Step::Index(Index::new(GROUP_NAMES, "group_1", &[("group", 1)])),
        Step::Collection(MEMBERS),
        Step::Index(Index::new(MEMBERS, "group_1", &[("group", 1), ("user", 1)]).unique()),
        Step::Index(Index::new(MEMBERS, "user_1", &[("user", 1), ("group", 1)])),
        Step::Index(Index::new(USERS, "role_1", &[("role", 1), ("disabled", 1), ("_id", -1)])),
    ],
};

/// Accounts that wait to be deleted.
const DELETION: Migration = Migration {
    version: Version { major: 1, minor: 3 },
    steps: &[Step::Index(Index::new(USERS, "deletes_1", &[("deletes_at", 1), ("_id", 1)]))],
};

/// Identities of providers.
const IDENTITIES: Migration = Migration { version: Version { major: 1, minor: 4 }, steps: identities::STEPS };

/// Requests with a key of their own.
const KEYED: Migration =
    Migration { version: Version { major: 1, minor: 6 }, steps: &keyed::steps(keyed::AUTH) };

/// The store of auth-service: an [`AuthStore`] and its [`common::jobs::Outbox`].
pub struct AuthDb {
    engine: Engine,
    outbox: Outbox,
}

impl AuthDb {
    /// Asks nothing of the server: the first call that reaches it brings the schema up to date.
    pub fn new(mongo: &Mongo) -> Self {
        Self { engine: Engine::new(mongo, &SCHEMA), outbox: Outbox::new(OUTBOX) }
    }

    /// Brings the schema up to date, if that was not done; for programs to call when they start. Of several processes one does it, and the others wait.
    ///
    /// # Errors
    /// `Broken` if a newer major version was here, or the server knows no transactions; `Unavailable` if it does not answer.
    pub async fn migrate(&self) -> PortResult<()> {
        self.engine.migrate().await
    }

    async fn create(
        &self,
        user: &User,
        jobs: &[NewJob],
        audit: &[AuditEntry],
        office: Office,
    ) -> Result<(), CreateUserError> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        // all of them change the count
        engine
            .transact(&[ObjectId::from_bytes([0; 12])], |mut tx| async move {
                users::insert(engine, tx.session(), user, office).await?;
                audit::insert(engine, tx.session(), audit).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok(())
            })
            .await
    }
}

outbox::impl_outbox!(AuthDb);
keyed::impl_keyed!(AuthDb);

/// A document of signing keys.
#[derive(Serialize, Deserialize)]
struct KeyDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
    public: Binary,
    sealed: Binary,
    created_at: i64,
    /// The greatest number for never.
    retires_at: i64,
}

impl KeyDoc {
    fn of(key: &SealedKey) -> Self {
        Self {
            id: key.id.oid(),
            public: binary(&key.public),
            sealed: binary(&key.sealed),
            created_at: key.created_at.millis(),
            retires_at: key.retires_at.map_or(i64::MAX, Timestamp::millis),
        }
    }

    fn read(self) -> Result<SealedKey, Fault> {
        Ok(SealedKey {
            id: id(self.id),
            public: fixed(&self.public)?,
            sealed: self.sealed.bytes,
            created_at: Timestamp::from_millis(self.created_at),
            retires_at: (self.retires_at != i64::MAX).then(|| Timestamp::from_millis(self.retires_at)),
        })
    }
}

#[async_trait]
impl AuthStore for AuthDb {
    async fn create_user(&self, user: &User, jobs: &[NewJob]) -> Result<(), CreateUserError> {
        self.create(user, jobs, &[], Office::AsTheRoleSays).await
    }

    async fn create_first_admin(
        &self,
        user: &User,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), CreateUserError> {
        self.create(user, jobs, std::slice::from_ref(entry), Office::FirstAdmin).await
    }

    async fn has_admin(&self) -> PortResult<bool> {
        self.engine.run(users::has_admin(&self.engine)).await
    }

    async fn find_user(&self, id: UserId) -> PortResult<Option<User>> {
        self.engine.run(users::find(&self.engine, id.oid())).await
    }

    async fn find_users(&self, ids: &[UserId]) -> PortResult<Vec<User>> {
        self.engine.run(users::find_all(&self.engine, ids)).await
    }

    async fn find_user_by_address(&self, key: &AddressKey) -> PortResult<Option<User>> {
        self.engine.run(users::find_by_address(&self.engine, key)).await
    }

    async fn upgrade_password_hash(&self, id: UserId, old: &str, new: &str) -> PortResult<bool> {
        self.engine.run(users::upgrade_password_hash(&self.engine, id, old, new)).await
    }

    async fn count_users(&self) -> PortResult<u64> {
        self.engine.run(users::count(&self.engine)).await
    }

    async fn create_session(&self, session: &Session) -> PortResult<()> {
        sessions::insert(&self.engine, session).await
    }

    async fn find_session(&self, id: SessionId) -> PortResult<Option<Session>> {
        self.engine.run(sessions::find(&self.engine, id.oid())).await
    }

    async fn revoke_session(&self, id: SessionId, at: Timestamp) -> PortResult<bool> {
        self.engine.write_run(sessions::revoke(&self.engine, id.oid(), at)).await
    }

    async fn rotate_refresh(
        &self,
        presented: &[u8; 32],
        new: &[u8; 32],
        at: Timestamp,
        expires_at: Timestamp,
    ) -> PortResult<RefreshOutcome> {
        self.engine.run(sessions::rotate(&self.engine, presented, new, at, expires_at)).await
    }

    async fn remove_ended_sessions(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine.run(sessions::remove_ended(&self.engine, before, limit)).await
    }

    async fn add_signing_key(&self, key: &SealedKey) -> PortResult<()> {
        self.engine
            .write(async {
                self.engine.collection(SIGNING_KEYS).insert_one(KeyDoc::of(key)).await?;
                Ok(())
            })
            .await
    }

    async fn list_signing_keys(&self, now: Timestamp) -> PortResult<Vec<SealedKey>> {
        self.engine
            .call(async {
                let keys: Vec<KeyDoc> = self
                    .engine
                    .collection(SIGNING_KEYS)
                    .find(doc! { "retires_at": { "$gt": now.millis() } })
                    .sort(doc! { "created_at": -1, "_id": -1 })
                    .max_time(self.engine.deadline())
                    .await?
                    .try_collect()
                    .await?;
                let keys = keys.into_iter().map(KeyDoc::read).collect::<Result<_, _>>()?;
                Ok::<_, Abort<PortError>>(keys)
            })
            .await
    }

    async fn reseal_signing_key(&self, id: SigningKeyId, old: &[u8], new: &[u8]) -> PortResult<bool> {
        self.engine
            .call(async {
                let keys = self.engine.collection::<KeyDoc>(SIGNING_KEYS);
                let filter = doc! { "_id": id.oid(), "sealed": binary(old) };
                let resealed = keys.update_one(filter, doc! { "$set": { "sealed": binary(new) } }).await?;
                Ok::<_, Abort<PortError>>(resealed.matched_count == 1)
            })
            .await
    }

    async fn ping(&self) -> PortResult<()> {
        self.engine.ping().await
    }
}
