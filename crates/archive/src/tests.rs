use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

const NOON: i64 = 1_709_208_000;

fn folder(parent: Option<u32>, name: &str) -> Entry {
    Entry { parent, name: name.into(), modified_at: NOON, stored: None }
}

fn file(parent: Option<u32>, name: &str, content: &[u8]) -> Entry {
    let stored = Stored { size: content.len() as u64, crc32: crc32fast::hash(content) };
    Entry { parent, name: name.into(), modified_at: NOON + 1, stored: Some(stored) }
}

/// An archive that is read as from a disk, without being anywhere: contents repeat one byte.
struct Virtual {
    layout: Arc<Layout>,
    fill: u8,
    at: u64,
}

impl Read for Virtual {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = self.at + buffer.len() as u64;
        let read = match self.layout.pieces(self.at, wanted).next() {
            None => 0,
            Some(Piece::Bytes(bytes)) => {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                bytes.len()
            }
            Some(Piece::Content { len, .. }) => {
                buffer[..len as usize].fill(self.fill);
                len as usize
            }
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Virtual {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(by) => self.layout.len().saturating_add_signed(by),
            SeekFrom::Current(by) => self.at.saturating_add_signed(by),
        };
        Ok(self.at)
    }
}

fn whole(layout: &Arc<Layout>, contents: &[&[u8]], start: u64, end: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in layout.pieces(start, end) {
        match piece {
            Piece::Bytes(piece) => bytes.extend(piece),
            Piece::Content { entry, start, len } => {
                assert_ne!(len, 0);
                bytes.extend(&contents[entry][start as usize..(start + len) as usize]);
            }
        }
    }
    bytes
}

/// Names of all kinds, nested, with an empty file and an empty folder.
fn sample() -> (Vec<Entry>, Vec<&'static [u8]>) {
    let long = "ü".repeat(90);
    let entries = vec![
        folder(None, "Fotos – Sommer"),
        file(Some(0), "a.txt", b"Hello Webstack!\n"),
        file(Some(0), "empty", b""),
        folder(Some(0), &long),
        file(Some(3), "日本語.bin", &[7; 1500]),
        folder(None, "nothing in it"),
        file(None, "last", b"x"),
    ];
    (entries, vec![b"", b"Hello Webstack!\n", b"", b"", &[7; 1500], b"", b"x"])
}

fn layout(format: Format, entries: Vec<Entry>) -> Arc<Layout> {
    Arc::new(Layout::new(format, entries).unwrap())
}

#[test]
fn a_zip_is_read_as_it_was_meant() {
    let (entries, contents) = sample();
    let layout = layout(Format::Zip, entries);
    let bytes = whole(&layout, &contents, 0, u64::MAX);
    assert_eq!(bytes.len() as u64, layout.len());
    let mut read = zip::ZipArchive::new(io::Cursor::new(bytes)).unwrap();
    assert_eq!(read.len(), contents.len());
    for (index, content) in contents.iter().enumerate() {
        let mut entry = read.by_index(index).unwrap();
        assert_eq!(entry.name(), layout.path(index));
        assert_eq!(entry.is_dir(), layout.entries()[index].stored.is_none());
        let modified = entry.last_modified().unwrap();
        // 2024-02-29 12:00 UTC
        assert_eq!((modified.year(), modified.month(), modified.day(), modified.hour()), (2024, 2, 29, 12));
        let mut found = Vec::new();
        // fails if the CRC-32 is another
        entry.read_to_end(&mut found).unwrap();
        assert_eq!(found, *content);
    }
}

#[test]
fn a_tar_is_read_as_it_was_meant() {
    let (mut entries, contents) = sample();
    entries[1].modified_at = -5;
    let layout = layout(Format::Tar, entries);
    let bytes = whole(&layout, &contents, 0, u64::MAX);
    assert_eq!(bytes.len() as u64, layout.len());
    let mut read = tar::Archive::new(&*bytes);
    for (index, entry) in read.entries().unwrap().enumerate() {
        let mut entry = entry.unwrap();
        assert_eq!(entry.path().unwrap().to_str().unwrap(), layout.path(index));
        let is_folder = layout.entries()[index].stored.is_none();
        assert_eq!(entry.header().entry_type().is_dir(), is_folder);
        if index == 1 {
            let mtime = entry.pax_extensions().unwrap().unwrap().find_map(|found| {
                let found = found.unwrap();
                (found.key() == Ok("mtime")).then(|| found.value().unwrap().to_owned())
            });
            assert_eq!(mtime.as_deref(), Some("-5"));
        } else {
            assert_eq!(entry.header().mtime().unwrap(), layout.entries()[index].modified_at as u64);
        }
        let mut found = Vec::new();
        entry.read_to_end(&mut found).unwrap();
        assert_eq!(found, contents[index]);
    }
}

#[test]
fn files_beyond_four_gibibytes_are_read_by_zip64() {
    const SIZE: u64 = 5 << 30;
    let mut large = file(None, "large", b"");
    large.stored = Some(Stored { size: SIZE, crc32: 0 });
    let layout = layout(Format::Zip, vec![large, file(None, "behind", b"@@@")]);
    let mut read = zip::ZipArchive::new(Virtual { layout, fill: b'@', at: 0 }).unwrap();
    assert_eq!(read.by_index(0).unwrap().size(), SIZE);
    let mut behind = String::new();
    read.by_name("behind").unwrap().read_to_string(&mut behind).unwrap();
    assert_eq!(behind, "@@@");
}

