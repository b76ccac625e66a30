//! Accounts and what is theirs, as a whole.

use async_trait::async_trait;
use common::auth::{ApiToken, AuditEntry, Group, Identity, Invitation, Role, User};
use common::jobs::NewJob;
use common::portable::{PortableAccount, PortableAuth};
use common::{AuditId, GroupId, IdentityId, InvitationId, JobId, PortResult, Timestamp, TokenId, UserId};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Bson, Document, doc};
use serde::Deserialize;

use super::account::devices::{DEVICES, DeviceDoc, DevicesDoc};
use super::account::profile;
use super::audit::{AUDIT, EntryDoc};
use super::groups::{GROUP_NAMES, GROUPS, GroupDoc, MEMBERS, MemberDoc};
use super::identities::{IDENTITIES, IdentityDoc};
use super::invitations::{INVITATIONS, InvitationDoc};
use super::tokens::{TOKENS, TokenDoc};
use super::users::{COUNT, COUNTERS, EMAILS, EmailDoc, FIRST_ADMIN, NOTE, USERS, UserDoc};
use super::{AuthDb, OUTBOX};
use crate::engine::{Engine, Fault};
use crate::portable::{behind_pair, document, keep, outbox, page, page_of, put};
use crate::value::{ToOid as _, binary, fixed, id, int};

async fn accounts(engine: &Engine, after: Option<UserId>, limit: u32) -> Result<Vec<PortableAccount>, Fault> {
    #[derive(Deserialize)]
    struct Codes {
        #[serde(default)]
        recovery_codes: Vec<Binary>,
    }
    let found: Vec<Document> = page(engine, USERS, "_id", after.map(|id| id.oid()), limit).await?;
    let ids: Vec<ObjectId> = found.iter().filter_map(|user| user.get_object_id("_id").ok()).collect();
    let devices: Vec<DevicesDoc> = engine
        .collection::<DevicesDoc>(DEVICES)
        .find(doc! { "_id": { "$in": ids } })
        .await?
        .try_collect()
        .await?;
    let mut accounts = Vec::with_capacity(found.len());
    for user in found {
        let codes: Codes = mongodb::bson::deserialize_from_document(user.clone())
            .map_err(|_| Fault::Damaged("recovery codes that are none"))?;
        let account = profile::account(user)?;
        let mut recovery_codes: Vec<[u8; 32]> =
            codes.recovery_codes.iter().map(fixed).collect::<Result<_, _>>()?;
        recovery_codes.sort_unstable();
        let own = devices.iter().find(|of| of.user == account.user.id.oid());
        let mut devices: Vec<([u8; 32], Timestamp)> = own
            .map_or(&[][..], |own| &own.devices)
            .iter()
            .map(|device| Ok((fixed(&device.hash)?, Timestamp::from_millis(device.seen_at))))
            .collect::<Result<_, Fault>>()?;
        devices.sort_unstable();
        accounts.push(PortableAccount { account, recovery_codes, devices });
    }
    Ok(accounts)
}

fn user_document(kept: &PortableAccount) -> Result<Document, Fault> {
    let account = &kept.account;
    let mut user = document(&UserDoc::of(&User { disabled: account.blocked, ..account.user.clone() }))?;
    put(&mut user, "verified_at", account.verified_at.map(Timestamp::millis));
    put(&mut user, "name", account.name.as_deref());
    put(&mut user, "deletes_at", account.deletes_at.map(Timestamp::millis));
    let preferences = serde_json::to_string(&account.preferences)
        .map_err(|_| Fault::Damaged("preferences that are no JSON"))?;
    user.insert("preferences", preferences);
    user.insert("revision", int(account.revision));
    if let Some(totp) = &account.totp {
        user.insert("totp", binary(&totp.sealed));
        user.insert("totp_step", int(totp.last_step));
        put(&mut user, "totp_confirmed_at", totp.confirmed_at.map(Timestamp::millis));
    }
    if !kept.recovery_codes.is_empty() {
        let codes: Vec<Bson> = kept.recovery_codes.iter().map(|hash| binary(hash).into()).collect();
        user.insert("recovery_codes", codes);
    }
    Ok(user)
}

