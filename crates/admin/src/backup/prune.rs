//! Removes what a backup has no more.

use std::collections::HashSet;
use std::path::Path;

use common::BlobKey;

use super::{BLOBS, BackupError, Contents, Manifest, PAGE, PARTIAL, SETS, TEMPORARY, content_path, each};
use crate::held::{Held, LOST_AND_FOUND};

/// Removes what the backup before had and this one has not.
pub(super) fn prune(target: &Held, manifest: &Manifest, contents: &dyn Contents) -> Result<(), BackupError> {
    remove_other_sets(target, Some(&manifest.set))?;
    let mut uploads = HashSet::new();
    each(
        |after, limit| contents.list_uploads(after, limit),
        |upload| upload.key,
        |upload| {
            uploads.insert(upload.key.to_string());
            Ok(())
        },
    )?;
    for name in target.entries(PARTIAL)? {
        if name != LOST_AND_FOUND && name.to_str().is_none_or(|name| !uploads.contains(name)) {
            target.remove(Path::new(PARTIAL).join(name))?;
        }
    }
    // one folder of contents after the other, so that only the names of one are in memory
    for first in 0..=u8::MAX {
        let known = keys_with(first, contents)?;
        let folder = content_path(Path::new(BLOBS), lowest(first));
        let folder = folder.parent().unwrap_or(&folder);
        for name in target.entries(folder)? {
            let key = name.to_str().and_then(|name| BlobKey::parse(&format!("{first:02x}{name}")).ok());
            if key.is_none_or(|key| !known.contains(&key)) {
                target.remove(folder.join(name))?;
            }
        }
    }
    Ok(target.remove_all(TEMPORARY)?)
}

/// Removes what runs that were cut have left, or the backup before.
pub(super) fn remove_other_sets(target: &Held, kept: Option<&str>) -> Result<(), BackupError> {
    for name in target.entries(SETS)? {
        if name != LOST_AND_FOUND && kept.is_none_or(|kept| name != kept) {
            target.remove_all(Path::new(SETS).join(name))?;
        }
    }
    Ok(())
}

fn lowest(first: u8) -> BlobKey {
    let mut bytes = [0; 16];
    bytes[0] = first;
    BlobKey::from_bytes(bytes)
}

/// The keys whose first byte is this.
fn keys_with(first: u8, contents: &dyn Contents) -> Result<HashSet<BlobKey>, BackupError> {
    let mut known = HashSet::new();
    let mut after = first.checked_sub(1).map(|before| {
        let mut bytes = [u8::MAX; 16];
        bytes[0] = before;
        BlobKey::from_bytes(bytes)
    });
    loop {
        let page = contents.list(after, PAGE)?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(|content| content.key);
        let is_past = after.is_some_and(|key| key.bytes()[0] > first);
        known.extend(page.into_iter().map(|content| content.key).filter(|key| key.bytes()[0] == first));
        if is_last || is_past {
            return Ok(known);
        }
    }
}
