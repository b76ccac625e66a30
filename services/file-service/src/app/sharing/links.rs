//! Links, as those see them who make them.

use std::sync::Arc;

use common::auth::Password;
use common::files::{AccessOf, Action, Actor, Kind, Link, LinkChange, LinkRole, LinkToken, NewLink, Node};
use common::{Code, FileId, LinkId, ObjectId, Timestamp, UserId};

use super::own_space;
use crate::app::access::{Authorized, authorize, hide};
use crate::app::{public, resumable};
use crate::error::AppError;
use crate::state::FileService;

/// What a link shall be.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) role: LinkRole,
    pub(crate) label: String,
    pub(crate) password: Option<Password>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) max_downloads: Option<u64>,
    pub(crate) notify: bool,
}

/// What of a link shall be different.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    pub(crate) role: Option<LinkRole>,
    pub(crate) label: Option<String>,
    pub(crate) password: Option<Option<Password>>,
    pub(crate) expires_at: Option<Option<Timestamp>>,
    pub(crate) max_downloads: Option<Option<u64>>,
    pub(crate) notify: Option<bool>,
}

/// Makes a link to a node (action: share).
///
/// # Errors
/// `unprocessable` for a root, and for a role that its kind cannot have; `not_found` if the node went away.
pub(crate) async fn make(service: &FileService, node: &Authorized, wanted: Wanted) -> Result<Link, AppError> {
    debug_assert_eq!(node.action(), Action::Share);
    if node.node().is_root() {
        return Err(AppError::because(Code::Unprocessable, "Link to a folder, not to all that there is"));
    }
    check_role(node.node(), wanted.role)?;
    let password_hash = match &wanted.password {
        Some(password) => Some(service.hasher.hash(password).await?),
        None => None,
    };
    let link = NewLink {
        id: LinkId(service.ids.object_id()),
        // a blob's key and a link's token are the same: 128 bits of a cryptographic source
        token: LinkToken::from_bytes(*service.ids.blob_key().bytes()),
        node: node.id(),
        role: wanted.role,
        label: wanted.label,
        password_hash,
        expires_at: wanted.expires_at,
        max_downloads: wanted.max_downloads,
        notify: wanted.notify,
        by: node.by(),
        at: service.clock.now(),
    };
    Ok(service.links.create_link(&link).await?)
}

/// What is dropped goes into a folder.
fn check_role(node: &Node, role: LinkRole) -> Result<(), AppError> {
    if role == LinkRole::Dropper && node.kind == Kind::File {
        return Err(AppError::because(Code::Unprocessable, "Nothing can be dropped into a file"));
    }
    Ok(())
}

/// A link that `user` may manage: whoever may share the node may.
async fn manage(
    service: &FileService,
    user: UserId,
    id: LinkId,
) -> Result<Option<(Link, Authorized)>, AppError> {
    let Some(link) = service.links.find_link(id).await? else { return Ok(None) };
    let node = authorize(service, Actor::User(user), Action::Share, link.node)
        .await
        .map_err(|error| hide(error, Code::NotFound))?;
    Ok(Some((link, node)))
}

/// Changes a link.
///
/// # Errors
/// `not_found`; `unprocessable` for a role that it cannot have; `unavailable`: then it can be done again.
pub(crate) async fn change(
    service: &Arc<FileService>,
    user: UserId,
    id: LinkId,
    changes: Changes,
) -> Result<Link, AppError> {
    let gone = || AppError::refused(Code::NotFound);
    let (link, node) = manage(service, user, id).await?.ok_or_else(gone)?;
    if let Some(role) = changes.role {
        check_role(node.node(), role)?;
    }
    let password_hash = match &changes.password {
        Some(Some(password)) => Some(Some(service.hasher.hash(password).await?)),
        Some(None) => Some(None),
        None => None,
    };
    let change = LinkChange {
        role: changes.role,
        label: changes.label,
        password_hash,
        expires_at: changes.expires_at,
        max_downloads: changes.max_downloads,
        notify: changes.notify,
    };
    let changed = service.links.change_link(link.id, &change).await?.ok_or_else(gone)?;
    if changed.role != link.role {
        resumable::end_by_link(service, link.id);
    }
    if let Some(Some(_)) = changes.password {
        resumable::end_locked_out(service, link.id).await?;
    }
    Ok(changed)
}

/// Ends a link. A node that is open to everybody has its own id as that of its link of the kind `public`.
///
/// # Errors
/// `not_found`.
pub(crate) async fn end(service: &Arc<FileService>, user: UserId, id: ObjectId) -> Result<(), AppError> {
    match manage(service, user, LinkId(id)).await? {
        Some((link, _)) => {
            service.links.remove_link(link.id, Some(user), service.clock.now()).await?;
            resumable::end_by_link(service, link.id);
        }
        None => close(service, user, FileId(id)).await?,
    }
    Ok(())
}

/// Closes a node that is open to everybody.
///
/// # Errors
/// `not_found`, also if it is not open.
pub(crate) async fn close(service: &FileService, user: UserId, id: FileId) -> Result<(), AppError> {
    let gone = || AppError::refused(Code::NotFound);
    let node = authorize(service, Actor::User(user), Action::Share, id)
        .await
        .map_err(|error| hide(error, Code::NotFound))?;
    if node.node().public.is_none() {
        return Err(gone());
    }
    public::set(service, &node, false).await.map(drop)
}

/// The links that `user` made, or that lead to their files.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn of(service: &FileService, user: UserId) -> Result<AccessOf, AppError> {
    Ok(AccessOf::Maker(own_space(service, user).await?, user))
}

/// Whether `user` may manage a link.
///
/// # Errors
/// `not_found`.
pub(crate) async fn require(service: &FileService, user: UserId, id: LinkId) -> Result<(), AppError> {
    manage(service, user, id).await?.map(drop).ok_or_else(|| AppError::refused(Code::NotFound))
}
