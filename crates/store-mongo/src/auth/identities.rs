//! Identities of accounts.

use async_trait::async_trait;
use common::auth::{
    AddIdentityError, AuditEntry, CreateIdentifiedError, CreateUserError, Identity, IdentityStore,
    MAX_IDENTITIES, RemoveIdentityError, User,
};
use common::jobs::NewJob;
use common::{IdentityId, PortResult, Sha256, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use serde::{Deserialize, Serialize};

use super::users::{self, Office, USERS, UserDoc};
use super::{AuthDb, audit};
use crate::engine::{Abort, Engine, Fault, Index, Step, is_duplicate};
use crate::value::{ToOid as _, binary, id};

pub(super) const IDENTITIES: &str = "identities";

/// What the schema has for them.
pub(super) const STEPS: &[Step] = &[
    Step::Collection(IDENTITIES),
    Step::Index(Index::new(IDENTITIES, "user_1", &[("user", 1), ("identity", 1)])),
];

/// Its `_id` is a digest of issuer and subject, which must be unique together.
#[derive(Serialize, Deserialize)]
pub(super) struct IdentityDoc {
    #[serde(rename = "_id")]
    key: Binary,
    identity: ObjectId,
    user: ObjectId,
    issuer: String,
    subject: String,
    address: Option<String>,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl IdentityDoc {
    pub(super) fn of(identity: &Identity) -> Self {
        Self {
            key: key(&identity.issuer, &identity.subject),
            identity: identity.id.oid(),
            user: identity.user.oid(),
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            address: identity.address.clone(),
            created_at: identity.created_at.millis(),
            last_used_at: identity.last_used_at.map(Timestamp::millis),
        }
    }

    pub(super) fn read(self) -> Identity {
        Identity {
            id: id(self.identity),
            user: id(self.user),
            issuer: self.issuer,
            subject: self.subject,
            address: self.address,
            created_at: Timestamp::from_millis(self.created_at),
            last_used_at: self.last_used_at.map(Timestamp::from_millis),
        }
    }
}

/// The length stands in front, so that no two pairs are one text.
fn key(issuer: &str, subject: &str) -> Binary {
    binary(&Sha256::of(format!("{} {issuer} {subject}", issuer.len()).as_bytes()).0)
}

#[async_trait]
impl IdentityStore for AuthDb {
    async fn find_identity(&self, issuer: &str, subject: &str) -> PortResult<Option<Identity>> {
        self.engine
            .run(async {
                let identities = self.engine.collection::<IdentityDoc>(IDENTITIES);
                let found = identities.find_one(doc! { "_id": key(issuer, subject) }).await?;
                Ok(found.map(IdentityDoc::read))
            })
            .await
    }

    async fn list_identities(&self, user: UserId) -> PortResult<Vec<Identity>> {
        self.engine
            .run(async {
                let found: Vec<IdentityDoc> = self
                    .engine
                    .collection::<IdentityDoc>(IDENTITIES)
                    .find(doc! { "user": user.oid() })
                    .sort(doc! { "identity": 1 })
                    .max_time(self.engine.deadline())
                    .await?
                    .try_collect()
                    .await?;
                Ok(found.into_iter().map(IdentityDoc::read).collect())
            })
            .await
    }

    async fn add_identity(
        &self,
        identity: &Identity,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), AddIdentityError> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[identity.user.oid()], |mut tx| async move {
                if take_turn(engine, tx.session(), identity.user).await?.is_none() {
                    return Err(AddIdentityError::NoUser.into());
                }
                if count(engine, tx.session(), identity.user).await? >= MAX_IDENTITIES {
                    return Err(AddIdentityError::TooMany.into());
                }
                if !insert(engine, tx.session(), identity).await? {
                    return Err(AddIdentityError::Taken.into());
                }
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok(())
            })
            .await
    }

    async fn create_identified_user(
        &self,
        user: &User,
        identity: &Identity,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), CreateIdentifiedError> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        // all that make an account change the count
        engine
            .transact(&[ObjectId::from_bytes([0; 12])], |mut tx| async move {
                if !insert(engine, tx.session(), identity).await? {
                    return Err(CreateIdentifiedError::IdentityTaken.into());
                }
                users::insert(engine, tx.session(), user, Office::AsTheRoleSays).await.map_err(|abort| {
                    match abort {
                        Abort::Rule(CreateUserError::Port(error)) => Abort::Rule(error.into()),
                        Abort::Rule(CreateUserError::AddressTaken | CreateUserError::AlreadySetUp) => {
                            Abort::Rule(CreateIdentifiedError::AddressTaken)
                        }
                        Abort::Fault(fault) => Abort::Fault(fault),
                    }
                })?;
                users::verify(engine, tx.session(), user).await?;
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok(())
            })
            .await
    }

    async fn remove_identity(
        &self,
        user: UserId,
        identity: IdentityId,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), RemoveIdentityError> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[user.oid()], |mut tx| async move {
                let owner = take_turn(engine, tx.session(), user).await?;
                let gone = engine
                    .collection::<Document>(IDENTITIES)
                    .delete_one(doc! { "user": user.oid(), "identity": identity.oid() })
                    .session(tx.session())
                    .await?
                    .deleted_count;
                if gone == 0 {
                    return Err(RemoveIdentityError::NotFound.into());
                }
                let has_password = owner.is_some_and(|owner| owner.password().is_some());
                if !has_password && count(engine, tx.session(), user).await? == 0 {
                    return Err(RemoveIdentityError::LastWayIn.into());
                }
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok(())
            })
            .await
    }

    async fn note_identity_use(
        &self,
        identity: &Identity,
        at: Timestamp,
        address: Option<&str>,
    ) -> PortResult<()> {
        // the id beside the key: it may have been removed and linked to somebody else
        let found = doc! { "_id": key(&identity.issuer, &identity.subject), "identity": identity.id.oid() };
        self.engine
            .write_run(async {
                let used = doc! { "$set": { "last_used_at": at.millis(), "address": address } };
                let identities = self.engine.collection::<Document>(IDENTITIES);
                identities.update_one(found, used).await?;
                Ok(())
            })
            .await
    }
}

