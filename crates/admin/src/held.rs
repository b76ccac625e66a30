//! A folder that is held open, and what is done below it.
//!
//! Root backs up and restores folders of other accounts, and exports into them, and the owner of a folder may put a link in the place of any name in it
//! meanwhile. So each name is looked up in the folder before it, and where others may write to that one, no link in it is followed. In a folder of one's
//! own they are: contents may lie on another disk.

use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, fsync, linkat, mkdirat, openat, renameat, statat,
    syncfs, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

mod own;
#[cfg(test)]
mod tests;
mod tree;

/// The folder that whoever makes a file system puts into it. It is no part of what is kept there.
pub(crate) const LOST_AND_FOUND: &str = "lost+found";

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A pipe in the place of a file must not keep whoever opens it.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Why something cannot be done.
#[derive(Debug)]
pub(crate) enum HeldError {
    /// A file or folder cannot be used.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A sentence for whoever typed the command.
    Refused(String),
}

/// An open file, and what it is called.
pub(crate) struct Opened {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
}

impl Opened {
    fn facts(&self) -> Result<Stat, HeldError> {
        fstat(&self.file).map_err(|error| at(&self.path)(error.into()))
    }
}

/// Paths are below the folder.
pub(crate) struct Held {
    path: PathBuf,
    top: OwnedFd,
    owner: u32,
    group: u32,
    /// Whether the folder belongs to this process's account.
    is_own: bool,
}

impl Held {
    /// Opens a folder, which is no link.
    pub(crate) fn open(path: &Path) -> Result<Self, HeldError> {
        let open = || -> io::Result<Self> {
            let top = rustix::fs::open(path, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
            let facts = fstat(&top)?;
            let (owner, group) = (facts.st_uid, facts.st_gid);
            Ok(Self { path: path.to_owned(), top, owner, group, is_own: owner == geteuid().as_raw() })
        };
        open().map_err(at(path))
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What a path is called for others: in messages, and for who opens it by itself.
    pub(crate) fn full(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path.join(path)
    }

    /// Makes a folder for its owner alone, if it is not there.
    pub(crate) fn make(&self, folder: impl AsRef<Path>) -> Result<(), HeldError> {
        let folder = folder.as_ref();
        self.within(folder, true).map(drop).map_err(at(&self.full(folder)))
    }

    /// A new file for its owner alone.
    pub(crate) fn create(&self, path: impl AsRef<Path>) -> Result<Opened, HeldError> {
        let path = path.as_ref();
        let create = || -> io::Result<File> {
            let (folder, name) = self.parent(path, true)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            Ok(openat(&folder, name, flags, Mode::RUSR | Mode::WUSR)?.into())
        };
        self.opened(path, create())
    }

    /// A file, to be read.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Result<Opened, HeldError> {
        let path = path.as_ref();
        let read = || -> io::Result<File> {
            let (folder, name) = self.parent(path, false)?;
            regular(openat(&folder, name, FILE | self.not_followed(&folder)?, Mode::empty())?)
        };
        self.opened(path, read())
    }

    /// The size of a file, if it is there.
    pub(crate) fn size(&self, path: impl AsRef<Path>) -> Result<Option<u64>, HeldError> {
        Ok(self.facts(path.as_ref())?.map(|facts| facts.st_size.unsigned_abs()))
    }

    /// Whether a path is one of an open file's. Nothing is opened for that.
    pub(crate) fn is(&self, path: impl AsRef<Path>, opened: &Opened) -> Result<bool, HeldError> {
        let (found, opened) = (self.facts(path.as_ref())?, opened.facts()?);
        Ok(found.is_some_and(|found| (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)))
    }

    /// Whether there is a file of this name.
    pub(crate) fn is_file(&self, path: impl AsRef<Path>) -> Result<bool, HeldError> {
        Ok(self.facts(path.as_ref())?.is_some_and(|facts| kind(&facts) == FileType::RegularFile))
    }

    /// Names of what is in a folder; none if it is not there.
    pub(crate) fn entries(&self, folder: impl AsRef<Path>) -> Result<Vec<OsString>, HeldError> {
        let folder = folder.as_ref();
        let entries = absent_as_none(self.within(folder, false).and_then(|folder| names(&folder)));
        entries.map(Option::unwrap_or_default).map_err(at(&self.full(folder)))
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, path: impl AsRef<Path>) -> Result<(), HeldError> {
        let path = path.as_ref();
        let remove = || -> io::Result<()> {
            let (folder, name) = self.parent(path, false)?;
            Ok(unlinkat(&folder, name, AtFlags::empty())?)
        };
        absent_as_none(remove()).map(drop).map_err(at(&self.full(path)))
    }

    /// Gives a file the place of another one, whose folder is made if it is not there.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), HeldError> {
        let rename = || -> io::Result<()> {
            let ((old, from), (new, to)) = (self.parent(from, false)?, self.parent(to, true)?);
            Ok(renameat(&old, from, &new, to)?)
        };
        rename().map_err(at(&self.full(to)))
    }

    /// Gives a file of elsewhere a second name here.
    pub(crate) fn link(&self, source: &Path, path: &Path) -> io::Result<()> {
        let (folder, name) = self.parent(path, true)?;
        Ok(linkat(CWD, source, &folder, name, AtFlags::SYMLINK_FOLLOW)?)
    }

