//! Gives up uploads that nobody went on with.

use std::collections::HashSet;
use std::sync::Arc;

use common::{BlobKey, Code};

use super::hold::Hold;
use crate::error::AppError;
use crate::state::FileService;

/// Removes uploads that have expired, at most `limit`; how many, and whether more may follow.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn expire(service: &Arc<FileService>, limit: u32) -> Result<(u64, bool), AppError> {
    let now = service.clock.now();
    let expired = service.uploads.store.list_expired_uploads(now, limit).await?;
    let more = expired.len() >= limit as usize;
    let mut removed = 0;
    for upload in expired {
        let ended = match Hold::try_take_to_end(service, upload.id).await {
            // somebody has gone on with it
            Ok(Some(hold)) if hold.upload.expires_at >= now => hold.leave().await.map(|_| false),
            Ok(Some(hold)) => hold.remove().await,
            Ok(None) => Ok(false),
            Err(error) => Err(error),
        };
        match ended {
            Ok(is_removed) => removed += u64::from(is_removed),
            // it, or a part of it, is held by somebody
            Err(error) if matches!(error.code(), Code::NotFound | Code::Locked) => {}
            Err(error) => return Err(error),
        }
    }
    // of those that are held none goes, and they would be listed for ever
    Ok((removed, more && removed > 0))
}

/// Removes partial blobs after `after` that no upload knows, of those that were not written to for long; how many, and where to go on.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn sweep_partial(
    service: &FileService,
    after: Option<BlobKey>,
    limit: u32,
) -> Result<(u64, Option<BlobKey>), AppError> {
    let before = service.clock.now() - service.settings.blob_grace;
    let listed = service.uploads.partial.list_partial(after, limit).await?;
    let keys: Vec<_> = listed.iter().map(|partial| partial.key).collect();
    let known: HashSet<_> = service.uploads.store.known_uploads(&keys).await?.into_iter().collect();
    let mut removed = 0;
    for key in keys.iter().filter(|key| !known.contains(key)) {
        removed += u64::from(service.uploads.partial.discard_stray(*key, before).await?);
    }
    Ok((removed, keys.last().copied().filter(|_| keys.len() >= limit as usize)))
}
