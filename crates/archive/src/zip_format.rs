//! Records of zip archives (APPNOTE 6.3.10, sections 4.3 and 4.5). All numbers are little-endian.

use time::OffsetDateTime;

use crate::{Entry, Layout};

const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
const RECORD_SIGNATURE: u32 = 0x0201_4b50;
const END_SIGNATURE: u32 = 0x0605_4b50;
const END64_SIGNATURE: u32 = 0x0606_4b50;
const LOCATOR64_SIGNATURE: u32 = 0x0706_4b50;

/// What can be read by version 2.0: folders. By 4.5: zip64.
const NEEDS: u16 = 20;
const NEEDS_64: u16 = 45;
/// Made on UNIX, so that the upper half of the attributes is a mode; by the rules of 6.3.
const MADE_BY: u16 = (3 << 8) | 63;
/// Bit 11: the name is UTF-8.
const FLAGS: u16 = 1 << 11;

const FILE_MODE: u32 = 0o100_644;
const FOLDER_MODE: u32 = 0o040_755;
/// The attribute of a folder for DOS.
const DOS_FOLDER: u32 = 0x10;

/// Says that the number stands in the zip64 field.
const IN_64: u32 = u32::MAX;
const TAG_64: u16 = 0x0001;
const TAG_TIME: u16 = 0x5455;
/// The field of times says when it was modified, and nothing else.
const MODIFIED: u8 = 1;

const LOCAL_BYTES: u64 = 30;
const RECORD_BYTES: u64 = 46;
/// A field with a length of a file, twice; its head is 4 bytes.
const LOCAL_64_BYTES: u64 = 4 + 16;
const TIME_BYTES: u64 = 4 + 5;

/// Appends numbers.
struct Record(Vec<u8>);

impl Record {
    fn u16(&mut self, number: u16) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// What a field of 32 bits says of a number.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(IN_64)
}

/// A number that its field cannot say, nor the value that stands for that.
fn is_wide(number: u64) -> bool {
    number >= u64::from(IN_64)
}

fn needs(is_64: bool) -> u16 {
    if is_64 { NEEDS_64 } else { NEEDS }
}

/// The head of an entry, before its content.
pub(crate) fn header(layout: &Layout, index: usize) -> Vec<u8> {
    let (entry, path) = (&layout.entries[index], layout.path(index));
    let mut extra = Record(Vec::new());
    if is_wide(entry.size()) {
        extra.u16(TAG_64).u16(16).u64(entry.size()).u64(entry.size());
    }
    extra.bytes(&time_field(entry));
    let mut record = Record(Vec::with_capacity(path.len() + 64));
    record.u32(LOCAL_SIGNATURE).u16(needs(is_wide(entry.size())));
    common(&mut record, entry, &path, &extra.0);
    record.bytes(path.as_bytes()).bytes(&extra.0);
    record.0
}

/// The length of [`header`], without making it.
pub(crate) fn header_len(layout: &Layout, index: usize) -> u64 {
    let entry = &layout.entries[index];
    let wide = if is_wide(entry.size()) { LOCAL_64_BYTES } else { 0 };
    let time = if unix_time(entry).is_some() { TIME_BYTES } else { 0 };
    LOCAL_BYTES + layout.path_len(index) as u64 + wide + time
}

/// The record of an entry in the directory.
pub(crate) fn record(layout: &Layout, index: usize) -> Vec<u8> {
    let (entry, path, offset) = (&layout.entries[index], layout.path(index), layout.offsets[index]);
    let mut wide = Record(Vec::new());
    if is_wide(entry.size()) {
        wide.u64(entry.size()).u64(entry.size());
    }
    if is_wide(offset) {
        wide.u64(offset);
    }
    let mut extra = Record(Vec::new());
    if !wide.0.is_empty() {
        extra.u16(TAG_64).u16(wide.0.len() as u16).bytes(&wide.0);
    }
    extra.bytes(&time_field(entry));
    let attributes = match entry.stored {
        Some(_) => FILE_MODE << 16,
        None => (FOLDER_MODE << 16) | DOS_FOLDER,
    };
    let mut record = Record(Vec::with_capacity(path.len() + 80));
    record.u32(RECORD_SIGNATURE).u16(MADE_BY).u16(needs(!wide.0.is_empty()));
    common(&mut record, entry, &path, &extra.0);
    // no comment, the first disk, no internal attributes
    record.u16(0).u16(0).u16(0).u32(attributes).u32(narrow(offset));
    record.bytes(path.as_bytes()).bytes(&extra.0);
    record.0
}

