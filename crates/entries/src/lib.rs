//! What is in an archive that somebody else made: the directory of a zip, the headers of a tar. No content is unpacked.
//!
//! A file is read by ranges, of which a page asks for few: it works over a network, and no file can make it read, keep or compute much. Whatever a file
//! says is checked before it is used; none makes it panic.

mod name;
mod tar;
#[cfg(test)]
mod tests;
mod window;
mod zip;

use async_trait::async_trait;
use bytes::Bytes;

use window::Window;

/// Longest path of an entry, in bytes as the archive has it. What has a longer one is no archive of files.
pub const MAX_PATH_BYTES: usize = 4096;

/// Most entries of an archive.
pub const MAX_ENTRIES: u64 = 1_000_000;

/// A kind of archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Zip, with or without zip64.
    Zip,
    /// Tar, not compressed: ustar, pax, GNU.
    Tar,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path, parts between slashes, without `.`, `..`, control characters, and a slash at its ends. Nothing says that it is the only one of this path.
    pub path: String,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Bytes of its content, as the archive says.
    pub size: u64,
    /// Bytes that these take in the archive, where they are compressed one by one.
    pub packed: Option<u64>,
    /// When it was changed, in seconds since 1970, where the archive says that for all time zones.
    pub modified_at: Option<i64>,
    /// Whether its content is encrypted.
    pub is_encrypted: bool,
}

/// Some entries, in the order of the archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Where the next page begins, for [`list`]; none at the end.
    pub next: Option<u64>,
    /// How many there are in all, where the archive says so.
    pub total: Option<u64>,
}

/// Why nothing is listed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error<E> {
    /// It contradicts itself, or ends too early.
    #[error("{0}")]
    Damaged(&'static str),
    /// It is of a kind that is not read, such as one of several parts.
    #[error("{0}")]
    Unsupported(&'static str),
    /// It has more entries, or longer names, than are looked at.
    #[error("{0}")]
    TooMuch(&'static str),
    /// It could not be read.
    #[error("it could not be read")]
    Source(#[source] E),
}

/// A file that is read by ranges.
#[async_trait]
pub trait Source: Send {
    /// Why a range could not be read.
    type Error: Send;

    /// Exactly these bytes, which are within the file: at most 256 KiB.
    async fn read(&mut self, start: u64, len: usize) -> Result<Bytes, Self::Error>;
}

/// The kind of files of this type, if their entries can be listed.
pub fn kind_of(mime: &str) -> Option<Kind> {
    match mime {
        "application/zip" | "application/epub+zip" | "application/java-archive" => Some(Kind::Zip),
        "application/x-tar" => Some(Kind::Tar),
        // documents of OpenDocument and Office Open XML are zips, too
        _ if mime.starts_with("application/vnd.oasis.opendocument.")
            || mime.starts_with("application/vnd.openxmlformats-officedocument.") =>
        {
            Some(Kind::Zip)
        }
        _ => None,
    }
}

/// Up to `limit` entries of an archive of `size` bytes, from `from` on: 0, or [`Page::next`] of the page before. At most 4 MiB are read, by at most 200 calls; a page
/// is shorter than asked for when that is used up.
///
/// # Errors
/// [`Error`]; also where `from` is no place of an entry.
pub async fn list<S: Source>(
    source: &mut S,
    size: u64,
    kind: Kind,
    from: u64,
    limit: usize,
) -> Result<Page, Error<S::Error>> {
    let mut window = Window::new(source, size);
    match kind {
        Kind::Zip => zip::list(&mut window, from, limit).await,
        Kind::Tar => tar::list(&mut window, from, limit).await,
    }
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
