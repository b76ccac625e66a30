use std::sync::Arc;

use crate::{Entry, Format, Pieces, tar_format, zip_format};

/// Why entries make no archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A name is empty, `.` or `..`, or has a separator or NUL.
    #[error("the name of entry {0} leads elsewhere")]
    Name(usize),
    /// A parent does not come before its entry, or is no folder.
    #[error("the folder of entry {0} is none")]
    Parent(usize),
    /// The way to an entry is longer than an archive can say: 65,535 bytes.
    #[error("the way to entry {0} is too long")]
    TooLong(usize),
    /// More than 2^32 - 1 entries, or 2^63 - 1 bytes.
    #[error("too much for one archive")]
    TooMuch,
}

/// Longest way to an entry, in bytes: what a zip archive can say.
const MAX_PATH_BYTES: usize = u16::MAX as usize;

/// Where everything stands in an archive.
#[derive(Debug)]
pub struct Layout {
    pub(crate) format: Format,
    pub(crate) entries: Vec<Entry>,
    /// Where the header of each entry begins.
    pub(crate) offsets: Vec<u64>,
    /// Where the last entry has ended.
    pub(crate) entries_end: u64,
    len: u64,
}

impl Layout {
    /// Lays out an archive of these entries, in this order.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn new(format: Format, entries: Vec<Entry>) -> Result<Self, LayoutError> {
        if u32::try_from(entries.len()).is_err() {
            return Err(LayoutError::TooMuch);
        }
        let mut layout = Self { format, entries, offsets: Vec::new(), entries_end: 0, len: 0 };
        layout.offsets.reserve_exact(layout.entries.len());
        let mut at = 0_u64;
        for index in 0..layout.entries.len() {
            layout.check(index)?;
            layout.offsets.push(at);
            at = at.checked_add(layout.entry_len(index)).ok_or(LayoutError::TooMuch)?;
        }
        layout.entries_end = at;
        let tail = match format {
            Format::Zip => {
                let records: u64 = (0..layout.entries.len()).map(|index| layout.record_len(index)).sum();
                records + zip_format::end(&layout, records).len() as u64
            }
            Format::Tar => tar_format::END_BYTES,
        };
        layout.len =
            at.checked_add(tail).filter(|len| i64::try_from(*len).is_ok()).ok_or(LayoutError::TooMuch)?;
        Ok(layout)
    }

    fn check(&self, index: usize) -> Result<(), LayoutError> {
        let entry = &self.entries[index];
        if !entry.has_safe_name() {
            return Err(LayoutError::Name(index));
        }
        if let Some(parent) = entry.parent {
            let parent = parent as usize;
            if parent >= index || self.entries[parent].stored.is_some() {
                return Err(LayoutError::Parent(index));
            }
        }
        // a content that fills the address space would make sums overflow
        if i64::try_from(entry.size()).is_err() {
            return Err(LayoutError::TooMuch);
        }
        if self.path_len(index) > MAX_PATH_BYTES { Err(LayoutError::TooLong(index)) } else { Ok(()) }
    }

    /// The length of the archive in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Without entries. Even then an archive has a length.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What stands in it, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The way to an entry, with slashes; a folder's ends in one.
    pub fn path(&self, index: usize) -> String {
        let mut way = Vec::new();
        let mut next = Some(index);
        while let Some(at) = next {
            way.push(&*self.entries[at].name);
            next = self.entries[at].parent.map(|parent| parent as usize);
        }
        let mut path = String::with_capacity(self.path_len(index));
        for name in way.iter().rev() {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(name);
        }
        if self.entries[index].stored.is_none() {
            path.push('/');
        }
        path
    }

    /// The length of [`Layout::path`] in bytes, without making it: it is asked for several times for each entry.
    pub(crate) fn path_len(&self, index: usize) -> usize {
        let entry = &self.entries[index];
        let mut len = entry.name.len() + usize::from(entry.stored.is_none());
        let mut next = entry.parent;
        while let Some(at) = next {
            let above = &self.entries[at as usize];
            len += above.name.len() + 1;
            next = above.parent;
        }
        len
    }

    /// The part of the archive from `start` to before `end`, or to its end if that comes first.
    pub fn pieces(self: &Arc<Self>, start: u64, end: u64) -> Pieces {
        Pieces::new(Arc::clone(self), start, end.min(self.len))
    }

    /// What stands before the content of an entry.
    pub(crate) fn header(&self, index: usize) -> Vec<u8> {
        match self.format {
            Format::Zip => zip_format::header(self, index),
            Format::Tar => tar_format::header(self, index),
        }
    }

    /// How many zeros stand behind the content of an entry.
    pub(crate) fn padding(&self, index: usize) -> u64 {
        match self.format {
            Format::Zip => 0,
            Format::Tar => tar_format::padding(self.entries[index].size()),
        }
    }

    fn entry_len(&self, index: usize) -> u64 {
        let header = match self.format {
            Format::Zip => zip_format::header_len(self, index),
            Format::Tar => tar_format::header(self, index).len() as u64,
        };
        header + self.entries[index].size() + self.padding(index)
    }

    /// The length of an entry's record in the directory of a zip archive.
    pub(crate) fn record_len(&self, index: usize) -> u64 {
        zip_format::record_len(self, index)
    }
}
