//! The bytes of a file on this machine, on their way into the product.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use common::digest::Hasher;
use common::files::IncomingBytes;
use common::{Sha256, Timestamp};
use futures_util::stream;
use tokio::task::spawn_blocking;

/// How much is read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// A regular file that is open.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    seen: Seen,
}

/// By what a change of a file is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    size: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl Seen {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified_s: metadata.mtime(), modified_ns: metadata.mtime_nsec() }
    }
}

/// The digest of what was read, once all of it was.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadDigest(Arc<Mutex<Option<Sha256>>>);

impl ReadDigest {
    /// The digest, if the file was read to its end.
    pub(crate) fn get(&self) -> Option<Sha256> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    /// A file that was opened, if it is a regular one.
    ///
    /// # Errors
    /// It is something else, or cannot be looked at.
    pub(crate) fn of(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.is_file() {
            Ok(Self { file, seen: Seen::of(&metadata) })
        } else {
            Err(io::Error::other("not a regular file"))
        }
    }

    /// How many bytes it has.
    pub(crate) fn size(&self) -> u64 {
        self.seen.size
    }

    /// When its content was last changed.
    pub(crate) fn modified_at(&self) -> Timestamp {
        let millis =
            self.seen.modified_s.saturating_mul(1000).saturating_add(self.seen.modified_ns / 1_000_000);
        Timestamp::from_millis(millis)
    }

    /// The digest of its bytes, and the file at its start again.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) async fn digest(self) -> io::Result<(Self, Sha256)> {
        blocking(move || {
            let (mut hasher, mut piece) = (Hasher::default(), vec![0; PIECE_BYTES]);
            loop {
                match (&self.file).read(&mut piece)? {
                    0 => break,
                    read => hasher.update(&piece[..read]),
                }
            }
            io::Seek::rewind(&mut &self.file)?;
            Ok((self, hasher.finish().1))
        })
        .await
    }

    /// Its bytes, piece by piece. A file that changes meanwhile ends them with an error, so that no mixture of two states is taken.
    pub(crate) fn bytes(self) -> (IncomingBytes, ReadDigest) {
        let digest = ReadDigest::default();
        let reading = Reading { source: self, hasher: Hasher::default(), digest: digest.clone() };
        let pieces = stream::try_unfold(reading, |reading| blocking(move || reading.next()));
        (Box::pin(pieces), digest)
    }
}

struct Reading {
    source: Source,
    hasher: Hasher,
    digest: ReadDigest,
}

impl Reading {
    fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let mut piece = BytesMut::zeroed(PIECE_BYTES);
        let read = (&self.source.file).read(&mut piece)?;
        if read > 0 {
            piece.truncate(read);
            self.hasher.update(&piece);
            if self.hasher.size_bytes() > self.source.size() {
                return Err(changed());
            }
            return Ok(Some((piece.freeze(), self)));
        }
        let unchanged = Seen::of(&self.source.file.metadata()?) == self.source.seen;
        if !unchanged || self.hasher.size_bytes() != self.source.size() {
            return Err(changed());
        }
        let (_, sha256, _) = self.hasher.finish();
        *self.digest.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sha256);
        Ok(None)
    }
}

fn changed() -> io::Error {
    io::Error::other("it changed while it was read")
}

/// Does what waits for a disk on a thread that may wait.
///
/// # Errors
/// Those of `work`.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures_util::TryStreamExt as _;

    use super::*;

    fn file(content: &[u8]) -> (File, File) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        (File::open(file.path()).unwrap(), file.into_file())
    }

    #[tokio::test]
    async fn a_file_is_read_whole_and_its_digest_is_known_after_that() {
        let content: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
        let source = Source::of(file(&content).0).unwrap();
        let (source, digest) = source.digest().await.unwrap();
        assert_eq!((source.size(), digest), (700_000, Sha256::of(&content)));
        let (bytes, read) = source.bytes();
        assert_eq!(read.get(), None);
        let pieces: Vec<Bytes> = bytes.try_collect().await.unwrap();
        assert!(pieces.iter().all(|piece| piece.len() <= PIECE_BYTES));
        assert_eq!((pieces.concat(), read.get()), (content, Some(digest)));
    }

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_read_is_not_taken() {
        for longer in [true, false] {
            let (reader, mut writer) = file(&[7; 300_000]);
            let (mut bytes, read) = Source::of(reader).unwrap().bytes();
            assert_eq!(bytes.try_next().await.unwrap().unwrap().len(), PIECE_BYTES);
            if longer {
                writer.write_all(b"more").unwrap();
            } else {
                writer.set_len(299_999).unwrap();
            }
            let rest: io::Result<Vec<Bytes>> = bytes.try_collect().await;
            assert!(rest.unwrap_err().to_string().contains("changed"));
            assert_eq!(read.get(), None);
        }
    }

    #[test]
    fn a_folder_is_no_file() {
        assert!(Source::of(File::open("/").unwrap()).is_err());
    }
}
