use std::sync::Arc;

use crate::{Format, Layout, zip_format};

/// Records of the directory are made so many bytes at a time.
const DIRECTORY_BYTES: usize = 64 * 1024;

/// A piece of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A part of a file's content. Never empty.
    Content {
        /// The position of the entry.
        entry: usize,
        /// Where the part begins in the content.
        start: u64,
        /// Its length in bytes.
        len: u64,
    },
}

/// The pieces of a part of an archive, one after another. Their lengths sum up to that of the part.
#[derive(Debug)]
pub struct Pieces {
    layout: Arc<Layout>,
    at: u64,
    end: u64,
    /// The first record of the directory that was not passed yet, and where it begins.
    record: usize,
    record_at: u64,
}

impl Pieces {
    pub(crate) fn new(layout: Arc<Layout>, start: u64, end: u64) -> Self {
        let record_at = layout.entries_end;
        Self { layout, at: start, end, record: 0, record_at }
    }

    /// The rest of what stands at `from`, cut where the part ends.
    fn bytes(&mut self, mut bytes: Vec<u8>, from: u64) -> Piece {
        let skipped = usize::try_from(self.at - from).unwrap_or(usize::MAX);
        let wanted = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        bytes.drain(..skipped.min(bytes.len()));
        bytes.truncate(wanted);
        self.at += bytes.len() as u64;
        Piece::Bytes(bytes)
    }

    fn of_entry(&mut self) -> Piece {
        let layout = Arc::clone(&self.layout);
        // the last one that begins here or before
        let index = layout.offsets.partition_point(|offset| *offset <= self.at) - 1;
        let from = layout.offsets[index];
        let next = layout.offsets.get(index + 1).copied().unwrap_or(layout.entries_end);
        let size = layout.entries[index].size();
        let content = next - layout.padding(index) - size;
        if self.at < content {
            return self.bytes(layout.header(index), from);
        }
        if self.at < content + size {
            let start = self.at - content;
            let len = (size - start).min(self.end - self.at);
            self.at += len;
            return Piece::Content { entry: index, start, len };
        }
        let zeros = vec![0; usize::try_from(next - content - size).unwrap_or_default()];
        self.bytes(zeros, content + size)
    }

    fn of_end(&mut self) -> Piece {
        let layout = Arc::clone(&self.layout);
        if layout.format == Format::Tar {
            let zeros = vec![0; usize::try_from(layout.len() - layout.entries_end).unwrap_or_default()];
            return self.bytes(zeros, layout.entries_end);
        }
        // pass by what comes before the part
        while self.record < layout.entries.len() {
            let after = self.record_at + layout.record_len(self.record);
            if after > self.at {
                break;
            }
            (self.record, self.record_at) = (self.record + 1, after);
        }
        let from = self.record_at;
        let mut made = Vec::new();
        let mut next = self.record;
        while next < layout.entries.len() && made.len() < DIRECTORY_BYTES {
            made.extend(zip_format::record(&layout, next));
            next += 1;
        }
        if next == layout.entries.len() {
            let directory = from + made.len() as u64 - layout.entries_end;
            // once the records are passed, `from` is where the directory ends
            made.extend(zip_format::end(&layout, directory));
        }
        self.bytes(made, from)
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if self.at >= self.end {
            return None;
        }
        Some(if self.at < self.layout.entries_end { self.of_entry() } else { self.of_end() })
    }
}
