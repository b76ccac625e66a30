//! Archives whose every byte is known before the first is sent.
//!
//! Entries are stored as they are, not compressed, and what a header says of one (length, CRC-32, time) is known beforehand. So an archive has a
//! length, the same entries are always the same bytes, and any part of it can be made without the parts before: downloads can be resumed, and
//! nothing is kept on a disk. This crate says which bytes stand where; it reads no contents.

mod entry;
mod layout;
mod pieces;
mod tar_format;
mod zip_format;

pub use entry::{Entry, Stored};
pub use layout::{Layout, LayoutError};
pub use pieces::{Piece, Pieces};

/// The form of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// APPNOTE 6.3, entries stored, names in UTF-8, zip64 where needed, times to the second in UTC (extra field 0x5455) beside those of DOS.
    Zip,
    /// POSIX ustar, with pax records where names, lengths or times do not fit.
    Tar,
}

#[cfg(test)]
mod tests;
