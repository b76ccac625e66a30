//! The directory at the end of a zip (APPNOTE 6.3.10, sections 4.3 and 4.5). All numbers are little-endian.

use crate::window::{Got, Window};
use crate::{Entry, Error, MAX_ENTRIES, MAX_PATH_BYTES, Page, Source, le16, le32, le64, name};

const RECORD: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";

const RECORD_BYTES: u64 = 46;
const END_BYTES: usize = 22;
const END_64_BYTES: u64 = 56;
const LOCATOR_BYTES: u64 = 20;
/// Longest comment behind the directory.
const COMMENT_BYTES: u64 = u16::MAX as u64;

/// So much of the directory is read at once.
const AHEAD: u64 = 64 * 1024;

const IN_64: u32 = u32::MAX;
const TAG_64: u16 = 0x0001;
const TAG_TIME: u16 = 0x5455;
const ENCRYPTED: u16 = 1;
const UTF8: u16 = 1 << 11;
/// The directory itself is encrypted.
const MASKED: u16 = 1 << 13;

/// Where the directory is.
struct Directory {
    start: u64,
    len: u64,
    count: u64,
}

pub(crate) async fn list<S: Source>(window: &mut Window<'_, S>, from: u64, limit: usize) -> Got<Page, S> {
    let directory = find(window).await?;
    if directory.count > MAX_ENTRIES {
        return Err(Error::TooMuch("it has more than a million entries"));
    }
    let end = directory.start + directory.len;
    let mut at = directory
        .start
        .checked_add(from)
        .filter(|at| *at <= end)
        .ok_or(Error::Damaged("nothing begins there"))?;
    let mut entries = Vec::new();
    while at < end && entries.len() < limit {
        if !entries.is_empty() && !window.has_room() {
            break;
        }
        let ahead = AHEAD.min(end - at);
        let head = window.bytes(at, RECORD_BYTES, ahead).await?;
        if !head.starts_with(RECORD) {
            return Err(Error::Damaged("its directory has something else in it"));
        }
        let part = |at| le16(&head, at).map_or(0, u64::from);
        let (name_len, extra_len, comment_len) = (part(28), part(30), part(32));
        if name_len > MAX_PATH_BYTES as u64 {
            return Err(Error::TooMuch("it has a longer path than is shown"));
        }
        let rest = name_len + extra_len;
        if at + RECORD_BYTES + rest + comment_len > end {
            return Err(Error::Damaged("its directory is cut"));
        }
        let rest = window.bytes(at + RECORD_BYTES, rest, ahead).await?;
        let (name, extra) = rest.split_at(name_len as usize);
        if let Some(entry) = entry::<S::Error>(&head, name, extra)? {
            entries.push(entry);
        }
        at += RECORD_BYTES + name_len + extra_len + comment_len;
    }
    Ok(Page { entries, next: (at < end).then(|| at - directory.start), total: Some(directory.count) })
}

async fn find<S: Source>(window: &mut Window<'_, S>) -> Got<Directory, S> {
    let size = window.size();
    if size < END_BYTES as u64 {
        return Err(Error::Damaged("it is too short to be a zip"));
    }
    let tail_len = size.min(END_BYTES as u64 + LOCATOR_BYTES + COMMENT_BYTES);
    let tail_at = size - tail_len;
    let tail = window.bytes(tail_at, tail_len, 0).await?;
    // the one whose comment reaches to the end: a comment may hold what looks like one
    let fits = |at: &usize| {
        tail[*at..].starts_with(END)
            && le16(&tail, at + 20).is_some_and(|len| at + END_BYTES + usize::from(len) == tail.len())
    };
    let at = (0..=tail.len() - END_BYTES).rev().find(fits).ok_or(Error::Damaged("it has no directory"))?;
    let end = &tail[at..];
    let number = |at| le16(end, at).unwrap_or(0);
    let wide = |at| le32(end, at).unwrap_or(0);
    let place = tail_at + at as u64;
    let needs_64 = number(10) == u16::MAX || wide(12) == IN_64 || wide(16) == IN_64;
    let locator = (at as u64).checked_sub(LOCATOR_BYTES).map(|at| &tail[at as usize..]);
    let locator = locator.filter(|bytes| bytes.starts_with(LOCATOR_64));
    if let Some(locator) = locator {
        return find_64(window, locator, place - LOCATOR_BYTES).await;
    }
    if needs_64 {
        return Err(Error::Damaged("its directory cannot be found"));
    }
    if number(4) != 0 || number(6) != 0 {
        return Err(Error::Unsupported("it is a part of an archive of several files"));
    }
    directory(place, wide(12).into(), wide(16).into(), number(10).into())
}

