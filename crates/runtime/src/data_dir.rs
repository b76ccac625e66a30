//! The data folder: one process at a time, one format, secrets that only the owner reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

/// The format that this program writes. A newer minor only adds; a newer major is refused by older programs.
const FORMAT: Format = Format { major: 1, minor: 0 };

/// Version of everything in a data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Format {
    major: u32,
    minor: u32,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process has it.
    #[error(
        "the data folder {path} is in use by process {holder}; stop that one first, or set FM_DATA_DIR to another folder"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process's id, as far as it could be read.
        holder: String,
    },
    /// A newer program has written it.
    #[error(
        "the data folder {path} has format {found}, and this program knows up to {known}: use the newer program, or restore a backup"
    )]
    TooNew {
        /// The folder.
        path: PathBuf,
        /// What it has.
        found: String,
        /// What this program writes.
        known: String,
    },
    /// Something that was to fill it was cut.
    #[error(
        "the data folder {path} is unfinished: {what} into it was cut, or failed; have that done again, or empty the folder"
    )]
    Unfinished {
        /// The folder.
        path: PathBuf,
        /// What was to fill it.
        what: String,
    },
    /// It cannot be made, read or written.
    #[error("{path}: {source}")]
    Io {
        /// What could not be used.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Name of the file that marks a folder as unfinished, and says what was to fill it.
const UNFINISHED: &str = "unfinished";

/// A data folder that this process holds until the value is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the folder if it is not there (mode 0700), takes its lock, and checks its format.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        make_private(path)?;
        let path = path.canonicalize().map_err(|source| io_error(path, source))?;
        let lock = lock(&path)?;
        let dir = Self { path, _lock: lock };
        if let Some(what) = unfinished(&dir.path)? {
            return Err(DataDirError::Unfinished { path: dir.path, what });
        }
        dir.check_format()?;
        Ok(dir)
    }

    /// Makes the folder and takes its lock, to fill it with what is kept elsewhere. True if that was begun before and did not end: then what is in the
    /// folder is of that.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub fn open_to_fill(path: &Path) -> Result<(Self, bool), DataDirError> {
        make_private(path)?;
        let path = path.canonicalize().map_err(|source| io_error(path, source))?;
        let lock = lock(&path)?;
        let dir = Self { path, _lock: lock };
        let begun = unfinished(&dir.path)?.is_some();
        Ok((dir, begun))
    }

    /// Whether what was to fill the folder at `path` has not ended. Asks for no lock.
    ///
    /// # Errors
    /// `Io`.
    pub fn is_unfinished(path: &Path) -> Result<bool, DataDirError> {
        Ok(unfinished(path)?.is_some())
    }

    /// Marks the folder, durably, so that [`DataDir::open`] refuses it until [`DataDir::end_filling`]. `what` is said then.
    ///
    /// # Errors
    /// `Io`.
    pub fn begin_filling(&self, what: &str) -> Result<(), DataDirError> {
        let path = self.path.join(UNFINISHED);
        write_private(&path, what).map_err(|source| io_error(&path, source))
    }

    /// Takes the mark away, durably. All that fills the folder is durable by now.
    ///
    /// # Errors
    /// `Io`.
    pub fn end_filling(&self) -> Result<(), DataDirError> {
        let path = self.path.join(UNFINISHED);
        let remove = || {
            fs::remove_file(&path)?;
            File::open(&self.path)?.sync_all()
        };
        remove().map_err(|source| io_error(&path, source))
    }

    /// The folder, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it, made if it is not there (mode 0700).
    ///
    /// # Errors
    /// `Io`.
    pub fn folder(&self, name: &str) -> Result<PathBuf, DataDirError> {
        let path = self.path.join(name);
        make_private(&path)?;
        Ok(path)
    }

    /// The content of a file below `secrets/`, made by `make` if it is not there: mode 0600, durable, never half written.
    ///
    /// # Errors
    /// `Io`.
    pub fn secret(&self, name: &str, make: impl FnOnce() -> String) -> Result<String, DataDirError> {
        let path = self.folder("secrets")?.join(name);
        match fs::read_to_string(&path) {
            Ok(secret) => return Ok(secret.trim_end().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(io_error(&path, source)),
        }
        let secret = make();
        write_private(&path, &secret).map_err(|source| io_error(&path, source))?;
        Ok(secret)
    }

    /// Removes a secret. Safe to repeat.
    ///
    /// # Errors
    /// `Io`.
    pub fn remove_secret(&self, name: &str) -> Result<(), DataDirError> {
        let path = self.path.join("secrets").join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(&path, error)),
            _ => Ok(()),
        }
    }

    /// Looks at a data folder without taking it: the id of the process that holds it, if one does. Its format is checked.
    ///
    /// # Errors
    /// `TooNew`, `Io`.
    pub fn look(path: &Path) -> Result<Option<String>, DataDirError> {
        read_format(path)?;
        let lock = path.join("lock");
        let mut file = match File::open(&lock) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error(&lock, source)),
        };
        // given back at once: a product that starts in between is refused, and has to be started once more
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // who holds it is only for a message
                let _ = file.read_to_string(&mut holder);
                Ok(Some(holder.trim().to_owned()))
            }
            Err(fs::TryLockError::Error(source)) => Err(io_error(&lock, source)),
        }
    }

    fn check_format(&self) -> Result<(), DataDirError> {
        let path = self.path.join("format.json");
        let found = read_format(&self.path)?;
        // a newer minor stays noted, so that what it added is not taken for missing later
        if (found.major, found.minor) < (FORMAT.major, FORMAT.minor) {
            let text = serde_json::to_string(&FORMAT).expect("two numbers become JSON");
            write_private(&path, &text).map_err(|source| io_error(&path, source))?;
        }
        Ok(())
    }
}

