//! Brings a backup back into a data folder.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use common::BlobKey;

use super::disk::{
    copy, digest, entries, give_to_owner, lock, make_folder, remove, remove_all, replace, size, sync_all,
};
use super::{
    BLOBS, BackupError, Contents, Databases, LOCK, Manifest, PARTIAL, SECRETS, SETS, STORE_ID, content_path,
    each, refused,
};

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Version of the product that took the backup.
    pub product: String,
    /// When.
    pub taken_at: common::Timestamp,
    /// Contents that are there now.
    pub contents: u64,
    /// Their bytes.
    pub content_bytes: u64,
    /// Whether the backup had the master key.
    pub has_secrets: bool,
    /// Contents that were damaged or missing when the backup was taken.
    pub lost: u64,
    /// Contents that the backup has lost since.
    pub left_out: Vec<BlobKey>,
    /// The account that all of it was given to, since the data folder is that one's and not of who restored.
    pub given_to: Option<u32>,
}

/// Whether this process may fill the data folder of another account: [`restore`] can give what it makes to that one then.
pub fn may_give() -> bool {
    rustix::process::geteuid().is_root()
}

/// Fills a data folder, which the caller holds and has marked as unfinished, from a backup. Each file is held against its digest while it is copied; all are
/// durable when this returns. Blocks. `begins_again` says that an earlier call was cut: what that one left is removed. With
/// `skip_damaged` contents that are not what they were are left out and named, so that one of them does not keep all others away; databases are never.
/// All that is in the folder then belongs to the account that the folder belongs to.
///
/// # Errors
/// `Refused` if `source` is no backup, or the data folder holds an installation; `Damaged` if the backup is not what it was. The data folder is to stay marked
/// then, and the call may be repeated with `begins_again`.
pub fn restore(
    databases: &dyn Databases,
    source: &Path,
    data: &Path,
    begins_again: bool,
    skip_damaged: bool,
) -> Result<Restored, BackupError> {
    let Some(manifest) = Manifest::read(source)? else { return no_backup(source) };
    // a backup on a disk that cannot be written is used by nobody else
    let _lock = match lock(&source.join(LOCK)) {
        Err(refused @ BackupError::Refused(_)) => return Err(refused),
        other => other.ok(),
    };
    let set = source.join(SETS).join(&manifest.set);
    for (path, known) in &manifest.files {
        if size(&set.join(path))?.is_none() || digest(&set.join(path))? != *known {
            return Err(BackupError::Damaged(format!("{} is not what it was", set.join(path).display())));
        }
    }
    let contents = databases.contents(&set)?;
    if begins_again {
        clear(databases, data)?;
    }
    let left_out = copy_contents(&*contents, &manifest, source, data, skip_damaged)?;
    copy_uploads(&*contents, source, data)?;
    for path in manifest.files.keys() {
        let target = data.join(path);
        if let Some(folder) = target.parent() {
            make_folder(folder)?;
        }
        remove(&target)?;
        copy(&set.join(path), &target, u64::MAX)?;
    }
    replace(&data.join(STORE_ID), manifest.store_id.as_bytes())?;
    // the product is that account, and what another one made for itself alone would be closed to it
    let given_to = give_to_owner(data)?;
    sync_all(data)?;
    Ok(Restored {
        has_secrets: manifest.files.keys().any(|path| path.starts_with("secrets/")),
        product: manifest.product,
        taken_at: manifest.taken_at,
        contents: manifest.contents,
        content_bytes: manifest.content_bytes,
        lost: (manifest.damaged.len() + manifest.missing.len()) as u64,
        left_out,
        given_to,
    })
}

