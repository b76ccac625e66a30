//! Bytes of contents, between a store and a folder.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;

use bytes::Bytes;
use common::digest::Hasher;
use common::files::{BlobRange, BlobStore};
use common::portable::PortableBlob;
use common::{PortError, PortResult};
use futures_util::TryStreamExt as _;

use super::PortableError;
use super::folder::{at, content_path};
use crate::held::{Held, Opened};

const PIECE_BYTES: usize = 256 * 1024;

/// Copies a content into the folder; false if the store has lost it, or has something else.
pub(super) async fn copy_out(
    blobs: &dyn BlobStore,
    blob: &PortableBlob,
    folder: &Held,
) -> Result<bool, PortableError> {
    let path = content_path(Path::new(""), blob.key);
    let range = BlobRange { start: 0, len: blob.size };
    let mut stream = match blobs.stream(blob.key, range).await {
        Ok(Some(stream)) => stream,
        Ok(None) | Err(PortError::Broken { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let Opened { path: full, mut file } = folder.create(&path)?;
    let mut hasher = Hasher::default();
    loop {
        match stream.try_next().await {
            Ok(Some(piece)) => {
                hasher.update(&piece);
                file.write_all(&piece).map_err(at(&full))?;
            }
            Ok(None) => break,
            Err(PortError::Broken { .. }) => {
                folder.remove(&path)?;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let (size, sha256, _) = hasher.finish();
    if (size, sha256) == (blob.size, blob.sha256) {
        return Ok(true);
    }
    folder.remove(&path)?;
    Ok(false)
}

/// Whether a content is in the folder, with the size that it should have.
pub(super) fn look(blob: &PortableBlob, folder: &Path) -> Result<(), PortableError> {
    let path = content_path(folder, blob.key);
    match fs::metadata(&path) {
        Ok(found) if found.is_file() && found.len() == blob.size => Ok(()),
        Ok(_) => Err(PortableError::Damaged(format!("{} is not what it was", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(PortableError::Damaged(format!("{} is missing", path.display())))
        }
        Err(error) => Err(at(&path)(error)),
    }
}

/// Copies a content out of the folder. Safe to repeat.
pub(super) async fn copy_in(
    blobs: &dyn BlobStore,
    blob: &PortableBlob,
    folder: &Path,
) -> Result<(), PortableError> {
    if blobs.size(blob.key).await? == Some(blob.size) {
        // a content is there whole or not at all
        return Ok(());
    }
    let path = content_path(folder, blob.key);
    let differs = || PortableError::Damaged(format!("{} is not what it was", path.display()));
    let mut file = File::open(&path).map_err(at(&path))?;
    let mut writer = blobs.create(blob.key, Some(blob.size)).await?;
    // held against its hash before it gets its name: nothing that differs is ever kept
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut buffer).map_err(at(&path))? {
            0 => break,
            count => {
                hasher.update(&buffer[..count]);
                writer.write(Bytes::copy_from_slice(&buffer[..count])).await?;
            }
        }
    }
    let (size, sha256, _) = hasher.finish();
    if (size, sha256) != (blob.size, blob.sha256) {
        return Err(differs());
    }
    let written: PortResult<_> = writer.finish().await;
    written?;
    Ok(())
}
