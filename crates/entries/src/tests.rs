use std::io::{Cursor, Write as _};

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipWriter};
use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::*;

struct File(Vec<u8>, u32);

#[async_trait]
impl Source for File {
    type Error = std::convert::Infallible;

    async fn read(&mut self, start: u64, len: usize) -> Result<Bytes, Self::Error> {
        assert!(len <= 256 * 1024);
        self.1 += 1;
        let start = usize::try_from(start).unwrap();
        Ok(Bytes::copy_from_slice(&self.0[start..start + len]))
    }
}

type Listed = Result<Page, Error<std::convert::Infallible>>;

fn page(bytes: &[u8], kind: Kind, from: u64, limit: usize) -> Listed {
    let mut file = File(bytes.to_vec(), 0);
    let size = bytes.len() as u64;
    let listed = list(&mut file, size, kind, from, limit).now_or_never().expect("the file is at hand");
    assert!(file.1 <= 200);
    listed
}

/// All pages of this length.
fn all(bytes: &[u8], kind: Kind, limit: usize) -> Vec<Entry> {
    let (mut entries, mut from) = (Vec::new(), 0);
    loop {
        let page = page(bytes, kind, from, limit).unwrap();
        assert!(page.entries.len() <= limit);
        entries.extend(page.entries);
        match page.next {
            Some(next) => from = next,
            None => return entries,
        }
    }
}

fn zipped(names: &[&str]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for name in names {
        if name.ends_with('/') {
            zip.add_directory(*name, options).unwrap();
        } else {
            zip.start_file(*name, options).unwrap();
            zip.write_all(name.as_bytes()).unwrap();
        }
    }
    zip.set_comment("PK\u{5}\u{6} is no directory");
    zip.finish().unwrap().into_inner()
}

fn tarred(names: &[&str]) -> Vec<u8> {
    let mut tar = ::tar::Builder::new(Vec::new());
    for name in names {
        let mut header = ::tar::Header::new_gnu();
        let is_folder = name.ends_with('/');
        header.set_entry_type(if is_folder {
            ::tar::EntryType::Directory
        } else {
            ::tar::EntryType::Regular
        });
        header.set_mtime(1_700_000_000);
        let content = if is_folder { &[][..] } else { name.as_bytes() };
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content).unwrap();
    }
    tar.into_inner().unwrap()
}

#[test]
fn what_is_in_an_archive_is_listed_in_pages() {
    let long = format!("{}/{}.txt", "a folder".repeat(10), "ü".repeat(100));
    let mut names: Vec<String> = (0..250).map(|n| format!("folder/{n} ä.txt")).collect();
    names.insert(0, "folder/".to_owned());
    names.push(long);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (bytes, kind) in [(zipped(&names), Kind::Zip), (tarred(&names), Kind::Tar)] {
        for limit in [1, 7, 1000] {
            let entries = all(&bytes, kind, limit);
            let paths: Vec<&str> = entries.iter().map(|entry| &*entry.path).collect();
            let expected: Vec<&str> = names.iter().map(|name| name.trim_end_matches('/')).collect();
            assert_eq!(paths, expected, "{kind:?} by {limit}");
            assert!(entries[0].is_folder && !entries[1].is_folder);
            assert_eq!(entries[1].size, names[1].len() as u64);
        }
    }
    assert_eq!(page(&zipped(&names), Kind::Zip, 0, 1).unwrap().total, Some(252));
    assert_eq!(page(&tarred(&names), Kind::Tar, 0, 1).unwrap().entries[0].modified_at, Some(1_700_000_000));
}

#[test]
fn nothing_in_front_of_a_zip_hides_it() {
    let bytes = [b"#!/bin/sh\n".as_slice(), &zipped(&["a"])].concat();
    assert_eq!(all(&bytes, Kind::Zip, 10)[0].path, "a");
}

#[test]
fn paths_lead_nowhere() {
    for (path, expected) in [
        ("../../etc/passwd", "etc/passwd"),
        ("/a//./b/", "a/b"),
        ("C:\\windows\\x", "C:/windows/x"),
        ("a\u{0}b\nc", "a\u{fffd}b\u{fffd}c"),
        ("exe\u{202e}gpj.x", "exe\\u{202e}gpj.x"),
        ("..", ""),
    ] {
        assert_eq!(name::clean(path), expected);
    }
    assert_eq!(name::decode(b"\x84.txt", false), "ä.txt");
    assert_eq!(name::decode(b"\x84.txt", true), "\u{fffd}.txt");
    assert_eq!(name::decode("ä".as_bytes(), false), "ä");
}

#[test]
fn what_is_none_is_said_so() {
    assert!(matches!(page(b"PK", Kind::Zip, 0, 1), Err(Error::Damaged(_))));
    assert!(matches!(page(&[b'x'; 1000], Kind::Zip, 0, 1), Err(Error::Damaged(_))));
    assert!(matches!(page(&[b'x'; 1000], Kind::Tar, 0, 1), Err(Error::Damaged(_))));
    assert_eq!(page(&[0; 1024], Kind::Tar, 0, 1).unwrap(), Page::default());
    let zip = zipped(&["a", "b"]);
    for from in [1, 10_000, u64::MAX] {
        assert!(matches!(page(&zip, Kind::Zip, from, 1), Err(Error::Damaged(_))), "{from}");
        assert!(matches!(page(&tarred(&["a"]), Kind::Tar, from, 1), Err(Error::Damaged(_))), "{from}");
    }
    // the first record says that the directory is encrypted
    let mut masked = zip.clone();
    let record = masked.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    masked[record + 9] |= 1 << 5;
    assert!(matches!(page(&masked, Kind::Zip, 0, 1), Err(Error::Unsupported(_))));
    let mut locked = zip;
    locked[record + 8] |= 1;
    assert!(page(&locked, Kind::Zip, 0, 1).unwrap().entries[0].is_encrypted);
    let path = "x".repeat(MAX_PATH_BYTES + 1);
    assert!(matches!(page(&zipped(&[&path]), Kind::Zip, 0, 1), Err(Error::TooMuch(_))));
}

proptest! {
    #[test]
    fn whatever_stands_there_is_survived(
        mut bytes in prop_oneof![Just(zipped(&["a", "b/", "b/c"])), Just(tarred(&["a", "b/", &"c".repeat(150)]))],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in any::<prop::sample::Index>(),
        from in 0_u64..4096,
    ) {
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        for kind in [Kind::Zip, Kind::Tar] {
            for from in [0, from] {
                if let Ok(page) = page(&bytes, kind, from, 10) {
                    prop_assert!(page.next.is_none_or(|next| next > from));
                }
            }
        }
    }
}