async fn keep_accounts(engine: &Engine, accounts: &[PortableAccount]) -> Result<(), Fault> {
    let emails: Vec<_> = accounts
        .iter()
        .map(|kept| EmailDoc {
            address: kept.account.user.address.key().as_str().to_owned(),
            user: kept.account.user.id.oid(),
        })
        .collect();
    let addresses: Vec<_> = emails.iter().map(|email| email.address.clone()).collect();
    keep(engine, EMAILS, emails).await?;
    // what was there before must be of the same account
    let there: Vec<EmailDoc> = engine
        .collection::<EmailDoc>(EMAILS)
        .find(doc! { "_id": { "$in": addresses } })
        .await?
        .try_collect()
        .await?;
    let is_of = |email: &EmailDoc| accounts.iter().any(|kept| kept.account.user.id.oid() == email.user);
    if !there.iter().all(is_of) {
        return Err(Fault::Damaged("another account has the address of one that shall be kept"));
    }
    let users = accounts.iter().map(user_document).collect::<Result<_, _>>()?;
    keep(engine, USERS, users).await?;
    let devices = accounts.iter().filter(|kept| !kept.devices.is_empty()).map(|kept| DevicesDoc {
        user: kept.account.user.id.oid(),
        devices: kept
            .devices
            .iter()
            .map(|(hash, seen_at)| DeviceDoc { hash: binary(hash), seen_at: seen_at.millis() })
            .collect(),
    });
    keep(engine, DEVICES, devices.collect()).await?;
    if let Some(admin) = accounts.iter().find(|kept| kept.account.user.role == Role::Admin) {
        let note = doc! { "$setOnInsert": { "user": admin.account.user.id.oid() } };
        let notes = engine.collection::<Document>(FIRST_ADMIN);
        notes.update_one(doc! { "_id": NOTE }, note).upsert(true).await?;
    }
    let users = engine.collection::<Document>(USERS).count_documents(doc! { "bootstrap": false }).await?;
    let count = doc! { "$set": { "value": int(users) } };
    engine.collection::<Document>(COUNTERS).update_one(doc! { "_id": COUNT }, count).upsert(true).await?;
    Ok(())
}

async fn groups(engine: &Engine, after: Option<GroupId>, limit: u32) -> Result<Vec<Group>, Fault> {
    let found: Vec<GroupDoc> = page(engine, GROUPS, "_id", after.map(|id| id.oid()), limit).await?;
    let mut groups = Vec::with_capacity(found.len());
    for group in found {
        let members: Vec<MemberDoc> = engine
            .collection(MEMBERS)
            .find(doc! { "group": group.id })
            .sort(doc! { "user": 1 })
            .await?
            .try_collect()
            .await?;
        groups.push(Group {
            id: id(group.id),
            name: group.name,
            members: members.into_iter().map(|member| id(member.user)).collect(),
            created_at: Timestamp::from_millis(group.created_at),
        });
    }
    Ok(groups)
}

async fn keep_groups(engine: &Engine, groups: &[Group]) -> Result<(), Fault> {
    let names = groups
        .iter()
        .map(|group| doc! { "_id": Group::name_key(&group.name), "group": group.id.oid() })
        .collect();
    keep::<Document>(engine, GROUP_NAMES, names).await?;
    let members = groups.iter().flat_map(|group| {
        let member = |user: &UserId| MemberDoc { group: group.id.oid(), user: user.oid() };
        group.members.iter().map(member).collect::<Vec<_>>()
    });
    keep(engine, MEMBERS, members.collect()).await?;
    let docs = groups.iter().map(|group| GroupDoc {
        id: group.id.oid(),
        name: group.name.clone(),
        created_at: group.created_at.millis(),
    });
    keep(engine, GROUPS, docs.collect()).await
}

