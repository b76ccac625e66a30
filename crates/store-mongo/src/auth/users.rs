use common::auth::{Address, AddressKey, CreateUserError, Role, User};
use common::{Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Fault, TxResult, is_duplicate};
use crate::value::{ToOid as _, count as read_count, id, oids};

pub(super) const USERS: &str = "users";
/// Whose an address is: what must be unique stands as `_id` in a collection of its own, so that `users` can be sharded by its own `_id`.
pub(super) const EMAILS: &str = "emails";
/// At most one document, which says that there is an administrator.
pub(super) const FIRST_ADMIN: &str = "first_admin";
pub(super) const NOTE: &str = "first_admin";
pub(super) const COUNTERS: &str = "auth_counters";
/// Accounts, bootstrap administrators left out.
pub(super) const COUNT: &str = "users";

#[derive(Serialize, Deserialize)]
pub(super) struct UserDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
    address: String,
    password_hash: String,
    role: String,
    disabled: bool,
    bootstrap: bool,
    created_at: i64,
    /// An account that waits to be deleted is disabled as well.
    #[serde(default, skip_serializing)]
    deletes_at: Option<i64>,
}

impl UserDoc {
    pub(super) fn of(user: &User) -> Self {
        Self {
            id: user.id.oid(),
            address: user.address.as_str().to_owned(),
            password_hash: user.password_hash.clone(),
            role: user.role.word().to_owned(),
            disabled: user.disabled,
            bootstrap: user.bootstrap,
            created_at: user.created_at.millis(),
            deletes_at: None,
        }
    }

    pub(super) fn read(self) -> Result<User, Fault> {
        Ok(User {
            id: id(self.id),
            address: Address::parse(&self.address).map_err(|_| Fault::Damaged("an address that is none"))?,
            password_hash: self.password_hash,
            role: Role::parse(&self.role).ok_or(Fault::Damaged("an unknown role"))?,
            disabled: self.disabled || self.deletes_at.is_some(),
            bootstrap: self.bootstrap,
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct EmailDoc {
    #[serde(rename = "_id")]
    pub(super) address: String,
    pub(super) user: ObjectId,
}

/// What an account is made as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Office {
    /// An ordinary account, or one more administrator.
    AsTheRoleSays,
    /// The first administrator, if there is none.
    FirstAdmin,
}

/// Puts an account with its address and what it counts for. Of simultaneous ones with the same address, or the same office, one is committed.
pub(super) async fn insert(
    engine: &Engine,
    session: &mut ClientSession,
    user: &User,
    office: Office,
) -> TxResult<(), CreateUserError> {
    if office == Office::FirstAdmin || user.role == Role::Admin {
        take_office(engine, session, user.id, office).await?;
    }
    let email = EmailDoc { address: user.address.key().as_str().to_owned(), user: user.id.oid() };
    match engine.collection(EMAILS).insert_one(email).session(&mut *session).await {
        Err(error) if is_duplicate(&error) => return Err(CreateUserError::AddressTaken.into()),
        result => result?,
    };
    engine.collection(USERS).insert_one(UserDoc::of(user)).session(&mut *session).await?;
    if !user.bootstrap {
        engine
            .collection::<Document>(COUNTERS)
            .update_one(doc! { "_id": COUNT }, doc! { "$inc": { "value": 1_i64 } })
            .session(session)
            .await?;
    }
    Ok(())
}

/// The address of a new account is its owner's since it was made.
pub(super) async fn verify(
    engine: &Engine,
    session: &mut ClientSession,
    user: &User,
) -> Result<(), mongodb::error::Error> {
    let set = doc! { "$set": { "verified_at": user.created_at.millis() } };
    let users = engine.collection::<Document>(USERS);
    users.update_one(doc! { "_id": user.id.oid() }, set).session(session).await.map(drop)
}

/// Every administrator leaves a note that there is one, so that the first one is refused by the note alone.
async fn take_office(
    engine: &Engine,
    session: &mut ClientSession,
    user: UserId,
    office: Office,
) -> TxResult<(), CreateUserError> {
    let notes = engine.collection::<Document>(FIRST_ADMIN);
    match office {
        Office::FirstAdmin => {
            match notes.insert_one(doc! { "_id": NOTE, "user": user.oid() }).session(session).await {
                Err(error) if is_duplicate(&error) => Err(CreateUserError::AlreadySetUp.into()),
                result => Ok(result.map(drop)?),
            }
        }
        Office::AsTheRoleSays => Ok(note_admin(engine, session, user).await?),
    }
}

/// Notes that there is an administrator.
pub(super) async fn note_admin(
    engine: &Engine,
    session: &mut ClientSession,
    user: UserId,
) -> Result<(), Fault> {
    let note = doc! { "$setOnInsert": { "user": user.oid() } };
    let notes = engine.collection::<Document>(FIRST_ADMIN);
    notes.update_one(doc! { "_id": NOTE }, note).upsert(true).session(session).await?;
    Ok(())
}

pub(super) async fn has_admin(engine: &Engine) -> Result<bool, Fault> {
    let note = engine.collection::<Document>(FIRST_ADMIN).find_one(doc! { "_id": NOTE }).await?;
    Ok(note.is_some())
}

pub(super) async fn find(engine: &Engine, id: ObjectId) -> Result<Option<User>, Fault> {
    let found = engine.collection::<UserDoc>(USERS).find_one(doc! { "_id": id }).await?;
    found.map(UserDoc::read).transpose()
}

pub(super) async fn find_all(engine: &Engine, ids: &[UserId]) -> Result<Vec<User>, Fault> {
    let found: Vec<UserDoc> = engine
        .collection::<UserDoc>(USERS)
        .find(doc! { "_id": { "$in": oids(ids) } })
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    found.into_iter().map(UserDoc::read).collect()
}

pub(super) async fn find_by_address(engine: &Engine, key: &AddressKey) -> Result<Option<User>, Fault> {
    let email = engine.collection::<EmailDoc>(EMAILS).find_one(doc! { "_id": key.as_str() }).await?;
    let Some(email) = email else { return Ok(None) };
    // they came in one commit
    find(engine, email.user).await
}

pub(super) async fn upgrade_password_hash(
    engine: &Engine,
    id: UserId,
    old: &str,
    new: &str,
) -> Result<bool, Fault> {
    let changed = engine
        .collection::<Document>(USERS)
        .update_one(doc! { "_id": id.oid(), "password_hash": old }, doc! { "$set": { "password_hash": new } })
        .await?;
    Ok(changed.matched_count == 1)
}

pub(super) async fn count(engine: &Engine) -> Result<u64, Fault> {
    let counter = engine.collection::<Document>(COUNTERS).find_one(doc! { "_id": COUNT }).await?;
    let value = counter.as_ref().and_then(|counter| counter.get_i64("value").ok());
    read_count(value.ok_or(Fault::Damaged("the count of accounts is missing"))?)
}