    /// Writes a file beside its place and renames it; durable.
    pub(crate) fn replace(&self, path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), HeldError> {
        let path = path.as_ref();
        let unfinished = path.with_extension("unfinished");
        self.remove(&unfinished)?;
        let Opened { mut file, .. } = self.create(&unfinished)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map_err(at(&self.full(path)))?;
        self.rename(&unfinished, path)?;
        let sync = || -> io::Result<()> { Ok(fsync(&self.parent(path, false)?.0)?) };
        sync().map_err(at(&self.full(path)))
    }

    /// Holds the folder for this process until the value is dropped.
    pub(crate) fn lock(&self, name: &str) -> Result<File, HeldError> {
        let open = || -> io::Result<File> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | self.not_followed(&self.top)?;
            Ok(openat(&self.top, name, flags, Mode::RUSR | Mode::WUSR)?.into())
        };
        let file = open().map_err(at(&self.full(name)))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                refused(format!("another backup or restore is using {}", self.full(name).display()))
            }
            Err(TryLockError::Error(error)) => Err(at(&self.full(name))(error)),
        }
    }

    /// Makes all that was written to the file system of this folder durable: one sync for a million small files. The same of folders in it that are on
    /// another one.
    pub(crate) fn sync_all(&self, below: &[&str]) -> Result<(), HeldError> {
        for (path, folder) in self.on_other_disks(below)? {
            syncfs(&folder).map_err(|error| at(&path)(error.into()))?;
        }
        syncfs(&self.top).map_err(|error| at(&self.path)(error.into()))
    }

    fn on_other_disks(&self, below: &[&str]) -> Result<Vec<(PathBuf, OwnedFd)>, HeldError> {
        let disk = fstat(&self.top).map_err(|error| at(&self.path)(error.into()))?.st_dev;
        let mut found = Vec::new();
        for name in below {
            let path = self.full(name);
            let folder = match self.within(Path::new(name), false) {
                // nothing was written to what is not followed
                Err(error) if error.kind() == io::ErrorKind::NotFound || own::is_link(&error) => continue,
                folder => folder.map_err(at(&path))?,
            };
            if fstat(&folder).map_err(|error| at(&path)(error.into()))?.st_dev != disk {
                found.push((path, folder));
            }
        }
        Ok(found)
    }

    /// Makes the names in the folder itself durable.
    pub(crate) fn sync_names(&self) -> Result<(), HeldError> {
        fsync(&self.top).map_err(|error| at(&self.path)(error.into()))
    }

    fn opened(&self, path: &Path, file: io::Result<File>) -> Result<Opened, HeldError> {
        let path = self.full(path);
        let file = file.map_err(at(&path))?;
        Ok(Opened { path, file })
    }

    fn facts(&self, path: &Path) -> Result<Option<Stat>, HeldError> {
        let look = || -> io::Result<Stat> {
            let (folder, name) = self.parent(path, false)?;
            let flags = if self.follows(&folder)? { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
            Ok(statat(&folder, name, flags)?)
        };
        absent_as_none(look()).map_err(at(&self.full(path)))
    }

    /// The folder that a path is in, and its name there.
    fn parent<'path>(&self, path: &'path Path, makes: bool) -> io::Result<(OwnedFd, &'path OsStr)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok((self.within(folder, makes)?, name))
    }

    fn within(&self, folder: &Path, makes: bool) -> io::Result<OwnedFd> {
        let mut reached = self.top.try_clone()?;
        for part in folder.components() {
            let Component::Normal(name) = part else { return Err(io::ErrorKind::InvalidInput.into()) };
            let flags = FOLDER | self.not_followed(&reached)?;
            reached = match openat(&reached, name, flags, Mode::empty()) {
                Err(Errno::NOENT) if makes => {
                    match mkdirat(&reached, name, Mode::RWXU) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    openat(&reached, name, flags, Mode::empty())?
                }
                opened => opened?,
            };
        }
        Ok(reached)
    }

    fn not_followed(&self, folder: &OwnedFd) -> io::Result<OFlags> {
        Ok(if self.follows(folder)? { OFlags::empty() } else { OFlags::NOFOLLOW })
    }

    /// Whether links in a folder, which is this one or below it, were put there by nobody else.
    fn follows(&self, folder: &OwnedFd) -> io::Result<bool> {
        // who is not root has no more rights than whoever put a link into a folder of another account, such as a volume of secrets
        Ok(self.is_own && (!geteuid().is_root() || is_own(&fstat(folder)?)))
    }
}

/// Whether a folder belongs to this process's account, and that of root to nobody else besides: where a group may write, a service may that is in it. An
/// account that is not root has no more rights than it gives its group.
fn is_own(facts: &Stat) -> bool {
    let account = geteuid();
    facts.st_uid == account.as_raw() && (!account.is_root() || facts.st_mode & 0o022 == 0)
}

/// Names the file in an error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> HeldError + '_ {
    move |source| HeldError::Io { path: path.to_owned(), source }
}

fn refused<T>(text: String) -> Result<T, HeldError> {
    Err(HeldError::Refused(text))
}

pub(crate) fn absent_as_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn kind(facts: &Stat) -> FileType {
    FileType::from_raw_mode(facts.st_mode)
}

fn regular(file: OwnedFd) -> io::Result<File> {
    match kind(&fstat(&file)?) {
        FileType::RegularFile => Ok(file.into()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")),
    }
}

fn names(folder: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}
