//! Invitations.

use async_trait::async_trait;
use common::auth::{
    Address, AuditEntry, CreateUserError, Invitation, InvitationStore, Role, UseInvitationError, User,
};
use common::files::Page;
use common::jobs::NewJob;
use common::{InvitationId, PortError, PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use serde::{Deserialize, Serialize};

use super::admin::paged;
use super::users::{self, Office};
use super::{AuthDb, audit};
use crate::engine::{Abort, Fault};
use crate::value::{ToOid as _, binary, fixed, id};

pub(super) const INVITATIONS: &str = "invitations";

/// Its `_id` is the hash of the code, which must be unique.
#[derive(Serialize, Deserialize)]
pub(super) struct InvitationDoc {
    #[serde(rename = "_id")]
    hash: Binary,
    invitation: ObjectId,
    address: Option<String>,
    role: String,
    made_by: ObjectId,
    created_at: i64,
    expires_at: i64,
}

impl InvitationDoc {
    pub(super) fn of(invitation: &Invitation) -> Self {
        Self {
            hash: binary(&invitation.hash),
            invitation: invitation.id.oid(),
            address: invitation.address.as_ref().map(|address| address.as_str().to_owned()),
            role: invitation.role.word().to_owned(),
            made_by: invitation.made_by.oid(),
            created_at: invitation.created_at.millis(),
            expires_at: invitation.expires_at.millis(),
        }
    }

    pub(super) fn read(self) -> Result<Invitation, Fault> {
        let address = self.address.map(|text| Address::parse(&text)).transpose();
        Ok(Invitation {
            id: id(self.invitation),
            hash: fixed(&self.hash)?,
            address: address.map_err(|_| Fault::Damaged("an address that is none"))?,
            role: Role::parse(&self.role).ok_or(Fault::Damaged("an unknown role"))?,
            made_by: id(self.made_by),
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: Timestamp::from_millis(self.expires_at),
        })
    }
}

#[async_trait]
impl InvitationStore for AuthDb {
    async fn create_invitation(
        &self,
        invitation: &Invitation,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> PortResult<()> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[], |mut tx| async move {
                engine
                    .collection(INVITATIONS)
                    .insert_one(InvitationDoc::of(invitation))
                    .session(tx.session())
                    .await?;
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok::<_, Abort<PortError>>(())
            })
            .await
    }

    async fn list_invitations(
        &self,
        now: Timestamp,
        before: Option<InvitationId>,
        limit: u32,
    ) -> PortResult<Page<Invitation>> {
        let all = doc! { "expires_at": { "$gt": now.millis() } };
        let mut page = all.clone();
        if let Some(before) = before {
            page.insert("invitation", doc! { "$lt": before.oid() });
        }
        self.engine
            .run(async {
                let invitations = self.engine.collection::<InvitationDoc>(INVITATIONS);
                let total = invitations.count_documents(all).max_time(self.engine.deadline()).await?;
                let items: Vec<InvitationDoc> = invitations
                    .find(page)
                    .sort(doc! { "invitation": -1 })
                    .limit(i64::from(limit) + 1)
                    .max_time(self.engine.deadline())
                    .await?
                    .try_collect()
                    .await?;
                let items = items.into_iter().map(InvitationDoc::read).collect::<Result<_, _>>()?;
                Ok(paged(items, limit, total))
            })
            .await
    }

    async fn find_invitation(&self, hash: &[u8; 32], now: Timestamp) -> PortResult<Option<Invitation>> {
        self.engine
            .run(async {
                let usable = doc! { "_id": binary(hash), "expires_at": { "$gt": now.millis() } };
                let found = self.engine.collection::<InvitationDoc>(INVITATIONS).find_one(usable).await?;
                found.map(InvitationDoc::read).transpose()
            })
            .await
    }

    async fn delete_invitation(&self, invitation: InvitationId, entry: &AuditEntry) -> PortResult<bool> {
        let engine = &self.engine;
        engine
            .transact(&[], |mut tx| async move {
                let gone = engine
                    .collection::<Document>(INVITATIONS)
                    .delete_one(doc! { "invitation": invitation.oid() })
                    .session(tx.session())
                    .await?
                    .deleted_count;
                if gone == 1 {
                    audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                }
                Ok::<_, Abort<PortError>>(gone == 1)
            })
            .await
    }

    async fn create_invited_user(
        &self,
        user: &User,
        hash: &[u8; 32],
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), UseInvitationError> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        // all that make an account change the count
        engine
            .transact(&[ObjectId::from_bytes([0; 12])], |mut tx| async move {
                let usable = doc! { "_id": binary(hash), "expires_at": { "$gt": user.created_at.millis() } };
                let used = engine
                    .collection::<InvitationDoc>(INVITATIONS)
                    .find_one_and_delete(usable)
                    .session(tx.session())
                    .await?;
                let used = used.map(InvitationDoc::read).transpose()?;
                if !used.is_some_and(|invitation| is_for(&invitation, user)) {
                    return Err(UseInvitationError::Invalid.into());
                }
                users::insert(engine, tx.session(), user, Office::AsTheRoleSays).await.map_err(|abort| {
                    match abort {
                        Abort::Rule(CreateUserError::Port(error)) => Abort::Rule(error.into()),
                        Abort::Rule(CreateUserError::AddressTaken | CreateUserError::AlreadySetUp) => {
                            Abort::Rule(UseInvitationError::AddressTaken)
                        }
                        Abort::Fault(fault) => Abort::Fault(fault),
                    }
                })?;
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok(())
            })
            .await
    }

    async fn remove_ended_invitations(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine
            .run(async {
                let invitations = self.engine.collection::<Document>(INVITATIONS);
                let ended: Vec<Document> = invitations
                    .find(doc! { "expires_at": { "$lt": before.millis() } })
                    .projection(doc! { "_id": 1 })
                    .limit(i64::from(limit.max(1)))
                    .max_time(self.engine.deadline())
                    .await?
                    .try_collect()
                    .await?;
                let ended: Vec<_> = ended.into_iter().filter_map(|mut one| one.remove("_id")).collect();
                let removed = invitations.delete_many(doc! { "_id": { "$in": ended } }).await?;
                Ok(u32::try_from(removed.deleted_count).unwrap_or(limit))
            })
            .await
    }
}

/// Whether this account may be made with the invitation.
fn is_for(invitation: &Invitation, user: &User) -> bool {
    invitation.role == user.role
        && invitation.address.as_ref().is_none_or(|address| address.key() == user.address.key())
}
