//! Brings a backup back into a data folder.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use common::BlobKey;

use super::disk::{copy, digest, entries, size};
use super::{
    BLOBS, BackupError, Contents, Databases, LOCK, MOUNTED, Manifest, ON_ONE_DISK, PARTIAL, SECRETS, SETS,
    STORE_ID, content_path, each, refused,
};
use crate::held::{Held, HeldError, LOST_AND_FOUND};

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

/// Looks for what would end [`restore`] late, where others may have put such into the folders: before the data folder is marked as unfinished.
///
/// # Errors
/// `Refused` if `source` is no backup, else with a sentence that names what is in the way.
pub fn check_folders(source: &Path, data: &Path) -> Result<(), BackupError> {
    let Some(manifest) = Manifest::read(source)? else { return no_backup(source) };
    check(&manifest, &Held::open(source)?, &Held::open(data)?)
}

fn check(manifest: &Manifest, kept: &Held, data: &Held) -> Result<(), BackupError> {
    kept.refuse_links(&[SETS, BLOBS, PARTIAL], ON_ONE_DISK)?;
    data.refuse_links(&[BLOBS, PARTIAL], MOUNTED)?;
    if brings_secrets(manifest) {
        data.refuse_links(&[SECRETS], MOUNTED)?;
    }
    Ok(data.refuse_depth()?)
}

fn brings_secrets(manifest: &Manifest) -> bool {
    manifest.files.keys().any(|path| path.starts_with("secrets/"))
}

