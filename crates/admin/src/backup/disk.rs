//! Files: copied with their digest, made durable together, private.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, lchown};
use std::path::{Path, PathBuf};

use common::Sha256;
use common::digest::Hasher;

use super::{BackupError, at};

const BUFFER_BYTES: usize = 256 * 1024;

/// Makes a folder for its owner alone, if it is not there.
pub(super) fn make_folder(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

/// A new file for its owner alone.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Copies so many bytes at most, and says how many there were and their digest. The target is new; it is not durable yet.
pub(super) fn copy(source: &Path, target: &Path, most: u64) -> Result<(u64, Sha256), BackupError> {
    let from = File::open(source).map_err(at(source))?;
    let mut to = create(target).map_err(at(target))?;
    pass(source, from.take(most), |bytes| to.write_all(bytes).map_err(at(target)))
}

/// The digest of a file.
pub(super) fn digest(path: &Path) -> Result<Sha256, BackupError> {
    let file = File::open(path).map_err(at(path))?;
    pass(path, file, |_| Ok(())).map(|(_, sha256)| sha256)
}

fn pass(
    source: &Path,
    mut from: impl Read,
    mut take: impl FnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<(u64, Sha256), BackupError> {
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; BUFFER_BYTES]);
    loop {
        match from.read(&mut buffer).map_err(at(source))? {
            0 => break,
            count => {
                take(&buffer[..count])?;
                hasher.update(&buffer[..count]);
            }
        }
    }
    let (size, sha256, _) = hasher.finish();
    Ok((size, sha256))
}

/// The size of a file, if it is there.
pub(super) fn size(path: &Path) -> Result<Option<u64>, BackupError> {
    absent_as_none(fs::metadata(path)).map(|found| found.map(|facts| facts.len())).map_err(at(path))
}

pub(super) fn absent_as_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), BackupError> {
    absent_as_none(fs::remove_file(path)).map(drop).map_err(at(path))
}

/// Removes a folder with all that is in it, if it is there.
pub(super) fn remove_all(path: &Path) -> Result<(), BackupError> {
    absent_as_none(fs::remove_dir_all(path)).map(drop).map_err(at(path))
}

/// What is in a folder; nothing if there is none.
pub(super) fn entries(path: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let Some(entries) = absent_as_none(fs::read_dir(path)).map_err(at(path))? else { return Ok(Vec::new()) };
    entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>().map_err(at(path))
}

/// Gives all that is in a folder to the account that the folder itself belongs to, and says which, if that is another one than this process's. Links are given
/// away, not what they lead to.
pub(super) fn give_to_owner(folder: &Path) -> Result<Option<u32>, BackupError> {
    let owner = fs::metadata(folder).map_err(at(folder))?;
    if owner.uid() == rustix::process::geteuid().as_raw() {
        return Ok(None);
    }
    give(folder, owner.uid(), owner.gid())?;
    Ok(Some(owner.uid()))
}

fn give(folder: &Path, user: u32, group: u32) -> Result<(), BackupError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let path = entry.path();
        if entry.file_type().map_err(at(&path))?.is_dir() {
            give(&path, user, group)?;
        }
        lchown(&path, Some(user), Some(group)).map_err(at(&path))?;
    }
    Ok(())
}

/// Makes all that was written to the file system of this folder durable: one sync for a million small files.
pub(super) fn sync_all(folder: &Path) -> Result<(), BackupError> {
    let sync = || -> io::Result<()> { Ok(rustix::fs::syncfs(File::open(folder)?)?) };
    sync().map_err(at(folder))
}

/// Writes a file beside its place and renames it; durable.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let unfinished = path.with_extension("unfinished");
    remove(&unfinished)?;
    let write = || {
        let mut file = create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(at(path))
}

/// Holds a folder for this process until the value is dropped.
pub(super) fn lock(path: &Path) -> Result<File, BackupError> {
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = open.map_err(at(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            super::refused(format!("another backup or restore is using {}", path.display()))
        }
        Err(TryLockError::Error(error)) => Err(at(path)(error)),
    }
}
