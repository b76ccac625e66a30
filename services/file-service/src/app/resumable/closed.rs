//! Uploads into folders of others, and by links: they go on for as long as the right to add to the folder.

use std::sync::Arc;

use common::files::{Action, Actor, Grantee, Share, Upload, UploadRole, UploadState, Uploader};
use common::{Causes, Code, LinkId, UploadId, UserId};

use super::hold::Hold;
use crate::app::access::{Target, authorize, authorize_parent};
use crate::app::budget::Budget;
use crate::app::watch::Watch;
use crate::error::AppError;
use crate::state::FileService;

/// Uploads of one look.
const PAGE: u32 = 100;

/// Whether whoever's upload this is may go on with it, and the watch over that. In their own space they may, even if its folder is gone: they can
/// choose another, and what they have sent is not lost. In somebody else's, and by a link, they may for as long as they may add to the folder.
///
/// # Errors
/// `parent_not_found`; `forbidden`.
pub(crate) async fn goes_on(
    service: &FileService,
    actor: Actor,
    upload: &Upload,
) -> Result<Option<Watch>, AppError> {
    if matches!(upload.state, UploadState::Done(_)) {
        return Ok(None);
    }
    match authorize_parent(service, actor, Target::Node(upload.parent)).await {
        Ok(parent) => Ok(Watch::over(service, &parent)),
        Err(error @ AppError::Port(_)) => Err(error),
        Err(error) if upload.link.is_some() => Err(error),
        Err(error) => {
            let root = authorize(service, actor, Action::ReadMetadata, Target::Root).await?;
            if root.space() == upload.space { Ok(None) } else { Err(error) }
        }
    }
}

/// After a share has ended, or its role became another: ends the uploads of those whose it was that can be no files any more, so that what was set aside for
/// them is the owner's again. What it misses the upkeep finds ([`end_some_closed`]).
pub(crate) fn end_closed(service: &Arc<FileService>, share: &Share) {
    let (task, share) = (Arc::clone(service), share.clone());
    service.background.spawn(async move {
        if let Err(error) = end_all_closed(&task, &share).await {
            tracing::warn!(
                space = %share.space, cause = %Causes(&error), "uploads into what was closed are left to the upkeep"
            );
        }
    });
}

/// After a link has ended, or lets do something else than before: ends the uploads by it that can be no files any more. What it misses the upkeep finds, and
/// those of links whose time is over, too.
pub(crate) fn end_by_link(service: &Arc<FileService>, link: LinkId) {
    let task = Arc::clone(service);
    service.background.spawn(async move {
        if let Err(error) = end_all_by_link(&task, link).await {
            tracing::warn!(%link, cause = %Causes(&error), "uploads by a link are left to the upkeep");
        }
    });
}

/// After a link has got another password: cuts off all uploads by it that were begun until now, since whoever began them may not know that one. From then on
/// nobody goes on with them, whoever holds one, and wherever; they are removed soon after, and by the upkeep if this process ends before that.
///
/// # Errors
/// `unavailable`; then it can be done again.
pub(crate) async fn end_locked_out(service: &Arc<FileService>, link: LinkId) -> Result<(), AppError> {
    service.uploads.store.cut_off_uploads(Uploader::Link(link)).await?;
    let task = Arc::clone(service);
    service.background.spawn(async move {
        if let Err(error) = end_all_cut_off(&task, link).await {
            tracing::warn!(%link, cause = %Causes(&error), "uploads that were cut off are left to the upkeep");
        }
    });
    Ok(())
}

async fn end_all_cut_off(service: &Arc<FileService>, link: LinkId) -> Result<(), AppError> {
    let mut before = None;
    loop {
        let page = service.uploads.store.list_uploads(Uploader::Link(link), before, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.id);
        for upload in &page {
            if !upload.is_cut_off() {
                continue;
            }
            // who is at it in another process finds out when they next save it
            service.uploads.stop(upload.id);
            let ended = match Hold::try_take_to_end(service, upload.id).await {
                Ok(Some(hold)) => hold.remove().await.map(drop),
                // somebody looks at it just now
                Ok(None) => Err(AppError::refused(Code::Locked)),
                Err(error) => Err(error),
            };
            if let Err(error) = ended
                && error.code() != Code::NotFound
            {
                tracing::warn!(upload = %upload.id, cause = %Causes(&error), "an upload is left to the upkeep");
            }
        }
    }
}

async fn end_all_by_link(service: &Arc<FileService>, link: LinkId) -> Result<(), AppError> {
    let mut before = None;
    loop {
        let page = service.uploads.store.list_uploads(Uploader::Link(link), before, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.id);
        for upload in &page {
            end_if_closed(service, upload).await?;
        }
    }
}

async fn end_all_closed(service: &Arc<FileService>, share: &Share) -> Result<(), AppError> {
    let Some(space) = service.store.find_space(share.space).await? else { return Ok(()) };
    let mut before = None;
    loop {
        let page = service.uploads.store.list_uploads_into(space.id, space.owner, before, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.id);
        // a group's members are not known here, and may have been others; whoever made a link answers for what comes by it
        let concerned = |upload: &&Upload| match share.grantee {
            Grantee::User(user) => upload.owner == user,
            Grantee::Group(_) => true,
        };
        for upload in page.iter().filter(concerned) {
            end_if_closed(service, upload).await?;
        }
    }
}

