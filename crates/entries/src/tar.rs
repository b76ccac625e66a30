//! The headers of a tar: POSIX ustar and pax, and what GNU adds.

use crate::window::{Got, Window};
use crate::{Entry, Error, MAX_PATH_BYTES, Page, Source, name};

const BLOCK: u64 = 512;

/// Longest header of names and numbers that do not fit into a block.
const MAX_EXTENDED: u64 = 64 * 1024;

/// So much is read at once: small files stand together.
const AHEAD: u64 = 16 * 1024;

/// What headers before an entry say of it.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    size: Option<u64>,
    modified_at: Option<i64>,
}

pub(crate) async fn list<S: Source>(window: &mut Window<'_, S>, from: u64, limit: usize) -> Got<Page, S> {
    let mut at = from;
    if !from.is_multiple_of(BLOCK) || from > window.size() {
        return Err(Error::Damaged("nothing begins there"));
    }
    let mut entries = Vec::new();
    let mut extended = Extended::default();
    // where the next page begins: not between an entry and what is said of it before
    let mut begun = at;
    loop {
        if window.size() - at < BLOCK {
            return Ok(Page { entries, next: None, total: None });
        }
        let is_full = entries.len() >= limit || !window.has_room();
        if is_full && !entries.is_empty() {
            return Ok(Page { entries, next: Some(begun), total: None });
        }
        let block = window.bytes(at, BLOCK, AHEAD).await?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(Page { entries, next: None, total: None });
        }
        if !is_header(&block) {
            return Err(Error::Damaged("a header of it is damaged"));
        }
        let kind = block[156];
        let own_size = number(&block[124..136]).ok_or(Error::Damaged("a header of it is damaged"))?;
        let size = if matches!(kind, b'x' | b'g' | b'L' | b'K') {
            own_size
        } else {
            extended.size.unwrap_or(own_size)
        };
        let has_content = !matches!(kind, b'1'..=b'6');
        let content = if has_content { size } else { 0 };
        let next = content
            .checked_next_multiple_of(BLOCK)
            .and_then(|padded| at.checked_add(BLOCK)?.checked_add(padded))
            .filter(|_| at + BLOCK + content.min(u64::MAX / 2) <= window.size())
            .ok_or(Error::Damaged("it is shorter than it says"))?
            .min(window.size());
        match kind {
            b'x' | b'L' => {
                if size > MAX_EXTENDED {
                    return Err(Error::TooMuch("it has a longer path than is shown"));
                }
                let said = window.bytes(at + BLOCK, size, AHEAD).await?;
                if kind == b'x' {
                    extended.read(&said);
                } else {
                    extended.path = Some(until_nul(&said).to_vec());
                }
            }
            // of all entries, of links, and what only GNU tar makes of itself
            b'g' | b'K' | b'M' | b'V' => {}
            _ => {
                entries.extend(entry::<S::Error>(&block, std::mem::take(&mut extended), content)?);
                begun = next;
            }
        }
        at = next;
    }
}

fn entry<E>(block: &[u8], extended: Extended, size: u64) -> Result<Option<Entry>, Error<E>> {
    let raw = extended.path.unwrap_or_else(|| {
        let (name, prefix) = (until_nul(&block[..100]), until_nul(&block[345..500]));
        let has_prefix = block[257..].starts_with(b"ustar\0") && !prefix.is_empty();
        if has_prefix { [prefix, b"/", name].concat() } else { name.to_vec() }
    });
    if raw.len() > MAX_PATH_BYTES {
        return Err(Error::TooMuch("it has a longer path than is shown"));
    }
    let text = name::decode(&raw, true);
    let path = name::clean(&text);
    if path.is_empty() {
        return Ok(None);
    }
    let is_folder = block[156] == b'5' || text.ends_with('/');
    let modified_at = extended.modified_at.or_else(|| i64::try_from(number(&block[136..148])?).ok());
    Ok(Some(Entry { path, is_folder, size, packed: None, modified_at, is_encrypted: false }))
}

impl Extended {
    /// Lines of `length key=value`; what cannot be read ends them.
    fn read(&mut self, mut said: &[u8]) {
        while let Some((key, value, rest)) = line(said) {
            let text = || std::str::from_utf8(value).ok();
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"size" => self.size = text().and_then(|text| text.parse().ok()),
                b"mtime" => {
                    self.modified_at = text().and_then(|text| text.split('.').next()?.parse().ok());
                }
                _ => {}
            }
            said = rest;
        }
    }
}

fn line(said: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = said.iter().take(20).position(|byte| *byte == b' ')?;
    let len: usize = std::str::from_utf8(&said[..space]).ok()?.parse().ok()?;
    let line = said.get(space + 1..len)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|byte| *byte == b'=')?;
    Some((&line[..equals], &line[equals + 1..], &said[len..]))
}

/// The sum of all bytes, those of the sum itself as spaces; old programs took bytes for signed.
fn is_header(block: &[u8]) -> bool {
    let bytes =
        || block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    let unsigned: u64 = bytes().map(u64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
    number(&block[148..156]).is_some_and(|sum| sum == unsigned || i64::try_from(sum) == Ok(signed))
}

/// Octal digits between spaces and NULs, or, behind a set bit, a number of bytes.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (high, low) = field.split_at(field.len() - 8);
        let is_small = high.iter().enumerate().all(|(at, byte)| *byte == if at == 0 { 0x80 } else { 0 });
        return if is_small { Some(u64::from_be_bytes(*low.first_chunk()?)) } else { None };
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