/// Whether anything is in a data folder that a restore would write over. What an operator puts there beforehand, such as `secrets/`, does not count unless the
/// backup has it, too.
///
/// # Errors
/// `Io`; `Refused` if `source` is no backup.
pub fn holds_data(databases: &dyn Databases, source: &Path, data: &Path) -> Result<bool, BackupError> {
    let Some(manifest) = Manifest::read(source)? else { return no_backup(source) };
    for name in databases.names() {
        // SQLite would play a log that is left over into the database that comes back
        for end in ["", "-wal", "-shm", "-journal"] {
            if size(&data.join(format!("{name}{end}")))?.is_some() {
                return Ok(true);
            }
        }
    }
    if size(&data.join(STORE_ID))?.is_some() {
        return Ok(true);
    }
    for folder in entries(&data.join(BLOBS))? {
        if !folder.is_dir() || !entries(&folder)?.is_empty() {
            return Ok(true);
        }
    }
    let brings_secrets = manifest.files.keys().any(|path| path.starts_with("secrets/"));
    Ok(!entries(&data.join(PARTIAL))?.is_empty()
        || brings_secrets && !entries(&data.join(SECRETS))?.is_empty())
}

fn no_backup<T>(source: &Path) -> Result<T, BackupError> {
    refused(format!("{} holds no backup, or one that was cut", source.display()))
}

/// Removes what a cut call has left.
fn clear(databases: &dyn Databases, data: &Path) -> Result<(), BackupError> {
    for name in databases.names() {
        for end in ["", "-wal", "-shm", "-journal"] {
            remove(&data.join(format!("{name}{end}")))?;
        }
    }
    remove(&data.join(STORE_ID))?;
    remove_all(&data.join(BLOBS))?;
    remove_all(&data.join(PARTIAL))
}

fn copy_contents(
    contents: &dyn Contents,
    manifest: &Manifest,
    source: &Path,
    data: &Path,
    skip_damaged: bool,
) -> Result<Vec<BlobKey>, BackupError> {
    let mut left_out = Vec::new();
    let missing: HashSet<BlobKey> = manifest.missing.iter().copied().collect();
    let damaged: HashSet<BlobKey> = manifest.damaged.iter().copied().collect();
    each(
        |after, limit| contents.list(after, limit),
        |content| content.key,
        |content| {
            if missing.contains(&content.key) {
                return Ok(());
            }
            let from = content_path(&source.join(BLOBS), content.key);
            if size(&from)?.is_none() {
                if skip_damaged {
                    left_out.push(content.key);
                    return Ok(());
                }
                return Err(damaged_content(&from, "is missing"));
            }
            let to = content_path(&data.join(BLOBS), content.key);
            if let Some(folder) = to.parent() {
                make_folder(folder)?;
            }
            let found = copy(&from, &to, u64::MAX)?;
            if found != (content.size, content.sha256) && !damaged.contains(&content.key) {
                if !skip_damaged {
                    return Err(damaged_content(&from, "is not what it was"));
                }
                remove(&to)?;
                left_out.push(content.key);
            }
            Ok(())
        },
    )?;
    Ok(left_out)
}

fn damaged_content(path: &Path, how: &str) -> BackupError {
    let text = format!("{} {how}; --skip-damaged leaves such contents out", path.display());
    BackupError::Damaged(text)
}

/// What had come of uploads under way. Whose bytes are not all there begins anew.
fn copy_uploads(contents: &dyn Contents, source: &Path, data: &Path) -> Result<(), BackupError> {
    make_folder(&data.join(PARTIAL))?;
    each(
        |after, limit| contents.list_uploads(after, limit),
        |upload| upload.key,
        |upload| {
            let from = source.join(PARTIAL).join(upload.key.to_string());
            // a later run that was cut may have brought more of it, which nothing that comes back tells of
            if size(&from)?.is_none_or(|size| size < upload.size) {
                return Ok(());
            }
            let to = match upload.is_whole {
                true => content_path(&data.join(BLOBS), upload.key),
                false => data.join(PARTIAL).join(upload.key.to_string()),
            };
            if let Some(folder) = to.parent() {
                make_folder(folder)?;
            }
            if fs::exists(&to).unwrap_or(false) {
                // its commit came between, and it is among the contents
                return Ok(());
            }
            copy(&from, &to, upload.size).map(drop)
        },
    )
}
