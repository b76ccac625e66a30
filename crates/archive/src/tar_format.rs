//! Headers of tar archives: POSIX ustar, with a pax header before where something does not fit (IEEE Std 1003.1, pax).

use tar::{EntryType, Header};

use crate::{Entry, Layout};

const BLOCK: u64 = 512;
/// Two blocks of zeros end an archive.
pub(crate) const END_BYTES: u64 = 2 * BLOCK;

/// Longest name in a header, in bytes.
const NAME_BYTES: usize = 100;
/// Eleven octal digits.
const LARGEST: u64 = 0o77_777_777_777;

const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// The name in a header whose true name stands in the pax header before it.
const STAND_IN: &str = "see-pax-header";

/// How many zeros fill the last block of a content.
pub(crate) fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK) - size
}

/// The blocks before the content of an entry.
pub(crate) fn header(layout: &Layout, index: usize) -> Vec<u8> {
    let (entry, path) = (&layout.entries[index], layout.path(index));
    let mut records = Vec::new();
    let fits = path.len() <= NAME_BYTES && path.is_ascii();
    if !fits {
        push_record(&mut records, "path", &path);
    }
    if entry.size() > LARGEST {
        push_record(&mut records, "size", &entry.size().to_string());
    }
    let mtime = u64::try_from(entry.modified_at).ok().filter(|at| *at <= LARGEST);
    if mtime.is_none() {
        push_record(&mut records, "mtime", &entry.modified_at.to_string());
    }
    let mut bytes = Vec::with_capacity(BLOCK as usize);
    if !records.is_empty() {
        bytes.extend(block(EntryType::XHeader, STAND_IN, records.len() as u64, FILE_MODE, 0));
        bytes.extend_from_slice(&records);
        bytes.resize(bytes.len() + padding(records.len() as u64) as usize, 0);
    }
    let name = if fits { &path } else { STAND_IN };
    let size = if entry.size() > LARGEST { 0 } else { entry.size() };
    let (kind, mode) = kind(entry);
    bytes.extend(block(kind, name, size, mode, mtime.unwrap_or(0)));
    bytes
}

fn kind(entry: &Entry) -> (EntryType, u32) {
    match entry.stored {
        Some(_) => (EntryType::Regular, FILE_MODE),
        None => (EntryType::Directory, FOLDER_MODE),
    }
}

fn block(kind: EntryType, name: &str, size: u64, mode: u32, mtime: u64) -> [u8; BLOCK as usize] {
    let mut header = Header::new_ustar();
    if let Some(ustar) = header.as_ustar_mut() {
        // no longer than the field; `Header::set_path` would split it, and refuse some
        for (to, from) in ustar.name.iter_mut().zip(name.bytes()) {
            *to = from;
        }
    }
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(mtime);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    *header.as_bytes()
}

/// A record is `length key=value` and a line feed; the length counts its own digits.
fn push_record(records: &mut Vec<u8>, key: &str, value: &str) {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    records.extend(format!("{len} {key}={value}\n").into_bytes());
}
