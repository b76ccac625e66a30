//! Files: copied with their digest, and looked at.

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use common::Sha256;
use common::digest::Hasher;

use super::{BackupError, at};
use crate::held::{Opened, absent_as_none};

const BUFFER_BYTES: usize = 256 * 1024;

/// Makes a folder for its owner alone, if it is not there.
pub(super) fn make_folder(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

/// Copies so many bytes at most, and says how many there were and their digest. The target is not durable yet.
pub(super) fn copy(from: Opened, mut to: Opened, most: u64) -> Result<(u64, Sha256), BackupError> {
    pass(&from.path, from.file.take(most), |bytes| to.file.write_all(bytes).map_err(at(&to.path)))
}

/// The digest of a file.
pub(super) fn digest(opened: Opened) -> Result<Sha256, BackupError> {
    pass(&opened.path, opened.file, |_| Ok(())).map(|(_, sha256)| sha256)
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

/// What is in a folder; nothing if there is none.
pub(super) fn entries(path: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let Some(entries) = absent_as_none(fs::read_dir(path)).map_err(at(path))? else { return Ok(Vec::new()) };
    entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>().map_err(at(path))
}
