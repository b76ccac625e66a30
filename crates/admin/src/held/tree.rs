//! Whole trees of folders: removed, or given away.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fchown, fstat, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::{FILE, FOLDER, Held, HeldError, LOST_AND_FOUND, absent_as_none, at, kind, names, refused};

/// Folders in one another. Each takes a descriptor while what is in it is gone through; the product makes three.
const MOST_DEEP: usize = 16;

impl Held {
    /// Removes a folder with all that is in it, if it is there. Of a link the link alone.
    ///
    /// # Errors
    /// `Refused` for folders in one another that the product does not make.
    pub(crate) fn remove_all(&self, path: impl AsRef<Path>) -> Result<(), HeldError> {
        let path = path.as_ref();
        let full = self.full(path);
        match absent_as_none(self.parent(path, false)).map_err(at(&full))? {
            Some((folder, name)) => remove_tree(&folder, name, &full, path.components().count()),
            None => Ok(()),
        }
    }

    /// Gives all files and folders below to the account that the folder itself belongs to, and says which, if that is another one than this process's. Links,
    /// pipes and sockets stay whose they are: nothing here makes such.
    ///
    /// # Errors
    /// `Refused` for a file with a second name, which may be somebody else's, and for folders in one another that the product does not make.
    pub(crate) fn give_to_owner(&self) -> Result<Option<u32>, HeldError> {
        if self.is_own {
            return Ok(None);
        }
        self.give(&self.top, &self.path, 1)?;
        Ok(Some(self.owner))
    }

    /// Looks for what [`Held::remove_all`] and [`Held::give_to_owner`] would refuse late, where others may have made such.
    ///
    /// # Errors
    /// `Refused` for folders in one another that the product does not make.
    pub(crate) fn refuse_depth(&self) -> Result<(), HeldError> {
        if self.follows(&self.top).map_err(at(&self.path))? {
            return Ok(());
        }
        refuse_depth(&self.top, &self.path, 1)
    }

    fn give(&self, folder: &OwnedFd, path: &Path, depth: usize) -> Result<(), HeldError> {
        for name in names(folder).map_err(at(path))? {
            if name == LOST_AND_FOUND {
                continue;
            }
            let path = path.join(&name);
            let Some(entry) = open_entry(folder, &name).map_err(at(&path))? else { continue };
            // what was opened counts, not what had the name before
            let facts = fstat(&entry).map_err(|error| at(&path)(error.into()))?;
            let is_folder = kind(&facts) == FileType::Directory;
            if is_folder {
                not_too_deep(&path, depth)?;
                self.give(&entry, &path, depth + 1)?;
            }
            if (facts.st_uid, facts.st_gid) == (self.owner, self.group) {
                continue;
            }
            if !is_folder && facts.st_nlink > 1 {
                return refused(format!(
                    "{} has another name elsewhere, and is not given to the account {}: move it away",
                    path.display(),
                    self.owner
                ));
            }
            fchown(&entry, Some(Uid::from_raw(self.owner)), Some(Gid::from_raw(self.group)))
                .map_err(|error| at(&path)(error.into()))?;
        }
        Ok(())
    }
}

/// `depth` is that of what is in the folder.
fn refuse_depth(folder: &OwnedFd, path: &Path, depth: usize) -> Result<(), HeldError> {
    for name in folders(folder).map_err(at(path))? {
        let path = path.join(&name);
        match openat(folder, &name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(inner) => {
                not_too_deep(&path, depth)?;
                refuse_depth(&inner, &path, depth + 1)?;
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(error) => return Err(at(&path)(error.into())),
        }
    }
    Ok(())
}

fn not_too_deep(path: &Path, depth: usize) -> Result<(), HeldError> {
    if depth <= MOST_DEEP {
        return Ok(());
    }
    refused(format!("{} is deeper than any folder of the product: move it away", path.display()))
}

/// Names in a folder of what may be folders: of a million files none is opened.
fn folders(folder: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        let may_be = matches!(entry.file_type(), FileType::Directory | FileType::Unknown);
        if may_be && !matches!(name, b"." | b"..") {
            found.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(found)
}

/// Opens a file or folder, and neither a link nor what does something when it is opened. None as well if it went, or became such, meanwhile.
fn open_entry(folder: &OwnedFd, name: &OsStr) -> io::Result<Option<OwnedFd>> {
    let flags = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(facts) => match kind(&facts) {
            FileType::Directory => FOLDER,
            FileType::RegularFile => FILE,
            _ => return Ok(None),
        },
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match openat(folder, name, flags | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(entry) => Ok(Some(entry)),
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn remove_tree(folder: &OwnedFd, name: &OsStr, path: &Path, depth: usize) -> Result<(), HeldError> {
    let flags = match openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(inner) => {
            not_too_deep(path, depth)?;
            for name in names(&inner).map_err(at(path))? {
                remove_tree(&inner, &name, &path.join(&name), depth + 1)?;
            }
            AtFlags::REMOVEDIR
        }
        Err(Errno::NOTDIR | Errno::LOOP) => AtFlags::empty(),
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(at(path)(error.into())),
    };
    match unlinkat(folder, name, flags) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(at(path)(error.into())),
    }
}