/// Gives back what was set aside ahead of bytes for an upload whose holder is no more, as after a crash: whoever leaves an upload does that, and ends the lease.
async fn clear_up_after_holder(service: &Arc<FileService>, upload: &Upload) -> Result<(), AppError> {
    let is_left_behind = upload.lease.is_some_and(|lease| lease < service.clock.now());
    let has_more = upload.reservation.is_some() && upload.state == UploadState::Open;
    if !is_left_behind || !has_more || matches!(upload.role, UploadRole::Final(_)) {
        return Ok(());
    }
    match Hold::try_take(service, upload.id).await {
        Ok(Some(hold)) => hold.clear_up().await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Ends uploads after `after` into folders of others that their uploaders may not add to any more, of at most `limit` uploads that it looks at: of members who
/// left a group, and by links whose time is over, above all, since nobody tells of these. How many, and where to go on. Those that cannot be judged now are
/// left for another time. What a holder that is no more had set aside ahead of bytes goes back, too.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn end_some_closed(
    service: &Arc<FileService>,
    after: Option<UploadId>,
    limit: u32,
) -> Result<(u64, Option<UploadId>), AppError> {
    let page = service.uploads.store.list_unfinished_uploads(after, limit).await?;
    let end = page.last().filter(|_| page.len() >= limit as usize).map(|upload| upload.id);
    let budget = Budget::begin(&*service.clock);
    let mut ended = 0;
    for upload in &page {
        let is_ended = match end_foreign(service, upload).await {
            Ok(false) => clear_up_after_holder(service, upload).await.map(|()| false),
            other => other,
        };
        match is_ended {
            Ok(is_ended) => ended += u64::from(is_ended),
            Err(error) => {
                tracing::debug!(upload = %upload.id, cause = %Causes(&error), "an upload was not judged");
            }
        }
        if budget.is_spent() {
            return Ok((ended, page.last().filter(|last| last.id != upload.id).map(|_| upload.id).or(end)));
        }
    }
    Ok((ended, end))
}

/// Ends an upload that is not into its uploader's own space, where the right does not end. Whoever still sends to it is told to leave it, and not waited for.
async fn end_foreign(service: &Arc<FileService>, upload: &Upload) -> Result<bool, AppError> {
    let space = service.store.find_space(upload.space).await?;
    let is_own = space.is_some_and(|space| Uploader::User(space.owner) == upload.uploader());
    if is_own || is_open(service, upload).await? {
        return Ok(false);
    }
    match Hold::try_take(service, upload.id).await {
        Ok(Some(hold)) => remove_if_closed(service, hold).await,
        Ok(None) => {
            service.uploads.stop(upload.id);
            Ok(false)
        }
        Err(error) if error.code() == Code::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ends up to `limit` uploads of somebody who is gone; how many, and whether any may be left. Whoever still sends to one is told to leave it.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn end_all(
    service: &Arc<FileService>,
    user: UserId,
    limit: u32,
) -> Result<(u64, bool), AppError> {
    let page = service.uploads.store.list_uploads(Uploader::User(user), None, limit).await?;
    let mut ended = 0;
    for upload in &page {
        let removed = match Hold::try_take(service, upload.id).await {
            Ok(Some(hold)) => hold.remove().await,
            Ok(None) => {
                service.uploads.stop(upload.id);
                Ok(false)
            }
            Err(error) => Err(error),
        };
        match removed {
            Ok(is_removed) => ended += u64::from(is_removed),
            // it, or a part of it, is held by somebody
            Err(error) if matches!(error.code(), Code::NotFound | Code::Locked) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((ended, ended < page.len() as u64 || page.len() >= limit as usize))
}

/// Ends an upload that is not its folder's owner's, if the uploader may not add to the folder any more.
async fn end_if_closed(service: &Arc<FileService>, upload: &Upload) -> Result<(), AppError> {
    if is_open(service, upload).await? {
        return Ok(());
    }
    match Hold::take(service, upload.id).await {
        Ok(hold) => remove_if_closed(service, hold).await.map(drop),
        Err(error) if error.code() == Code::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether it was removed.
async fn remove_if_closed(service: &FileService, hold: Hold) -> Result<bool, AppError> {
    // it may have been given another folder
    if is_open(service, &hold.upload).await? {
        hold.leave().await?;
        return Ok(false);
    }
    hold.remove().await
}

/// Whether it may still become a file. In the trash, and while its owner's account is closed, its folder is closed to everybody, and open again after that:
/// so what counts is what the uploader was given.
async fn is_open(service: &FileService, upload: &Upload) -> Result<bool, AppError> {
    if matches!(upload.state, UploadState::Done(_)) {
        return Ok(true);
    }
    let Some(folder) = service.store.find_path(upload.parent).await? else { return Ok(false) };
    match upload.link {
        Some(link) => service.gate.was_linked(link, Action::AddChild, &folder).await,
        None => service.gate.was_given(upload.owner, Action::AddChild, &folder).await,
    }
}
