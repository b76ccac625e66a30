//! Uploads into folders of others: they go on for as long as the right to add to the folder.

use std::sync::Arc;

use common::files::{Action, Actor, Grantee, Share, Upload, UploadState};
use common::{Causes, Code, SpaceId, UserId};

use super::hold::Hold;
use crate::app::access::{Target, authorize, authorize_parent};
use crate::app::watch::Watch;
use crate::error::AppError;
use crate::state::FileService;

/// Uploads of one look.
const PAGE: u32 = 100;

/// Whether this user may go on with an upload of theirs, and the watch over that. In their own space they may, even if its folder is gone: they can
/// choose another, and what they have sent is not lost. In somebody else's they may for as long as they may add to the folder.
///
/// # Errors
/// `parent_not_found`; `forbidden`.
pub(crate) async fn goes_on(service: &FileService, upload: &Upload) -> Result<Option<Watch>, AppError> {
    if matches!(upload.state, UploadState::Done(_)) {
        return Ok(None);
    }
    let user = Actor::User(upload.owner);
    match authorize_parent(service, user, Target::Node(upload.parent)).await {
        Ok(parent) => Ok(Watch::over(service, &parent)),
        Err(error @ AppError::Port(_)) => Err(error),
        Err(error) => {
            let root = authorize(service, user, Action::ReadMetadata, Target::Root).await?;
            if root.space() == upload.space { Ok(None) } else { Err(error) }
        }
    }
}

/// After a share has ended, or its role became another: ends the uploads of whose it was that can be no files any more, so that what was set aside for
/// them is the owner's again. Those that it misses end when they expire.
pub(crate) fn end_closed(service: &Arc<FileService>, share: &Share) {
    let Grantee::User(user) = share.grantee else { return };
    let (task, space) = (Arc::clone(service), share.space);
    service.background.spawn(async move {
        if let Err(error) = end_all_closed(&task, user, space).await {
            tracing::warn!(%space, cause = %Causes(&error), "uploads into what was closed are left to their expiry");
        }
    });
}

async fn end_all_closed(service: &Arc<FileService>, user: UserId, space: SpaceId) -> Result<(), AppError> {
    let mut before = None;
    loop {
        let page = service.uploads.store.list_uploads(user, before, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.id);
        for upload in page.iter().filter(|upload| upload.space == space) {
            match end_if_closed(service, upload).await {
                Err(error) if error.code() == Code::NotFound => {}
                ended => ended?,
            }
        }
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
    let page = service.uploads.store.list_uploads(user, None, limit).await?;
    let mut ended = 0;
    for upload in &page {
        match Hold::try_take(service, upload.id).await {
            Ok(Some(hold)) => {
                hold.remove().await?;
                ended += 1;
            }
            Ok(None) => service.uploads.stop(upload.id),
            Err(error) if error.code() == Code::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok((ended, ended < page.len() as u64 || page.len() >= limit as usize))
}

async fn end_if_closed(service: &Arc<FileService>, upload: &Upload) -> Result<(), AppError> {
    if is_open(service, upload).await? {
        return Ok(());
    }
    let hold = Hold::take(service, upload.id).await?;
    // it may have been given another folder
    if is_open(service, &hold.upload).await? {
        hold.leave().await?;
    } else {
        hold.remove().await?;
    }
    Ok(())
}

async fn is_open(service: &FileService, upload: &Upload) -> Result<bool, AppError> {
    match goes_on(service, upload).await {
        Ok(_) => Ok(true),
        Err(error @ AppError::Port(_)) => Err(error),
        Err(_) => Ok(false),
    }
}
