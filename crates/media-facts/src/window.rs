use bytes::Bytes;

use crate::{Error, Source};

/// Most bytes that are read of one file.
const MAX_BYTES: u64 = 2 * 1024 * 1024;
/// Most ranges.
const MAX_READS: u32 = 100;
/// Bytes that a range has at least, as what is asked for next mostly follows.
const AHEAD: u64 = 16 * 1024;

/// A file, of which the last range is kept. Counts what is read.
pub(crate) struct Window<'s, S: Source> {
    source: &'s mut S,
    size: u64,
    start: u64,
    kept: Bytes,
    read_bytes: u64,
    reads: u32,
}

type Got<T, S> = Result<T, Error<<S as Source>::Error>>;

impl<'s, S: Source> Window<'s, S> {
    pub(crate) fn new(source: &'s mut S, size: u64) -> Self {
        Self { source, size, start: 0, kept: Bytes::new(), read_bytes: 0, reads: 0 }
    }

    /// Bytes of the file.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The first bytes, fewer if the file is shorter.
    pub(crate) async fn start(&mut self, len: usize) -> Got<Bytes, S> {
        self.bytes_or_less(0, len).await
    }

    /// Exactly these bytes.
    pub(crate) async fn bytes(&mut self, at: u64, len: usize) -> Got<Bytes, S> {
        let bytes = self.bytes_or_less(at, len).await?;
        if bytes.len() == len { Ok(bytes) } else { Err(Error::Damaged("it ends in its headers")) }
    }

    /// These bytes, or as many of them as the file has.
    pub(crate) async fn bytes_or_less(&mut self, at: u64, len: usize) -> Got<Bytes, S> {
        let len = (len as u64).min(self.size.saturating_sub(at));
        if len == 0 {
            return Ok(Bytes::new());
        }
        if let Some(bytes) = self.kept(at, len) {
            return Ok(bytes);
        }
        let wanted = len.max(AHEAD).min(self.size - at);
        self.read_bytes += wanted;
        self.reads += 1;
        if self.read_bytes > MAX_BYTES || self.reads > MAX_READS {
            return Err(Error::TooMuch);
        }
        let wanted = usize::try_from(wanted).map_err(|_| Error::TooMuch)?;
        self.kept = self.source.read(at, wanted).await.map_err(Error::Source)?;
        self.start = at;
        self.kept(at, len).ok_or(Error::Damaged("it is shorter than it should be"))
    }

    fn kept(&self, at: u64, len: u64) -> Option<Bytes> {
        let from = usize::try_from(at.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(usize::try_from(len).ok()?)?;
        (to <= self.kept.len()).then(|| self.kept.slice(from..to))
    }
}
