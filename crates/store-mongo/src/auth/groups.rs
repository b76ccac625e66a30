//! Groups.

use async_trait::async_trait;
use common::auth::{AddressKey, AuditEntry, Group, GroupChange, GroupError, GroupName, GroupStore, User};
use common::files::Page;
use common::{GroupId, PortError, PortResult, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::admin::paged;
use super::users::{EMAILS, USERS, UserDoc};
use super::{AuthDb, audit};
use crate::engine::{Abort, Engine, Fault, TxResult, is_duplicate};
use crate::value::{ToOid as _, id, oids};

pub(super) const GROUPS: &str = "groups";
/// Whose a name is.
pub(super) const GROUP_NAMES: &str = "group_names";
pub(super) const MEMBERS: &str = "group_members";

#[derive(Serialize, Deserialize)]
pub(super) struct GroupDoc {
    #[serde(rename = "_id")]
    pub(super) id: ObjectId,
    pub(super) name: String,
    pub(super) created_at: i64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct MemberDoc {
    pub(super) group: ObjectId,
    pub(super) user: ObjectId,
}

#[async_trait]
impl GroupStore for AuthDb {
    async fn create_group(&self, group: &Group, entry: &AuditEntry) -> Result<(), GroupError> {
        let engine = &self.engine;
        engine
            .transact(&[group.id.oid()], |mut tx| async move {
                take_name(engine, tx.session(), group.id, &group.name).await?;
                let document = GroupDoc {
                    id: group.id.oid(),
                    name: group.name.clone(),
                    created_at: group.created_at.millis(),
                };
                engine.collection(GROUPS).insert_one(document).session(tx.session()).await?;
                set_members(engine, tx.session(), group.id, &group.members).await?;
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                Ok(())
            })
            .await
    }

    async fn list_groups(
        &self,
        member: Option<UserId>,
        before: Option<GroupId>,
        limit: u32,
    ) -> PortResult<Page<Group>> {
        self.engine
            .run(async {
                let mut all = Vec::new();
                if let Some(member) = member {
                    let groups = self.groups_of(member).await?;
                    all.push(doc! { "_id": { "$in": groups } });
                }
                let groups = self.engine.collection::<GroupDoc>(GROUPS);
                let total = groups.count_documents(and(&all)).max_time(self.engine.deadline()).await?;
                if let Some(before) = before {
                    all.push(doc! { "_id": { "$lt": before.oid() } });
                }
                let found: Vec<GroupDoc> = groups
                    .find(and(&all))
                    .sort(doc! { "_id": -1 })
                    .limit(i64::from(limit) + 1)
                    .max_time(self.engine.deadline())
                    .await?
                    .try_collect()
                    .await?;
                let mut items = Vec::with_capacity(found.len());
                for group in found {
                    let members: Vec<MemberDoc> = self
                        .engine
                        .collection(MEMBERS)
                        .find(doc! { "group": group.id })
                        .sort(doc! { "user": 1 })
                        .await?
                        .try_collect()
                        .await?;
                    items.push(read(group, members));
                }
                Ok(paged(items, limit, total))
            })
            .await
    }

    async fn find_group(&self, group: GroupId) -> PortResult<Option<Group>> {
        let engine = &self.engine;
        engine
            .transact(&[], |mut tx| async move {
                Ok::<_, Abort<PortError>>(find(engine, tx.session(), group).await?)
            })
            .await
    }

    async fn find_group_names(&self, ids: &[GroupId]) -> PortResult<Vec<GroupName>> {
        #[derive(Deserialize)]
        struct Named {
            #[serde(rename = "_id")]
            id: ObjectId,
            name: String,
        }
        self.engine
            .run(async {
                let found: Vec<Named> = self
                    .engine
                    .collection::<Named>(GROUPS)
                    .find(doc! { "_id": { "$in": oids(ids) } })
                    .projection(doc! { "_id": 1, "name": 1 })
                    .max_time(self.engine.deadline())
                    .await?
                    .try_collect()
                    .await?;
                Ok(found.into_iter().map(|found| GroupName { id: id(found.id), name: found.name }).collect())
            })
            .await
    }

    async fn change_group(
        &self,
        group: GroupId,
        change: &GroupChange,
        entry: &AuditEntry,
    ) -> Result<Group, GroupError> {
        let engine = &self.engine;
        engine
            .transact(&[group.oid()], |mut tx| async move {
                let before = find(engine, tx.session(), group).await?.ok_or(GroupError::NotFound)?;
                if let Some(name) = &change.name {
                    if Group::name_key(name) != Group::name_key(&before.name) {
                        take_name(engine, tx.session(), group, name).await?;
                        let old = doc! { "_id": Group::name_key(&before.name), "group": group.oid() };
                        engine
                            .collection::<Document>(GROUP_NAMES)
                            .delete_one(old)
                            .session(tx.session())
                            .await?;
                    }
                    engine
                        .collection::<Document>(GROUPS)
                        .update_one(doc! { "_id": group.oid() }, doc! { "$set": { "name": name } })
                        .session(tx.session())
                        .await?;
                }
                if let Some(members) = &change.members {
                    set_members(engine, tx.session(), group, members).await?;
                }
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                Ok(find(engine, tx.session(), group).await?.unwrap_or(before))
            })
            .await
    }

    async fn delete_group(&self, group: GroupId, entry: &AuditEntry) -> PortResult<bool> {
        let engine = &self.engine;
        engine
            .transact(&[group.oid()], |mut tx| async move {
                let mut gone = 0;
                for (collection, which) in [
                    (MEMBERS, doc! { "group": group.oid() }),
                    (GROUP_NAMES, doc! { "group": group.oid() }),
                    (GROUPS, doc! { "_id": group.oid() }),
                ] {
                    let documents = engine.collection::<Document>(collection);
                    gone = documents.delete_many(which).session(tx.session()).await?.deleted_count;
                }
                if gone == 1 {
                    audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                }
                Ok::<_, Abort<PortError>>(gone == 1)
            })
            .await
    }

    async fn find_people(
        &self,
        prefix: &AddressKey,
        of: Option<UserId>,
        limit: u32,
    ) -> PortResult<Vec<User>> {
        self.engine
            .run(async {
                // the second is greater than all texts that begin so
                let range = doc! { "$gte": prefix.as_str(), "$lt": format!("{}\u{10ffff}", prefix.as_str()) };
                let mut which = doc! { "_id": range };
                if let Some(of) = of {
                    let groups = self.groups_of(of).await?;
                    let members = self.engine.collection::<Document>(MEMBERS);
                    let peers = members.distinct("user", doc! { "group": { "$in": groups } }).await?;
                    which.insert("user", doc! { "$in": peers, "$ne": of.oid() });
                }
                let mut emails = self
                    .engine
                    .collection::<Document>(EMAILS)
                    .find(which)
                    .sort(doc! { "_id": 1 })
                    .max_time(self.engine.deadline())
                    .await?;
                let users = self.engine.collection::<UserDoc>(USERS);
                let mut people = Vec::new();
                while people.len() < limit as usize
                    && let Some(email) = emails.try_next().await?
                {
                    let active = doc! { "_id": email.get("user"), "disabled": false, "deletes_at": null };
                    if let Some(user) = users.find_one(active).await? {
                        people.push(user.read()?);
                    }
                }
                Ok(people)
            })
            .await
    }
}

impl AuthDb {
    async fn groups_of(&self, user: UserId) -> Result<Vec<ObjectId>, Fault> {
        let memberships: Vec<MemberDoc> =
            self.engine.collection(MEMBERS).find(doc! { "user": user.oid() }).await?.try_collect().await?;
        Ok(memberships.into_iter().map(|membership| membership.group).collect())
    }
}

fn and(conditions: &[Document]) -> Document {
    if conditions.is_empty() {
        doc! {}
    } else {
        doc! { "$and": conditions.to_vec() }
    }
}

fn read(group: GroupDoc, members: Vec<MemberDoc>) -> Group {
    Group {
        id: id(group.id),
        name: group.name,
        members: members.into_iter().map(|member| id(member.user)).collect(),
        created_at: Timestamp::from_millis(group.created_at),
    }
}

async fn find(engine: &Engine, session: &mut ClientSession, group: GroupId) -> Result<Option<Group>, Fault> {
    let found = engine
        .collection::<GroupDoc>(GROUPS)
        .find_one(doc! { "_id": group.oid() })
        .session(&mut *session)
        .await?;
    let Some(found) = found else { return Ok(None) };
    let members: Vec<MemberDoc> = engine
        .collection(MEMBERS)
        .find(doc! { "group": group.oid() })
        .sort(doc! { "user": 1 })
        .session(&mut *session)
        .await?
        .stream(session)
        .try_collect()
        .await?;
    Ok(Some(read(found, members)))
}

async fn take_name(
    engine: &Engine,
    session: &mut ClientSession,
    group: GroupId,
    name: &str,
) -> TxResult<(), GroupError> {
    let name = doc! { "_id": Group::name_key(name), "group": group.oid() };
    match engine.collection::<Document>(GROUP_NAMES).insert_one(name).session(session).await {
        Err(error) if is_duplicate(&error) => Err(GroupError::NameTaken.into()),
        result => Ok(result.map(drop)?),
    }
}

async fn set_members(
    engine: &Engine,
    session: &mut ClientSession,
    group: GroupId,
    members: &[UserId],
) -> TxResult<(), GroupError> {
    let memberships = engine.collection::<MemberDoc>(MEMBERS);
    memberships.delete_many(doc! { "group": group.oid() }).session(&mut *session).await?;
    let mut members = members.to_vec();
    members.sort_unstable();
    members.dedup();
    if members.is_empty() {
        return Ok(());
    }
    let known: Vec<Document> = engine
        .collection::<Document>(USERS)
        .find(doc! { "_id": { "$in": oids(&members) } })
        .projection(doc! { "_id": 1 })
        .session(&mut *session)
        .await?
        .stream(&mut *session)
        .try_collect()
        .await?;
    let known: Vec<_> = known.iter().filter_map(|user| user.get_object_id("_id").ok()).collect();
    if let Some(unknown) = members.iter().find(|member| !known.contains(&member.oid())) {
        return Err(GroupError::NoSuchUser(*unknown).into());
    }
    let documents = members.iter().map(|member| MemberDoc { group: group.oid(), user: member.oid() });
    memberships.insert_many(documents).session(session).await?;
    Ok(())
}