#[test]
fn files_beyond_eight_gibibytes_are_read_from_a_tar() {
    const SIZE: u64 = 9 << 30;
    let mut large = file(None, "large", b"");
    large.stored = Some(Stored { size: SIZE, crc32: 0 });
    let layout = layout(Format::Tar, vec![large, file(None, "behind", b"@@@")]);
    let mut read = tar::Archive::new(Virtual { layout, fill: b'@', at: 0 });
    let mut entries = read.entries_with_seek().unwrap();
    assert_eq!(entries.next().unwrap().unwrap().size(), SIZE);
    let mut behind = String::new();
    entries.next().unwrap().unwrap().read_to_string(&mut behind).unwrap();
    assert_eq!(behind, "@@@");
}

#[test]
fn more_entries_than_sixteen_bits_can_count_are_read_by_zip64() {
    const COUNT: usize = 70_000;
    let entries = (0..COUNT).map(|number| file(None, &number.to_string(), b"!")).collect();
    let contents = vec![&b"!"[..]; COUNT];
    let bytes = whole(&layout(Format::Zip, entries), &contents, 0, u64::MAX);
    let mut read = zip::ZipArchive::new(io::Cursor::new(bytes)).unwrap();
    assert_eq!(read.len(), COUNT);
    let mut last = String::new();
    read.by_name("69999").unwrap().read_to_string(&mut last).unwrap();
    assert_eq!(last, "!");
}

#[test]
fn an_archive_of_nothing_can_be_read() {
    let empty = layout(Format::Zip, Vec::new());
    assert!(empty.is_empty());
    let bytes = whole(&empty, &[], 0, u64::MAX);
    assert_eq!(zip::ZipArchive::new(io::Cursor::new(bytes)).unwrap().len(), 0);
    let bytes = whole(&layout(Format::Tar, Vec::new()), &[], 0, u64::MAX);
    assert_eq!(tar::Archive::new(&*bytes).entries().unwrap().count(), 0);
}

#[test]
fn what_leads_out_of_its_folder_is_refused() {
    for name in ["", ".", "..", "a/b", "/a", "a\\b", "a\0"] {
        let error = Layout::new(Format::Zip, vec![file(None, name, b"")]).unwrap_err();
        assert_eq!(error, LayoutError::Name(0), "{name:?}");
    }
    let into_a_file = vec![file(None, "a", b""), file(Some(0), "b", b"")];
    assert_eq!(Layout::new(Format::Tar, into_a_file).unwrap_err(), LayoutError::Parent(1));
    assert_eq!(Layout::new(Format::Tar, vec![folder(Some(0), "a")]).unwrap_err(), LayoutError::Parent(0));
    let deep = (0..300_u32).map(|at| folder(at.checked_sub(1), &"d".repeat(255))).collect();
    assert!(matches!(Layout::new(Format::Zip, deep).unwrap_err(), LayoutError::TooLong(_)));
    let huge = |size| Entry { stored: Some(Stored { size, crc32: 0 }), ..file(None, "a", b"") };
    assert_eq!(Layout::new(Format::Zip, vec![huge(u64::MAX)]).unwrap_err(), LayoutError::TooMuch);
    let two = vec![huge(i64::MAX as u64), huge(i64::MAX as u64)];
    assert_eq!(Layout::new(Format::Zip, two).unwrap_err(), LayoutError::TooMuch);
}

#[test]
fn times_that_a_form_cannot_say_are_the_nearest_that_it_can() {
    for time in [i64::MIN, -1, 0, 5_000_000_000, i64::MAX] {
        let entry = Entry { modified_at: time, ..file(None, "a", b"!") };
        for format in [Format::Zip, Format::Tar] {
            let layout = layout(format, vec![entry.clone()]);
            assert_eq!(whole(&layout, &[b"!"], 0, u64::MAX).len() as u64, layout.len(), "{time} {format:?}");
        }
    }
}

fn formats() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::Zip), Just(Format::Tar)]
}

proptest! {
    #[test]
    fn any_part_is_that_part_of_the_whole(format in formats(), start in 0..9000_u64, len in 0..9000_u64) {
        let (entries, contents) = sample();
        let layout = layout(format, entries);
        let all = whole(&layout, &contents, 0, u64::MAX);
        let end = (start + len).min(layout.len());
        let expected = all.get(start as usize..end as usize).unwrap_or_default();
        prop_assert_eq!(whole(&layout, &contents, start, start + len), expected);
    }

    #[test]
    fn any_entries_make_an_archive_of_the_length_that_was_said(
        format in formats(),
        files in proptest::collection::vec((0..1000_i64, "[a-zä ]{1,60}", proptest::collection::vec(any::<u8>(), 0..700)), 0..20),
    ) {
        let mut entries = vec![folder(None, "f")];
        let mut contents: Vec<&[u8]> = vec![b""];
        for (time, name, content) in &files {
            let parent = (time % 2 == 0).then_some(0);
            entries.push(Entry { modified_at: time * 10_000_000, ..file(parent, name, content) });
            contents.push(content);
        }
        let layout = layout(format, entries);
        prop_assert_eq!(whole(&layout, &contents, 0, u64::MAX).len() as u64, layout.len());
    }
}
