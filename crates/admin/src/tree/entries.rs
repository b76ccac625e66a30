//! What folders of the machine hold, without following anything.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};

/// What a folder of the machine holds under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    Folder,
    File,
    Link,
    Special(&'static str),
}

/// The folder that was typed, which may be a link.
pub(super) fn open_top(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// An entry of a folder, if it is no link.
pub(super) fn open_at(folder: &OwnedFd, entry: &CString, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(folder, entry.as_c_str(), flags, Mode::empty())?)
}

/// What a folder holds, in the order of its names.
pub(super) fn list(folder: &OwnedFd) -> io::Result<Vec<(CString, Found)>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            // some file systems do not say
            FileType::Unknown => match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            },
            known => known,
        };
        let found = match kind {
            FileType::Directory => Found::Folder,
            FileType::RegularFile => Found::File,
            FileType::Symlink => Found::Link,
            FileType::Fifo => Found::Special("a named pipe"),
            FileType::Socket => Found::Special("a socket"),
            FileType::CharacterDevice | FileType::BlockDevice => Found::Special("a device"),
            FileType::Unknown => Found::Special("neither a file nor a folder"),
        };
        entries.push((name.to_owned(), found));
    }
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::source::Source;

    #[test]
    fn a_folder_is_listed_in_order_and_no_link_is_opened() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join("b")).unwrap();
        fs::write(top.path().join("a"), "").unwrap();
        symlink("/etc", top.path().join("c")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, top.path().join("d"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let folder = open_top(top.path()).unwrap();
        let listed: Vec<_> = list(&folder)
            .unwrap()
            .into_iter()
            .map(|(name, found)| (name.into_string().unwrap(), found))
            .collect();
        let expected = [
            ("a", Found::File),
            ("b", Found::Folder),
            ("c", Found::Link),
            ("d", Found::Special("a named pipe")),
        ];
        assert_eq!(listed, expected.map(|(name, found)| (name.to_owned(), found)));
        // what became a link after the folder was listed
        for flags in [OFlags::DIRECTORY, OFlags::NONBLOCK] {
            assert!(open_at(&folder, &CString::new("c").unwrap(), flags).is_err());
        }
        let pipe = open_at(&folder, &CString::new("d").unwrap(), OFlags::NONBLOCK).unwrap();
        assert!(Source::of(File::from(pipe)).is_err(), "and it did not wait for a writer");
    }
}
