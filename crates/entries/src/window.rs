use bytes::Bytes;

use crate::{Error, Source};

/// Most bytes that are read for one page.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Most ranges.
const MAX_READS: u32 = 200;
/// Most bytes of one range.
const MAX_RANGE: u64 = 256 * 1024;

/// A file, of which the last range is kept. Counts what is read.
pub(crate) struct Window<'s, S: Source> {
    source: &'s mut S,
    size: u64,
    start: u64,
    kept: Bytes,
    read_bytes: u64,
    reads: u32,
}

pub(crate) type Got<T, S> = Result<T, Error<<S as Source>::Error>>;

impl<'s, S: Source> Window<'s, S> {
    pub(crate) fn new(source: &'s mut S, size: u64) -> Self {
        Self { source, size, start: 0, kept: Bytes::new(), read_bytes: 0, reads: 0 }
    }

    /// Bytes of the file.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether two more ranges may be read: as many as an entry takes.
    pub(crate) fn has_room(&self) -> bool {
        self.reads + 2 <= MAX_READS && self.read_bytes + 2 * MAX_RANGE <= MAX_BYTES
    }

    /// Exactly these bytes; with them up to `ahead` of what follows are read.
    pub(crate) async fn bytes(&mut self, at: u64, len: u64, ahead: u64) -> Got<Bytes, S> {
        if at.checked_add(len).is_none_or(|end| end > self.size) {
            return Err(Error::Damaged("it is shorter than it says"));
        }
        if len == 0 {
            return Ok(Bytes::new());
        }
        if let Some(bytes) = self.kept(at, len) {
            return Ok(bytes);
        }
        let wanted = len.max(ahead).min(self.size - at).min(MAX_RANGE.max(len));
        if len > MAX_RANGE || self.reads >= MAX_READS || self.read_bytes + wanted > MAX_BYTES {
            return Err(Error::TooMuch("its directory is spread too widely"));
        }
        self.read_bytes += wanted;
        self.reads += 1;
        let wanted = usize::try_from(wanted).map_err(|_| Error::TooMuch("its directory is too long"))?;
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
