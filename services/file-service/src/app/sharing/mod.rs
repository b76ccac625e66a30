//! What opens files: shares, links, being open to everybody; and the list of all that does.

pub(crate) mod guesses;
pub(crate) mod links;
pub(crate) mod notices;
pub(crate) mod overview;
mod proven;
pub(crate) mod shares;
pub(crate) mod visit;

use std::collections::HashMap;

use common::auth::{GroupName, Person};
use common::files::{Action, Actor, Grantee, NodePath, Share};
use common::{FileId, GroupId, PortResult, SpaceId, UserId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::access::{Authorized, Target, authorize};
use crate::error::AppError;
use crate::state::FileService;

/// How many nodes of a list are looked up at once.
const LOOK_UPS_AT_ONCE: usize = 16;

/// The nodes that a list speaks of, with the way to each, in its order; none for those that are gone.
pub(crate) async fn paths(
    service: &FileService,
    nodes: impl IntoIterator<Item = FileId>,
) -> PortResult<Vec<Option<NodePath>>> {
    let look_ups: Vec<_> = nodes.into_iter().map(|node| service.store.find_path(node)).collect();
    stream::iter(look_ups).buffered(LOOK_UPS_AT_ONCE).try_collect().await
}

/// How those that a list speaks of are called.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Addresses of accounts.
    pub(crate) people: HashMap<UserId, String>,
    /// Names of groups.
    pub(crate) groups: HashMap<GroupId, String>,
}

/// Whom a list speaks of: these shares, and these people besides. Where nobody can say now, nobody is named: what was shared with whom is worth more
/// than no answer.
pub(crate) async fn names(
    service: &FileService,
    shares: impl IntoIterator<Item = &Share>,
    others: impl IntoIterator<Item = UserId>,
) -> Names {
    let (mut people, mut groups) = (Vec::from_iter(others), Vec::new());
    for share in shares {
        people.push(share.by);
        match share.grantee {
            Grantee::User(id) => people.push(id),
            Grantee::Group(id) => groups.push(id),
        }
    }
    let (people, groups) = tokio::join!(people_names(service, people), group_names(service, groups));
    Names { people, groups }
}

async fn group_names(
    service: &FileService,
    groups: impl IntoIterator<Item = GroupId>,
) -> HashMap<GroupId, String> {
    let mut ids: Vec<_> = groups.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return HashMap::new();
    }
    match service.people.find_groups(&ids).await {
        Ok(groups) => groups.into_iter().map(|GroupName { id, name }| (id, name)).collect(),
        Err(error) => {
            tracing::warn!(cause = %common::Causes(&error), "groups are not named: nobody can say which they are");
            HashMap::new()
        }
    }
}

async fn people_names(
    service: &FileService,
    people: impl IntoIterator<Item = UserId>,
) -> HashMap<UserId, String> {
    let mut ids: Vec<_> = people.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return HashMap::new();
    }
    match service.people.find_people(&ids).await {
        Ok(people) => people.into_iter().map(|Person { id, address, .. }| (id, address)).collect(),
        Err(error) => {
            tracing::warn!(cause = %common::Causes(&error), "people are not named: nobody can say who they are");
            HashMap::new()
        }
    }
}

/// The space of somebody, which is made on its first use.
pub(crate) async fn own_space(service: &FileService, user: UserId) -> Result<SpaceId, AppError> {
    Ok(root(service, user).await?.space())
}

/// The root folder of somebody, which is made on its first use.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn own_root(service: &FileService, user: UserId) -> Result<FileId, AppError> {
    Ok(root(service, user).await?.id())
}

async fn root(service: &FileService, user: UserId) -> Result<Authorized, AppError> {
    authorize(service, Actor::User(user), Action::ReadMetadata, Target::Root).await
}