#[async_trait]
impl PortableAuth for AuthDb {
    async fn page_accounts(&self, after: Option<UserId>, limit: u32) -> PortResult<Vec<PortableAccount>> {
        self.engine.run(accounts(&self.engine, after, limit)).await
    }

    async fn keep_accounts(&self, accounts: &[PortableAccount]) -> PortResult<()> {
        self.engine.run(keep_accounts(&self.engine, accounts)).await
    }

    async fn page_tokens(&self, after: Option<TokenId>, limit: u32) -> PortResult<Vec<ApiToken>> {
        self.engine
            .run(async {
                let after = after.map(|id| id.oid());
                let found: Vec<TokenDoc> = page(&self.engine, TOKENS, "token", after, limit).await?;
                found.into_iter().map(TokenDoc::read).collect()
            })
            .await
    }

    async fn keep_tokens(&self, tokens: &[ApiToken]) -> PortResult<()> {
        let docs = tokens.iter().map(TokenDoc::of).collect();
        self.engine.run(keep::<TokenDoc>(&self.engine, TOKENS, docs)).await
    }

    async fn page_audit(&self, after: Option<AuditId>, limit: u32) -> PortResult<Vec<AuditEntry>> {
        self.engine
            .run(async {
                let after = after.map(|id| id.oid());
                let found: Vec<EntryDoc> = page(&self.engine, AUDIT, "_id", after, limit).await?;
                found.into_iter().map(EntryDoc::read).collect()
            })
            .await
    }

    async fn keep_audit(&self, entries: &[AuditEntry]) -> PortResult<()> {
        let docs = entries.iter().map(EntryDoc::of).collect();
        self.engine.run(keep::<EntryDoc>(&self.engine, AUDIT, docs)).await
    }

    async fn page_invitations(&self, after: Option<InvitationId>, limit: u32) -> PortResult<Vec<Invitation>> {
        self.engine
            .run(async {
                let after = after.map(|id| id.oid());
                let found: Vec<InvitationDoc> =
                    page(&self.engine, INVITATIONS, "invitation", after, limit).await?;
                found.into_iter().map(InvitationDoc::read).collect()
            })
            .await
    }

    async fn keep_invitations(&self, invitations: &[Invitation]) -> PortResult<()> {
        let docs = invitations.iter().map(InvitationDoc::of).collect();
        self.engine.run(keep::<InvitationDoc>(&self.engine, INVITATIONS, docs)).await
    }

    async fn page_groups(&self, after: Option<GroupId>, limit: u32) -> PortResult<Vec<Group>> {
        self.engine.run(groups(&self.engine, after, limit)).await
    }

    async fn keep_groups(&self, groups: &[Group]) -> PortResult<()> {
        self.engine.run(keep_groups(&self.engine, groups)).await
    }

    async fn page_identities(
        &self,
        after: Option<(UserId, IdentityId)>,
        limit: u32,
    ) -> PortResult<Vec<Identity>> {
        let behind = after.map_or_else(Document::new, |(user, identity)| {
            behind_pair(("user", user.oid()), ("identity", identity.oid()))
        });
        self.engine
            .run(async {
                let order = doc! { "user": 1, "identity": 1 };
                let found: Vec<IdentityDoc> = page_of(&self.engine, IDENTITIES, behind, order, limit).await?;
                Ok(found.into_iter().map(IdentityDoc::read).collect())
            })
            .await
    }

    async fn keep_identities(&self, identities: &[Identity]) -> PortResult<()> {
        let docs = identities.iter().map(IdentityDoc::of).collect();
        self.engine.run(keep::<IdentityDoc>(&self.engine, IDENTITIES, docs)).await
    }

    async fn page_outbox(&self, after: Option<JobId>, limit: u32) -> PortResult<Vec<NewJob>> {
        outbox(&self.engine, OUTBOX, after, limit).await
    }
}