/// The length of [`record`], without making it.
pub(crate) fn record_len(layout: &Layout, index: usize) -> u64 {
    let (entry, offset) = (&layout.entries[index], layout.offsets[index]);
    let sizes = if is_wide(entry.size()) { 16 } else { 0 };
    let place = if is_wide(offset) { 8 } else { 0 };
    // the field has a head of its own
    let wide = if sizes + place > 0 { 4 + sizes + place } else { 0 };
    let time = if unix_time(entry).is_some() { TIME_BYTES } else { 0 };
    RECORD_BYTES + layout.path_len(index) as u64 + wide + time
}

/// From the flags to the length of the extra fields: the same in both kinds of records.
fn common(record: &mut Record, entry: &Entry, path: &str, extra: &[u8]) {
    let (time, date) = dos_time(entry.modified_at);
    let crc32 = entry.stored.map_or(0, |stored| stored.crc32);
    let size = narrow(entry.size());
    // the method 0: stored
    record.u16(FLAGS).u16(0).u16(time).u16(date).u32(crc32).u32(size).u32(size);
    // `Layout::new` holds both below 2^16
    record.u16(path.len() as u16).u16(extra.len() as u16);
}

/// What stands behind the directory, which is `directory` bytes long.
pub(crate) fn end(layout: &Layout, directory: u64) -> Vec<u8> {
    let (count, offset) = (layout.entries.len() as u64, layout.entries_end);
    let mut record = Record(Vec::new());
    if count >= u64::from(u16::MAX) || is_wide(directory) || is_wide(offset) {
        // 44 bytes follow that length; one disk
        record.u32(END64_SIGNATURE).u64(44).u16(MADE_BY).u16(NEEDS_64).u32(0).u32(0);
        record.u64(count).u64(count).u64(directory).u64(offset);
        record.u32(LOCATOR64_SIGNATURE).u32(0).u64(offset + directory).u32(1);
    }
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    record.u32(END_SIGNATURE).u16(0).u16(0).u16(count).u16(count).u32(narrow(directory)).u32(narrow(offset));
    record.u16(0);
    record.0
}

/// The time as the extra field says it; none outside of 1901 to 2038.
fn unix_time(entry: &Entry) -> Option<i32> {
    i32::try_from(entry.modified_at).ok()
}

fn time_field(entry: &Entry) -> Vec<u8> {
    let Some(time) = unix_time(entry) else { return Vec::new() };
    let mut field = Record(Vec::new());
    field.u16(TAG_TIME).u16(5).bytes(&[MODIFIED]).bytes(&time.to_le_bytes());
    field.0
}

/// Time and date as DOS has them, in UTC: to two seconds, from 1980 to 2107.
fn dos_time(seconds: i64) -> (u16, u16) {
    const FIRST: (u16, u16) = (0, (1 << 5) | 1);
    const LAST: (u16, u16) = ((23 << 11) | (59 << 5) | 29, (127 << 9) | (12 << 5) | 31);
    let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else {
        return if seconds < 0 { FIRST } else { LAST };
    };
    match at.year() {
        ..1980 => FIRST,
        2108.. => LAST,
        year => {
            let time =
                (u16::from(at.hour()) << 11) | (u16::from(at.minute()) << 5) | u16::from(at.second() / 2);
            let date =
                ((year - 1980) as u16) << 9 | (u16::from(u8::from(at.month())) << 5) | u16::from(at.day());
            (time, date)
        }
    }
}