/// All that an account has.
pub(super) async fn remove_of(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
) -> Result<(), mongodb::error::Error> {
    let identities = engine.collection::<Document>(IDENTITIES);
    identities.delete_many(doc! { "user": user }).session(session).await.map(drop)
}

/// The account, written to: two transactions that count its identities must not pass each other by, nor one the account's end.
async fn take_turn(
    engine: &Engine,
    session: &mut ClientSession,
    user: UserId,
) -> Result<Option<User>, Fault> {
    let turn = doc! { "$inc": { "identity_changes": 1_i64 } };
    let users = engine.collection::<UserDoc>(USERS);
    let found = users.find_one_and_update(doc! { "_id": user.oid() }, turn).session(session).await?;
    found.map(UserDoc::read).transpose()
}

async fn count(engine: &Engine, session: &mut ClientSession, user: UserId) -> Result<u64, Fault> {
    let mut found = engine
        .collection::<Document>(IDENTITIES)
        .find(doc! { "user": user.oid() })
        .projection(doc! { "_id": 1 })
        .session(&mut *session)
        .await?;
    let mut many = 0;
    while found.next(session).await.transpose()?.is_some() {
        many += 1;
    }
    Ok(many)
}

/// False if the subject is there already; the transaction has ended then.
async fn insert(engine: &Engine, session: &mut ClientSession, identity: &Identity) -> Result<bool, Fault> {
    let identities = engine.collection(IDENTITIES);
    match identities.insert_one(IdentityDoc::of(identity)).session(session).await {
        Err(error) if is_duplicate(&error) => Ok(false),
        result => Ok(result.map(|_| true)?),
    }
}
