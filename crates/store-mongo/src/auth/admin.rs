//! Accounts as administrators manage them.

use async_trait::async_trait;
use common::auth::{
    AuditEntry, ChangeUserError, CreateUserError, KeyAdmin, Role, SealedKey, User, UserAdmin, UserChange,
    UserFilter,
};
use common::files::Page;
use common::jobs::NewJob;
use common::{PortError, PortResult, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};

use super::account::{codes, deletion, devices};
use super::sessions::{REFRESH_TOKENS, SESSIONS};
use super::tokens::{self, TOKENS};
use super::users::{self, COUNT, COUNTERS, EMAILS, FIRST_ADMIN, NOTE, Office, USERS, UserDoc};
use super::{AuthDb, KeyDoc, SIGNING_KEYS, audit, identities};
use crate::engine::{Abort, Engine, Fault, TxResult};
use crate::value::ToOid as _;

#[async_trait]
impl UserAdmin for AuthDb {
    async fn list_users(
        &self,
        filter: &UserFilter,
        before: Option<UserId>,
        limit: u32,
    ) -> PortResult<Page<User>> {
        let mut all = doc! {};
        if let Some(text) = &filter.address {
            // literally: the text is the user's
            let pattern = text.chars().fold(String::new(), |mut pattern, letter| {
                if !letter.is_alphanumeric() {
                    pattern.push('\\');
                }
                pattern.push(letter);
                pattern
            });
            let owners = self.owners(&pattern).await?;
            all.insert("_id", doc! { "$in": owners });
        }
        all.extend(filter_of(filter));
        let mut page = vec![all.clone()];
        if let Some(before) = before {
            page.push(doc! { "_id": { "$lt": before.oid() } });
        }
        self.engine
            .run(async {
                let users = self.engine.collection::<UserDoc>(USERS);
                let total = users.count_documents(all).max_time(self.engine.deadline()).await?;
                let items: Vec<UserDoc> = users
                    .find(doc! { "$and": page })
                    .sort(doc! { "_id": -1 })
                    .limit(i64::from(limit) + 1)
                    .max_time(self.engine.deadline())
                    .await?
                    .try_collect()
                    .await?;
                let items = items.into_iter().map(UserDoc::read).collect::<Result<_, _>>()?;
                Ok(paged(items, limit, total))
            })
            .await
    }

    async fn add_user(
        &self,
        user: &User,
        verified: bool,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), CreateUserError> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        // all of them change the count
        engine
            .transact(&[ObjectId::from_bytes([0; 12])], |mut tx| async move {
                users::insert(engine, tx.session(), user, Office::AsTheRoleSays).await?;
                if verified {
                    users::verify(engine, tx.session(), user).await?;
                }
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok(())
            })
            .await
    }

    async fn change_user(
        &self,
        id: UserId,
        change: &UserChange,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<User, ChangeUserError> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[id.oid()], |mut tx| async move {
                let before = find(engine, tx.session(), id).await?;
                let after = change.apply(before.clone());
                if !is_active_admin(&after) {
                    leave_an_administrator(engine, tx.session(), &before).await?;
                }
                if after.role == Role::Admin && before.role != Role::Admin {
                    users::note_admin(engine, tx.session(), id).await?;
                }
                let mut fields = doc! { "role": after.role.word() };
                // one that waits to be deleted is disabled without this field
                if let Some(disabled) = change.disabled {
                    fields.insert("disabled", disabled);
                }
                engine
                    .collection::<Document>(USERS)
                    .update_one(doc! { "_id": id.oid() }, doc! { "$set": fields })
                    .session(tx.session())
                    .await?;
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                find(engine, tx.session(), id).await
            })
            .await
    }

    async fn reset_password(
        &self,
        id: UserId,
        password_hash: &str,
        at: Timestamp,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), ChangeUserError> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[id.oid()], |mut tx| async move {
                let before = find(engine, tx.session(), id).await?;
                let set = doc! { "$set": { "password_hash": password_hash }, "$inc": { "identity_changes": 1_i64 } };
                engine
                    .collection::<Document>(USERS)
                    .update_one(doc! { "_id": id.oid() }, set)
                    .session(tx.session())
                    .await?;
                if before.password().is_some() {
                    identities::remove_of(engine, tx.session(), id.oid()).await?;
                }
                end_sessions(engine, tx.session(), id, at).await?;
                let (live, end) = tokens::revocation(id.oid(), at);
                engine.collection::<Document>(TOKENS).update_many(live, end).session(tx.session()).await?;
                codes::remove_of(engine, tx.session(), id.oid()).await?;
                devices::forget(engine, tx.session(), id.oid(), &[], at).await?;
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok(())
            })
            .await
    }

    async fn end_sessions(&self, user: UserId, at: Timestamp, entry: &AuditEntry) -> PortResult<u64> {
        let engine = &self.engine;
        engine
            .transact(&[user.oid()], |mut tx| async move {
                let ended = end_sessions(engine, tx.session(), user, at).await?;
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                Ok::<_, Abort<PortError>>(ended)
            })
            .await
    }

    async fn remove_user(
        &self,
        id: UserId,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), ChangeUserError> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        // all of them change the count
        engine
            .transact(&[ObjectId::from_bytes([0; 12])], |mut tx| async move {
                let user = find(engine, tx.session(), id).await?;
                leave_an_administrator(engine, tx.session(), &user).await?;
                let sessions: Vec<Document> = engine
                    .collection::<Document>(SESSIONS)
                    .find(doc! { "user": id.oid() })
                    .projection(doc! { "_id": 1 })
                    .session(tx.session())
                    .await?
                    .stream(tx.session())
                    .try_collect()
                    .await?;
                let sessions: Vec<_> =
                    sessions.iter().filter_map(|session| session.get_object_id("_id").ok()).collect();
                for (collection, which) in [
                    (REFRESH_TOKENS, doc! { "session": { "$in": sessions } }),
                    (SESSIONS, doc! { "user": id.oid() }),
                    (EMAILS, doc! { "_id": user.address.key().as_str() }),
                    (USERS, doc! { "_id": id.oid() }),
                ] {
                    engine
                        .collection::<Document>(collection)
                        .delete_many(which)
                        .session(tx.session())
                        .await?;
                }
                deletion::remove_belongings(engine, tx.session(), id.oid()).await?;
                if !user.bootstrap {
                    engine
                        .collection::<Document>(COUNTERS)
                        .update_one(doc! { "_id": COUNT }, doc! { "$inc": { "value": -1_i64 } })
                        .session(tx.session())
                        .await?;
                }
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok(())
            })
            .await
    }
}

