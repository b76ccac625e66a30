//! What happened to files, as those see it who may see them.

use common::files::{Action, ActivityOf, Actor, FileEvent, ShareRole};
use common::{FileId, SpaceId};

use super::access::{Authorized, Target, authorize};
use crate::error::AppError;
use crate::state::FileService;

/// What of an event somebody may know.
#[derive(Debug, Clone)]
pub(crate) struct Sieve {
    /// The folders that they may know of; none is all of them.
    folders: Option<Vec<FileId>>,
    /// They may know whom it is open to.
    of_access: bool,
}

impl Sieve {
    /// An owner's, to whom everything is told.
    pub(crate) const OWNER: Self = Self { folders: None, of_access: true };

    /// Of those who see this node so.
    pub(crate) fn over(node: &Authorized) -> Self {
        let way = node.path().ancestors.iter().skip(node.hidden()).map(|crumb| crumb.id);
        // a credential for one folder is an owner's, and does not know what is above
        let is_whole = node.actor() == Actor::User(node.node().owner);
        Self {
            folders: (!is_whole).then(|| way.chain([node.id()]).collect()),
            of_access: node.sight().role == ShareRole::Manager,
        }
    }

    /// What is told of an event; none if nothing is.
    pub(crate) fn pass(&self, mut event: FileEvent) -> Option<FileEvent> {
        if !self.of_access {
            if event.kind.is_of_access() {
                return None;
            }
            event.link = None;
        }
        if let Some(known) = &self.folders {
            event.place.parent = event.place.parent.filter(|parent| known.contains(parent));
            if let Some(before) = &mut event.before {
                before.parent = before.parent.filter(|parent| known.contains(parent));
            }
        }
        Some(event)
    }
}

/// What happened to one node, the newest first, that with numbers below `before`; and whether more follows. For whoever may see the node, in the trash, too.
///
/// # Errors
/// `not_found`.
pub(crate) async fn of_node(
    service: &FileService,
    actor: Actor,
    target: Target,
    before: Option<u64>,
    limit: u32,
) -> Result<(Vec<FileEvent>, bool), AppError> {
    let node = authorize(service, actor, Action::ReadMetadata, target).await?;
    page(service, ActivityOf::Node(node.id()), &Sieve::over(&node), before, limit).await
}

/// What happened in a tree, for its owner; else as [`of_node`].
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn of_space(
    service: &FileService,
    space: SpaceId,
    before: Option<u64>,
    limit: u32,
) -> Result<(Vec<FileEvent>, bool), AppError> {
    page(service, ActivityOf::Space(space), &Sieve::OWNER, before, limit).await
}

async fn page(
    service: &FileService,
    of: ActivityOf,
    sieve: &Sieve,
    mut before: Option<u64>,
    limit: u32,
) -> Result<(Vec<FileEvent>, bool), AppError> {
    let wanted = limit as usize + 1;
    let mut told = Vec::new();
    while told.len() < wanted {
        let found = service.activity.list_activity(of, before, limit + 1).await?;
        let is_last = found.len() < wanted;
        before = found.last().map(|event| event.seq);
        told.extend(found.into_iter().filter_map(|event| sieve.pass(event)));
        if is_last {
            break;
        }
    }
    let more = told.len() >= wanted;
    told.truncate(limit as usize);
    Ok((told, more))
}
