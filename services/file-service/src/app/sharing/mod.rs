//! What opens files to others: shares, links, and being open to everybody.

pub(crate) mod guesses;
pub(crate) mod links;
pub(crate) mod overview;
pub(crate) mod shares;
pub(crate) mod visit;

use std::collections::HashMap;

use common::UserId;
use common::auth::Person;
use common::files::NodePath;
use common::{FileId, PortResult};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

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

/// Whom a list speaks of. Where nobody can say now, nobody is named: what was shared with whom is worth more than no answer.
pub(crate) async fn names(
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
        Ok(people) => people.into_iter().map(|Person { id, address }| (id, address)).collect(),
        Err(error) => {
            tracing::warn!(cause = %common::Causes(&error), "people are not named: nobody can say who they are");
            HashMap::new()
        }
    }
}

/// The space of somebody, which is made on its first use.
async fn own_space(service: &FileService, user: UserId) -> Result<common::SpaceId, AppError> {
    use super::access::{Target, authorize};
    use common::files::{Action, Actor};
    Ok(authorize(service, Actor::User(user), Action::ReadMetadata, Target::Root).await?.space())
}
