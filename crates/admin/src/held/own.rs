//! What may be read for whoever the folder belongs to, and what is said of links that are not followed.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

use super::{FILE, Held, HeldError, Opened, absent_as_none, at, kind, refused, regular};

/// A device may do something when it is opened: it is looked at by this first.
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// What has a name, but is not open yet.
struct Looked {
    entry: OwnedFd,
    facts: Stat,
    /// Nobody else may write to the folder that it is in.
    is_trusted: bool,
    /// No link led to it.
    is_inside: bool,
}

impl Held {
    /// A file, to be read, wherever links lead: the owner may see to more room by one. Nothing of others is read for the owner that is not in the folder alone.
    ///
    /// # Errors
    /// `Refused` for such.
    pub(crate) fn read_own(&self, path: impl AsRef<Path>) -> Result<Opened, HeldError> {
        let path = path.as_ref();
        let looked = self.look(path)?;
        if self.is_owners(&looked) {
            self.reopen(path, &looked)
        } else {
            refused(self.about_foreign(path, &looked))
        }
    }

    /// As [`Held::read_own`]; but a file of others is read, too, if it has this size, and then the second value is false. It is to be held against a digest
    /// that the owner knew before: so nobody comes to know by it what is closed to them.
    pub(crate) fn read_known(&self, path: impl AsRef<Path>, size: u64) -> Result<(Opened, bool), HeldError> {
        let path = path.as_ref();
        let looked = self.look(path)?;
        let is_owners = self.is_owners(&looked);
        if !is_owners && looked.facts.st_size.unsigned_abs() != size {
            return refused(self.about_foreign(path, &looked));
        }
        Ok((self.reopen(path, &looked)?, is_owners))
    }

    /// The path of a database, which may not be there: for who opens it, and the files that SQLite puts beside it, by that, and follows no link.
    ///
    /// # Errors
    /// `Refused` for one that is somebody else's, or a link, in another account's folder.
    pub(crate) fn database(&self, name: &str) -> Result<PathBuf, HeldError> {
        for end in ["", "-wal", "-shm", "-journal"] {
            let file = format!("{name}{end}");
            let looked = match self.look(Path::new(&file)) {
                Err(HeldError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
                looked => looked?,
            };
            if !looked.is_trusted && !looked.is_inside {
                return refused(self.about_link(&file, "put the file there itself"));
            }
            if !self.is_owners(&looked) {
                return refused(self.about_foreign(Path::new(&file), &looked));
            }
        }
        let path = self.full(name);
        if !self.follows(&self.top).map_err(at(&self.path))? {
            return Ok(path);
        }
        let target = absent_as_none(path.canonicalize()).map_err(at(&path))?;
        Ok(target.unwrap_or(path))
    }

    /// Says which of these names in the folder is a link that is not followed.
    ///
    /// # Errors
    /// `Refused` with that.
    pub(crate) fn refuse_links(&self, names: &[&str], instead: &str) -> Result<(), HeldError> {
        if self.follows(&self.top).map_err(at(&self.path))? {
            return Ok(());
        }
        for name in names {
            match statat(&self.top, *name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(facts) if kind(&facts) == FileType::Symlink => {
                    return refused(self.about_link(name, instead));
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(at(&self.full(name))(error.into())),
            }
        }
        Ok(())
    }

    fn about_link(&self, name: &str, instead: &str) -> String {
        let (link, folder) = (self.full(name), self.path.display());
        let remedy = match self.is_own {
            true => format!("let nobody but its owner write to {folder}"),
            false => format!("run this as the account {}, to which {folder} belongs", self.owner),
        };
        format!(
            "{} is a link, and none is followed where others may put one: {instead}, or {remedy}",
            link.display()
        )
    }

    fn about_foreign(&self, path: &Path, looked: &Looked) -> String {
        format!(
            "{} belongs to the account {}, or has another name elsewhere, and {} is open to the account {}, or to others: it is not read for those",
            self.full(path).display(),
            looked.facts.st_uid,
            self.path.display(),
            self.owner
        )
    }

    /// Whether the folder's owner may have what was found. What others may put into a folder of this process's is not theirs by its owner.
    fn is_owners(&self, looked: &Looked) -> bool {
        looked.is_trusted
            || looked.is_inside && looked.facts.st_nlink == 1
            || !self.is_own && looked.facts.st_uid == self.owner
    }

    /// Finds a file, wherever links lead.
    fn look(&self, path: &Path) -> Result<Looked, HeldError> {
        let full = self.full(path);
        let looked = match self.look_inside(path) {
            Err(error) if is_link(&error) => look_at(&full),
            Ok(looked) if kind(&looked.facts) == FileType::Symlink => look_at(&full),
            other => other,
        };
        let is_private = self.follows(&self.top).map_err(at(&self.path))?;
        match looked {
            // by this the owner of a folder shall not end what goes through all of it
            Err(error) if !is_private && (is_link(&error) || is_too_long(&error)) => {
                refused(format!("{} leads nowhere: {error}", full.display()))
            }
            Ok(looked) if !looked.is_trusted && kind(&looked.facts) != FileType::RegularFile => {
                refused(format!("{} is no file", full.display()))
            }
            looked => looked.map_err(at(&full)),
        }
    }

    fn look_inside(&self, path: &Path) -> io::Result<Looked> {
        let (folder, name) = self.parent(path, false)?;
        let is_trusted = self.follows(&folder)?;
        let entry = openat(&folder, name, LOOK | self.not_followed(&folder)?, Mode::empty())?;
        let facts = fstat(&entry)?;
        Ok(Looked { entry, facts, is_trusted, is_inside: true })
    }

    fn reopen(&self, path: &Path, looked: &Looked) -> Result<Opened, HeldError> {
        if looked.is_trusted {
            return self.read(path);
        }
        let reopen = || -> io::Result<File> {
            let entry = format!("/proc/self/fd/{}", looked.entry.as_raw_fd());
            regular(rustix::fs::open(entry, FILE, Mode::empty())?)
        };
        self.opened(path, reopen())
    }
}

fn look_at(path: &Path) -> io::Result<Looked> {
    let entry = rustix::fs::open(path, LOOK, Mode::empty())?;
    let facts = fstat(&entry)?;
    Ok(Looked { entry, facts, is_trusted: false, is_inside: false })
}

/// What is said when a link, which is not followed, has the place of a file or folder.
pub(super) fn is_link(error: &io::Error) -> bool {
    [Errno::LOOP, Errno::NOTDIR].iter().any(|link| error.raw_os_error() == Some(link.raw_os_error()))
}

/// What is said of a link's text that is no path.
fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NAMETOOLONG.raw_os_error())
}