#[async_trait]
impl KeyAdmin for AuthDb {
    async fn rotate_signing_keys(&self, key: &SealedKey, alone: bool, entry: &AuditEntry) -> PortResult<()> {
        let engine = &self.engine;
        engine
            .transact(&[], |mut tx| async move {
                let keys = engine.collection::<KeyDoc>(SIGNING_KEYS);
                if alone {
                    keys.delete_many(doc! {}).session(tx.session()).await?;
                }
                keys.insert_one(KeyDoc::of(key)).session(tx.session()).await?;
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                Ok::<_, Abort<PortError>>(())
            })
            .await
    }
}

impl AuthDb {
    /// The accounts of the addresses that match.
    async fn owners(&self, pattern: &str) -> PortResult<Vec<ObjectId>> {
        self.engine
            .run(async {
                let emails: Vec<Document> = self
                    .engine
                    .collection::<Document>(EMAILS)
                    .find(doc! { "_id": { "$regex": pattern } })
                    .max_time(self.engine.deadline())
                    .await?
                    .try_collect()
                    .await?;
                Ok(emails.iter().filter_map(|email| email.get_object_id("user").ok()).collect())
            })
            .await
    }
}

fn filter_of(filter: &UserFilter) -> Document {
    let mut document = doc! {};
    if let Some(role) = filter.role {
        document.insert("role", role.word());
    }
    if let Some(disabled) = filter.disabled {
        // one that waits to be deleted is disabled as well
        if disabled {
            document.insert("$or", [doc! { "disabled": true }, doc! { "deletes_at": { "$ne": null } }]);
        } else {
            document.extend(doc! { "disabled": false, "deletes_at": null });
        }
    }
    document
}

/// A page of what was read with one more than asked for.
pub(super) fn paged<T>(mut items: Vec<T>, limit: u32, total: u64) -> Page<T> {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    Page { items, more, total }
}

async fn find(engine: &Engine, session: &mut ClientSession, id: UserId) -> TxResult<User, ChangeUserError> {
    let found =
        engine.collection::<UserDoc>(USERS).find_one(doc! { "_id": id.oid() }).session(session).await?;
    Ok(found.ok_or(ChangeUserError::NotFound)?.read()?)
}

fn is_active_admin(user: &User) -> bool {
    user.role == Role::Admin && !user.disabled
}

/// Refuses to lose `user`, if that is the only administrator who is neither disabled nor waits to be deleted. All that lose one change the same note, so they come one after another.
pub(super) async fn leave_an_administrator(
    engine: &Engine,
    session: &mut ClientSession,
    user: &User,
) -> TxResult<(), ChangeUserError> {
    if !is_active_admin(user) {
        return Ok(());
    }
    engine
        .collection::<Document>(FIRST_ADMIN)
        .update_one(doc! { "_id": NOTE }, doc! { "$inc": { "lost": 1_i64 } })
        .upsert(true)
        .session(&mut *session)
        .await?;
    let another = doc! {
        "role": Role::Admin.word(), "disabled": false, "deletes_at": null, "_id": { "$ne": user.id.oid() },
    };
    match engine.collection::<Document>(USERS).find_one(another).session(session).await? {
        Some(_) => Ok(()),
        None => Err(ChangeUserError::LastAdministrator.into()),
    }
}

async fn end_sessions(
    engine: &Engine,
    session: &mut ClientSession,
    user: UserId,
    at: Timestamp,
) -> Result<u64, Fault> {
    let live = doc! { "user": user.oid(), "revoked_at": null, "expires_at": { "$gt": at.millis() } };
    let end = doc! { "$set": { "revoked_at": at.millis() }, "$min": { "ended_at": at.millis() } };
    let ended = engine.collection::<Document>(SESSIONS).update_many(live, end).session(session).await?;
    Ok(ended.modified_count)
}
