//! What happened to files, as those see it who may see them.

use common::files::{Action, ActivityOf, Actor, FileEvent, NamedPlace, ShareRole};
use common::{FileId, SpaceId};

use super::access::{Authorized, Target, authorize};
use crate::error::AppError;
use crate::state::FileService;

/// Events read at once at least, since some may be none of the caller's business.
const LOOK: u32 = 200;

/// What of an event somebody may know.
#[derive(Debug, Clone)]
pub(crate) struct Sieve {
    /// The folders that they may know of; none is all of them.
    folders: Option<Vec<FileId>>,
    /// What it is called now, where they see it in a folder: what it was called in others is not theirs to know.
    within: Option<String>,
    /// They may know whom it is open to.
    of_access: bool,
}

impl Sieve {
    /// An owner's, to whom everything is told.
    pub(crate) const OWNER: Self = Self { folders: None, within: None, of_access: true };

    /// Of those who see this node so.
    pub(crate) fn over(node: &Authorized) -> Self {
        let way = node.path().ancestors.iter().skip(node.hidden()).map(|crumb| crumb.id);
        // a credential for one folder is an owner's, and does not know what is above
        let is_whole = node.actor() == Actor::User(node.node().owner);
        Self {
            folders: (!is_whole).then(|| way.chain([node.id()]).collect()),
            within: (!is_whole && node.sight().sees_parent).then(|| node.node().name.as_str().to_owned()),
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
            if let Some(now) = &self.within {
                let knows = |place: &NamedPlace| place.parent.is_some_and(|parent| known.contains(&parent));
                event.before = event.before.filter(knows);
                if !knows(&event.place) {
                    event.place.name.clone_from(now);
                }
            }
            event.place.parent = event.place.parent.filter(|parent| known.contains(parent));
            if let Some(before) = &mut event.before {
                before.parent = before.parent.filter(|parent| known.contains(parent));
            }
        }
        Some(event)
    }
}

impl Sieve {
    /// What is told of an event by which something left the folder that this is over.
    pub(crate) fn of_what_left(mut self, event: FileEvent) -> Option<FileEvent> {
        // the name now is the folder's
        self.within = None;
        self.pass(event)
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
    let (wanted, read) = (limit as usize + 1, (limit + 1).max(LOOK));
    let mut told = Vec::new();
    while told.len() < wanted {
        let found = service.activity.list_activity(of, before, read).await?;
        let is_last = found.len() < read as usize;
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