async fn find_64<S: Source>(window: &mut Window<'_, S>, locator: &[u8], before: u64) -> Got<Directory, S> {
    let at = le64(locator, 8).unwrap_or(u64::MAX);
    if at.checked_add(END_64_BYTES).is_none_or(|end| end > before) {
        return Err(Error::Damaged("its directory cannot be found"));
    }
    let end = window.bytes(at, END_64_BYTES, 0).await?;
    if !end.starts_with(END_64) {
        return Err(Error::Damaged("its directory cannot be found"));
    }
    if le32(&end, 16) != Some(0) || le32(&end, 20) != Some(0) {
        return Err(Error::Unsupported("it is a part of an archive of several files"));
    }
    let number = |at| le64(&end, at).unwrap_or(u64::MAX);
    directory(at, number(40), number(48), number(32))
}

/// The directory that ends at `end`. Where something was put in front of the archive, it begins later than the archive says.
fn directory<E>(end: u64, len: u64, said: u64, count: u64) -> Result<Directory, Error<E>> {
    let start =
        end.checked_sub(len).filter(|start| *start >= said).ok_or(Error::Damaged("its directory is cut"))?;
    if count.checked_mul(RECORD_BYTES).is_none_or(|least| least > len) {
        return Err(Error::Damaged("its directory is shorter than it says"));
    }
    Ok(Directory { start, len, count })
}

fn entry<E>(head: &[u8], name: &[u8], extra: &[u8]) -> Result<Option<Entry>, Error<E>> {
    let flags = le16(head, 8).unwrap_or(0);
    if flags & MASKED != 0 {
        return Err(Error::Unsupported("its directory is encrypted"));
    }
    let text = name::decode(name, flags & UTF8 != 0);
    let path = name::clean(&text);
    if path.is_empty() {
        return Ok(None);
    }
    let (mut packed, mut size) = (le32(head, 20).map_or(0, u64::from), le32(head, 24).map_or(0, u64::from));
    let mut modified_at = None;
    for (tag, field) in fields(extra) {
        match tag {
            TAG_64 => {
                // only what the record itself cannot say stands there, in this order
                let mut wide = field.chunks_exact(8).map(|bytes| le64(bytes, 0).unwrap_or(0));
                if size == IN_64.into() {
                    size = wide.next().unwrap_or(size);
                }
                if packed == IN_64.into() {
                    packed = wide.next().unwrap_or(packed);
                }
            }
            TAG_TIME if field.first().is_some_and(|which| which & 1 == 1) => {
                modified_at = le32(field, 1).map(|seconds| i64::from(seconds.cast_signed()));
            }
            _ => {}
        }
    }
    Ok(Some(Entry {
        path,
        is_folder: text.ends_with(['/', '\\']),
        size,
        packed: Some(packed),
        modified_at,
        is_encrypted: flags & ENCRYPTED != 0,
    }))
}

fn fields(mut extra: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, len) = (le16(extra, 0)?, usize::from(le16(extra, 2)?));
        let field = extra.get(4..4 + len)?;
        extra = &extra[4 + len..];
        Some((tag, field))
    })
}
