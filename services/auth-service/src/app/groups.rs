//! Groups, as administrators make them. The API and the command use the same functions.

use common::auth::{AuditAction, AuditEntry, Group, GroupChange, GroupError, label};
use common::{GroupId, PortResult, UserId};
use serde_json::{Value, json};

use super::accounts::Accounts;
use super::admin::Administration;
use super::audit::{self, Author};

/// What a group cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGroup {
    /// Its name.
    #[error("the name is empty, longer than 100 characters, or holds control characters")]
    Name,
    /// It is too large.
    #[error("a group has at most 1000 members")]
    TooMany,
}

/// A name as a group has it.
pub(crate) fn name(text: &str) -> Result<String, InvalidGroup> {
    label(text).map(str::to_owned).ok_or(InvalidGroup::Name)
}

/// Members as a group has them.
pub(crate) fn members(mut members: Vec<UserId>) -> Result<Vec<UserId>, InvalidGroup> {
    members.sort_unstable();
    members.dedup();
    if members.len() > Group::MAX_MEMBERS { Err(InvalidGroup::TooMany) } else { Ok(members) }
}

/// Makes a group.
pub(crate) async fn create(
    administration: &Administration,
    by: &Author,
    name: String,
    members: Vec<UserId>,
) -> Result<Group, GroupError> {
    let Accounts { ids, clock, .. } = &administration.accounts;
    let group = Group { id: GroupId(ids.object_id()), name, members, created_at: clock.now() };
    let details = json!({ "members": group.members });
    let entry = line(administration, by, AuditAction::GroupMade, group.id, details);
    administration.stores.groups.create_group(&group, &entry).await?;
    Ok(group)
}

/// Changes name and members; the group as it is now.
pub(crate) async fn change(
    administration: &Administration,
    by: &Author,
    id: GroupId,
    change: &GroupChange,
) -> Result<Group, GroupError> {
    let details = json!({ "renamed": change.name.is_some(), "members": change.members });
    let entry = line(administration, by, AuditAction::GroupChanged, id, details);
    administration.stores.groups.change_group(id, change, &entry).await
}

/// Deletes a group. False if it is unknown.
pub(crate) async fn delete(administration: &Administration, by: &Author, id: GroupId) -> PortResult<bool> {
    let entry = line(administration, by, AuditAction::GroupDeleted, id, Value::Null);
    administration.stores.groups.delete_group(id, &entry).await
}

fn line(
    administration: &Administration,
    by: &Author,
    action: AuditAction,
    group: GroupId,
    details: Value,
) -> AuditEntry {
    let Accounts { ids, clock, .. } = &administration.accounts;
    audit::entry(&**ids, &**clock, by, action, Some(group.to_string()), details)
}
