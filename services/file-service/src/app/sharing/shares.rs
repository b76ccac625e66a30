//! Rights that people are given.

use std::sync::Arc;

use common::auth::Address;
use common::files::{Action, Actor, Grantee, NewShare, Share, ShareRole, SharesOf};
use common::{Code, GroupId, ShareId, UserId};

use super::own_space;
use crate::app::access::{Authorized, authorize, hide};
use crate::app::resumable;
use crate::error::AppError;
use crate::state::FileService;

/// Whom a right is for.
#[derive(Debug, Clone)]
pub(crate) enum Receiver {
    /// The account with this id.
    User(UserId),
    /// The account with this address.
    Address(Address),
    /// Everybody in this group.
    Group(GroupId),
}

/// Gives `role` on a node (action: share); true if they had none of it before. One that they had gets the role instead.
///
/// # Errors
/// `unknown_person`, for one who is disabled, too; `rate_limited` where too many people were looked up; `unprocessable` for the owner, and for a root; `not_found` if the
/// node went away.
pub(crate) async fn give(
    service: &Arc<FileService>,
    node: &Authorized,
    to: &Receiver,
    role: ShareRole,
) -> Result<(Share, bool), AppError> {
    debug_assert_eq!(node.action(), Action::Share);
    if node.node().is_root() {
        return Err(AppError::because(Code::Unprocessable, "Share a folder, not all that there is"));
    }
    let grantee = match to {
        Receiver::User(id) => {
            look_up(service, node.by()).await?;
            let found = service.people.find_people(&[*id]).await?;
            let active = found.first().filter(|person| !person.disabled);
            Grantee::User(active.ok_or_else(|| AppError::refused(Code::UnknownPerson))?.id)
        }
        Receiver::Address(address) => {
            look_up(service, node.by()).await?;
            let found = service.people.find_person(address).await?;
            Grantee::User(found.ok_or_else(|| AppError::refused(Code::UnknownPerson))?.id)
        }
        Receiver::Group(id) => {
            // who is in none does not learn which there are
            let mine = service.people.groups_of(node.by()).await?;
            Grantee::Group(
                *mine
                    .iter()
                    .find(|mine| *mine == id)
                    .ok_or_else(|| AppError::refused(Code::UnknownPerson))?,
            )
        }
    };
    if grantee == Grantee::User(node.node().owner) {
        return Err(AppError::because(Code::Unprocessable, "It is theirs already"));
    }
    let share = NewShare {
        id: ShareId(service.ids.object_id()),
        node: node.id(),
        grantee,
        role,
        by: node.by(),
        at: service.clock.now(),
    };
    let (share, made) = service.shares.put_share(&share).await?;
    if !made {
        resumable::end_closed(service, &share);
    }
    Ok((share, made))
}

/// Counts that somebody looks up who there is.
async fn look_up(service: &FileService, by: UserId) -> Result<(), AppError> {
    match service.guesses.look_up(by).await? {
        Ok(()) => Ok(()),
        Err(too_many) => Err(AppError::RateLimited { retry_after: too_many.retry_after }),
    }
}

/// A share that `user` may change: whoever may share the node may. Whose own right it is may end it, but not change it.
///
/// # Errors
/// `not_found`; `forbidden` to whose it is.
pub(crate) async fn manage(
    service: &FileService,
    user: UserId,
    id: ShareId,
    ends: bool,
) -> Result<Share, AppError> {
    let share = service.shares.find_share(id).await?.ok_or_else(|| AppError::refused(Code::NotFound))?;
    let own = share.grantee == Grantee::User(user);
    if own && ends {
        return Ok(share);
    }
    let hidden = if own { Code::Forbidden } else { Code::NotFound };
    authorize(service, Actor::User(user), Action::Share, share.node)
        .await
        .map_err(|error| hide(error, hidden))?;
    Ok(share)
}

/// Gives a share another role.
///
/// # Errors
/// As [`manage`].
pub(crate) async fn change(
    service: &Arc<FileService>,
    user: UserId,
    id: ShareId,
    role: ShareRole,
) -> Result<Share, AppError> {
    let share = manage(service, user, id, false).await?;
    let share = service.shares.set_share_role(share.id, role).await?;
    let share = share.ok_or_else(|| AppError::refused(Code::NotFound))?;
    resumable::end_closed(service, &share);
    Ok(share)
}

/// Ends a share.
///
/// # Errors
/// As [`manage`].
pub(crate) async fn end(service: &Arc<FileService>, user: UserId, id: ShareId) -> Result<(), AppError> {
    let share = manage(service, user, id, true).await?;
    service.shares.remove_share(share.id, Some(user), service.clock.now()).await?;
    resumable::end_closed(service, &share);
    Ok(())
}

/// What `user` gave: of their own files, and of others' that they may share.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn by(service: &FileService, user: UserId) -> Result<SharesOf, AppError> {
    Ok(SharesOf::Giver(own_space(service, user).await?, user))
}

/// What `user` and their groups were given.
///
/// # Errors
/// `unavailable` if nobody can say which groups those are.
pub(crate) async fn with(service: &FileService, user: UserId) -> Result<SharesOf, AppError> {
    Ok(SharesOf::Receiver(user, service.people.groups_of(user).await?))
}