/// Fills a data folder, which the caller holds and has marked as unfinished, from a backup. Each file is held against its digest while it is copied; all are
/// durable when this returns. Blocks. `begins_again` says that an earlier call was cut: what that one left is removed. With
/// `skip_damaged` contents that are not what they were are left out and named, so that one of them does not keep all others away; databases are never.
/// All that is in the folder then belongs to the account that the folder belongs to. If that is another one than this process's, no link in the folder is
/// followed: that account may put one anywhere meanwhile.
///
/// # Errors
/// `Refused` if `source` is no backup, or for what [`check_folders`] names; `Damaged` if the backup is not what it was. The data folder is to stay marked
/// then, and the call may be repeated with `begins_again`.
pub fn restore(
    databases: &dyn Databases,
    source: &Path,
    data: &Path,
    begins_again: bool,
    skip_damaged: bool,
) -> Result<Restored, BackupError> {
    let Some(manifest) = Manifest::read(source)? else { return no_backup(source) };
    let (kept, data) = (Held::open(source)?, Held::open(data)?);
    check(&manifest, &kept, &data)?;
    // a backup on a disk that cannot be written is used by nobody else
    let _lock = match kept.lock(LOCK) {
        Err(refused @ HeldError::Refused(_)) => return Err(refused.into()),
        other => other.ok(),
    };
    let set = Path::new(SETS).join(&manifest.set);
    for (path, known) in &manifest.files {
        let path = set.join(path);
        if kept.size(&path)?.is_none() || digest(kept.read(&path)?)? != *known {
            return Err(BackupError::Damaged(format!("{} is not what it was", kept.full(&path).display())));
        }
    }
    let contents = databases.contents(&kept.full(&set))?;
    if begins_again {
        clear(databases, &data)?;
    }
    let left_out = copy_contents(&*contents, &manifest, &kept, &data, skip_damaged)?;
    copy_uploads(&*contents, &kept, &data)?;
    for path in manifest.files.keys() {
        data.remove(path)?;
        copy(kept.read(set.join(path))?, data.create(path)?, u64::MAX)?;
    }
    data.replace(STORE_ID, manifest.store_id.as_bytes())?;
    // the product is that account, and what another one made for itself alone would be closed to it
    let given_to = data.give_to_owner()?;
    data.sync_all(&[BLOBS, PARTIAL, SECRETS])?;
    Ok(Restored {
        has_secrets: brings_secrets(&manifest),
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
    let kept_in = |folder: &str| -> Result<Vec<_>, BackupError> {
        let mut found = entries(&data.join(folder))?;
        found.retain(|path| !path.ends_with(LOST_AND_FOUND));
        Ok(found)
    };
    for folder in kept_in(BLOBS)? {
        if !folder.is_dir() || !entries(&folder)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(!kept_in(PARTIAL)?.is_empty()
        || brings_secrets(&manifest) && !entries(&data.join(SECRETS))?.is_empty())
}

fn no_backup<T>(source: &Path) -> Result<T, BackupError> {
    refused(format!("{} holds no backup, or one that was cut", source.display()))
}

/// Removes what a cut call has left, unless something else lies there: whoever gives a folder more room may have put another disk there since.
fn clear(databases: &dyn Databases, data: &Held) -> Result<(), BackupError> {
    let left = left_behind(data)?;
    for name in databases.names() {
        for end in ["", "-wal", "-shm", "-journal"] {
            data.remove(format!("{name}{end}"))?;
        }
    }
    data.remove(STORE_ID)?;
    // the folders themselves stay: each may be a disk of its own, or a link to one
    for path in left {
        data.remove_all(path)?;
    }
    Ok(())
}

/// Contents, by folders of them, and uploads that are under way.
///
/// # Errors
/// `Refused` if there is anything that a restore does not make.
fn left_behind(data: &Held) -> Result<Vec<PathBuf>, BackupError> {
    let foreign = |path: &Path| {
        let path = data.full(path);
        refused(format!("{} is nothing that a restore has left: take it away from there", path.display()))
    };
    let mut left = Vec::new();
    for name in data.entries(BLOBS)?.into_iter().filter(|name| name != LOST_AND_FOUND) {
        let folder = Path::new(BLOBS).join(&name);
        let Some(first) = name.to_str().filter(|first| first.len() == 2) else { return foreign(&folder) };
        for rest in data.entries(&folder)? {
            if rest.to_str().is_none_or(|rest| BlobKey::parse(&format!("{first}{rest}")).is_err()) {
                return foreign(&folder.join(rest));
            }
        }
        left.push(folder);
    }
    for name in data.entries(PARTIAL)?.into_iter().filter(|name| name != LOST_AND_FOUND) {
        let path = Path::new(PARTIAL).join(&name);
        if name.to_str().is_none_or(|name| BlobKey::parse(name).is_err()) {
            return foreign(&path);
        }
        left.push(path);
    }
    Ok(left)
}

fn copy_contents(
    contents: &dyn Contents,
    manifest: &Manifest,
    kept: &Held,
    data: &Held,
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
            let path = content_path(Path::new(BLOBS), content.key);
            if kept.size(&path)?.is_none() {
                if skip_damaged {
                    left_out.push(content.key);
                    return Ok(());
                }
                return Err(damaged_content(&kept.full(&path), "is missing"));
            }
            let found = copy(kept.read(&path)?, data.create(&path)?, u64::MAX)?;
            if found != (content.size, content.sha256) && !damaged.contains(&content.key) {
                if !skip_damaged {
                    return Err(damaged_content(&kept.full(&path), "is not what it was"));
                }
                data.remove(&path)?;
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
fn copy_uploads(contents: &dyn Contents, kept: &Held, data: &Held) -> Result<(), BackupError> {
    data.make(PARTIAL)?;
    each(
        |after, limit| contents.list_uploads(after, limit),
        |upload| upload.key,
        |upload| {
            let partial = Path::new(PARTIAL).join(upload.key.to_string());
            // a later run that was cut may have brought more of it, which nothing that comes back tells of
            if kept.size(&partial)?.is_none_or(|size| size < upload.size) {
                return Ok(());
            }
            let to = match upload.is_whole {
                true => content_path(Path::new(BLOBS), upload.key),
                false => partial.clone(),
            };
            if data.size(&to)?.is_some() {
                // its commit came between, and it is among the contents
                return Ok(());
            }
            copy(kept.read(&partial)?, data.create(&to)?, upload.size).map(drop)
        },
    )
}
