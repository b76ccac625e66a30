//! What somebody did, copies of folders among it.

use common::files::{Actor, CopyOperation, Operation};
use common::{Code, FileId, OperationId, UserId};

use crate::error::AppError;
use crate::state::FileService;

/// Something that somebody did.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    /// The copy of a folder, which goes on after its request.
    Copy(CopyOperation),
    /// Changes that can be undone.
    Changes(Operation),
}

impl Entry {
    pub(crate) fn id(&self) -> OperationId {
        match self {
            Self::Copy(copy) => copy.id,
            Self::Changes(operation) => operation.id,
        }
    }

    fn by(&self) -> (UserId, Option<FileId>) {
        match self {
            Self::Copy(copy) => (copy.user, copy.within),
            Self::Changes(operation) => (operation.user, operation.within),
        }
    }
}

/// The operation with this id, for who did it, by a credential that reaches as far.
///
/// # Errors
/// `not_found`.
pub(crate) async fn find(service: &FileService, actor: Actor, id: OperationId) -> Result<Entry, AppError> {
    let found = match service.journal.find_operation(id).await? {
        Some(operation) => Some(Entry::Changes(operation)),
        None => service.copies.find_copy(id).await?.map(Entry::Copy),
    };
    let found = found.filter(|entry| match (actor, entry.by()) {
        (Actor::User(user), (by, _)) => user == by,
        (Actor::UserWithin { user, folder }, (by, within)) => user == by && within == Some(folder),
        (Actor::Anonymous | Actor::Link(_) | Actor::Service, _) => false,
    });
    found.ok_or_else(|| AppError::refused(Code::NotFound))
}

/// A page of what `actor` did, newest first, and whether more follows.
///
/// # Errors
/// `forbidden` for whoever has no account; those of the store.
pub(crate) async fn list(
    service: &FileService,
    actor: Actor,
    before: Option<OperationId>,
    limit: u32,
) -> Result<(Vec<Entry>, bool), AppError> {
    let (user, within) = match actor {
        Actor::User(user) => (user, None),
        Actor::UserWithin { user, folder } => (user, Some(folder)),
        Actor::Anonymous | Actor::Link(_) | Actor::Service => {
            return Err(AppError::refused(Code::Forbidden));
        }
    };
    let changes = service.journal.list_operations(user, within, before, limit + 1).await?;
    let copies = service.copies.list_copies(user, within, before, limit + 1).await?;
    let mut entries: Vec<Entry> =
        changes.into_iter().map(Entry::Changes).chain(copies.into_iter().map(Entry::Copy)).collect();
    entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.id()));
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    Ok((entries, more))
}