/// What was to fill the folder, if that has not ended.
fn unfinished(folder: &Path) -> Result<Option<String>, DataDirError> {
    let path = folder.join(UNFINISHED);
    match fs::read_to_string(&path) {
        Ok(what) => Ok(Some(what.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error(&path, source)),
    }
}

/// The format of a folder; 0.0 of an empty one.
fn read_format(folder: &Path) -> Result<Format, DataDirError> {
    let path = folder.join("format.json");
    let found: Format = match fs::read(&path) {
        Ok(text) => {
            serde_json::from_slice(&text).map_err(|error| io_error(&path, io::Error::other(error)))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Format { major: 0, minor: 0 },
        Err(source) => return Err(io_error(&path, source)),
    };
    if found.major > FORMAT.major {
        let show = |format: Format| format!("{}.{}", format.major, format.minor);
        return Err(DataDirError::TooNew {
            path: folder.to_owned(),
            found: show(found),
            known: show(FORMAT),
        });
    }
    Ok(found)
}

fn io_error(path: &Path, source: io::Error) -> DataDirError {
    DataDirError::Io { path: path.to_owned(), source }
}

fn make_private(path: &Path) -> Result<(), DataDirError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| io_error(path, source))
}

fn lock(folder: &Path) -> Result<File, DataDirError> {
    let path = folder.join("lock");
    // root may open another account's folder, and must not be led to write elsewhere
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let open = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(&path)
        .and_then(|file| only_name(folder, file));
    let mut file = open.map_err(|source| io_error(&path, source))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // who holds it is only for the message
            let _ = file.read_to_string(&mut holder);
            return Err(DataDirError::InUse { path: folder.to_owned(), holder: holder.trim().to_owned() });
        }
        Err(fs::TryLockError::Error(source)) => return Err(io_error(&path, source)),
    }
    note_holder(&mut file).map_err(|source| io_error(&path, source))?;
    Ok(file)
}

