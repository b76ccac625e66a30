//! Where the socket of the internal API stands.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::data_dir::{DataDir, DataDirError};

/// Longest path of a socket that every system takes, in bytes.
const MAX_BYTES: usize = 100;

/// `run/internal.sock` in the data folder; where that path is too long for a socket, in a private folder for temporary files, which is the same at each
/// start.
///
/// # Errors
/// `Io` when the folder cannot be made, or something of that name is not a folder of this user's alone.
pub fn internal_socket(data: &DataDir) -> Result<PathBuf, DataDirError> {
    let usual = data.folder("run")?.join("internal.sock");
    if usual.as_os_str().len() <= MAX_BYTES {
        return Ok(usual);
    }
    let folder = temporary_folder(&std::env::temp_dir(), data.path());
    make_own(&folder).map_err(|source| DataDirError::Io { path: folder.clone(), source })?;
    Ok(folder.join("internal.sock"))
}

fn temporary_folder(temporary: &Path, data: &Path) -> PathBuf {
    // whoever holds the lock of the data folder is the only one to use the name
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let user = rustix::process::geteuid().as_raw();
    temporary.join(format!("files-manager-{user}-{:016x}", hasher.finish()))
}

/// Makes the folder, or takes one that only this user can have made and use: others may write to a folder for temporary files too.
fn make_own(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let found = fs::symlink_metadata(folder)?;
    let own =
        found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o077 == 0;
    if own {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "somebody else made this folder"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_short_path_stays_in_the_data_folder() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("data")).unwrap();
        assert_eq!(internal_socket(&data).unwrap(), data.path().join("run/internal.sock"));
    }

    #[test]
    fn a_long_path_has_one_place_elsewhere_at_each_start() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("x".repeat(MAX_BYTES));
        let first = internal_socket(&DataDir::open(&long).unwrap()).unwrap();
        let again = internal_socket(&DataDir::open(&long).unwrap()).unwrap();
        assert_eq!(first, again);
        assert!(first.as_os_str().len() <= MAX_BYTES, "{}", first.display());
        let other =
            internal_socket(&DataDir::open(&folder.path().join("y".repeat(MAX_BYTES))).unwrap()).unwrap();
        assert_ne!(first, other);
        for made in [first, other] {
            fs::remove_dir(made.parent().unwrap()).unwrap();
        }
    }

    #[test]
    fn a_folder_that_others_can_use_or_a_link_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let open = temporary.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        make_own(&open).unwrap_err();
        let link = temporary.path().join("link");
        symlink(temporary.path(), &link).unwrap();
        make_own(&link).unwrap_err();
        let own = temporary.path().join("own");
        make_own(&own).unwrap();
        make_own(&own).unwrap();
    }
}