/// Refuses a file with a second name in another account's folder, or in one of root's that others may write to: the other name may be that of somebody else's
/// file.
fn only_name(folder: &Path, file: File) -> io::Result<File> {
    let (facts, account) = (fs::metadata(folder)?, rustix::process::geteuid());
    let is_own = facts.uid() == account.as_raw() && (!account.is_root() || facts.mode() & 0o022 == 0);
    if is_own || file.metadata()?.nlink() == 1 {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "it has another name elsewhere"))
}

fn note_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

/// Writes a file of mode 0600 beside its place, syncs it, and renames it.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    // an old file of that name would keep its mode, and a link would be followed
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_link_in_the_folder_has_nothing_written_elsewhere() {
        let (parent, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let victim = elsewhere.path().join("victim");
        fs::write(&victim, "theirs").unwrap();
        symlink(&victim, parent.path().join("lock")).unwrap();
        DataDir::open_to_fill(parent.path()).unwrap_err();
        fs::remove_file(parent.path().join("lock")).unwrap();
        symlink(&victim, parent.path().join("unfinished.unfinished")).unwrap();
        let (dir, _) = DataDir::open_to_fill(parent.path()).unwrap();
        dir.begin_filling("a restore").unwrap();
        assert!(DataDir::is_unfinished(parent.path()).unwrap());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "theirs");
    }

    /// As of Kubernetes' `fsGroup`: root's, and the service writes to it as the group.
    #[test]
    fn root_takes_no_lock_with_a_second_name_where_a_group_may_write() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let (parent, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let victim = elsewhere.path().join("victim");
        fs::write(&victim, "theirs").unwrap();
        fs::hard_link(&victim, parent.path().join("lock")).unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o2770)).unwrap();
        DataDir::open_to_fill(parent.path()).unwrap_err();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "theirs");
        fs::remove_file(parent.path().join("lock")).unwrap();
        DataDir::open_to_fill(parent.path()).unwrap();
    }

    #[test]
    fn one_process_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        let held = DataDir::open(&folder).unwrap();
        assert_eq!(fs::metadata(held.path()).unwrap().permissions().mode() & 0o777, 0o700);
        let error = DataDir::open(&folder).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(held);
        DataDir::open(&folder).unwrap();
    }

    #[test]
    fn secrets_are_made_once_and_private() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        assert_eq!(dir.secret("key", || "one".into()).unwrap(), "one");
        assert_eq!(dir.secret("key", || "two".into()).unwrap(), "one");
        let mode = fs::metadata(dir.path().join("secrets/key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        dir.remove_secret("key").unwrap();
        dir.remove_secret("key").unwrap();
        assert_eq!(dir.secret("key", || "three".into()).unwrap(), "three");
    }

    #[test]
    fn what_was_not_filled_to_the_end_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let (dir, begun) = DataDir::open_to_fill(parent.path()).unwrap();
        assert!(!begun);
        dir.begin_filling("a restore").unwrap();
        drop(dir);
        let error = DataDir::open(parent.path()).unwrap_err().to_string();
        assert!(error.contains("unfinished: a restore"), "{error}");
        let (dir, begun) = DataDir::open_to_fill(parent.path()).unwrap();
        assert!(begun);
        dir.end_filling().unwrap();
        drop(dir);
        DataDir::open(parent.path()).unwrap();
    }

    #[test]
    fn a_newer_major_is_refused_and_a_newer_minor_kept() {
        let parent = tempfile::tempdir().unwrap();
        let format = parent.path().join("format.json");
        drop(DataDir::open(parent.path()).unwrap());
        assert_eq!(fs::read_to_string(&format).unwrap().trim(), r#"{"major":1,"minor":0}"#);
        fs::write(&format, r#"{"major":1,"minor":9}"#).unwrap();
        drop(DataDir::open(parent.path()).unwrap());
        assert_eq!(fs::read_to_string(&format).unwrap(), r#"{"major":1,"minor":9}"#);
        fs::write(&format, r#"{"major":2,"minor":0}"#).unwrap();
        let error = DataDir::open(parent.path()).unwrap_err().to_string();
        assert!(error.contains("2.0"), "{error}");
    }
}
