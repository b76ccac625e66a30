//! The folder in which the original kept contents.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::source::Source;

/// Where contents are now.
#[derive(Debug, Clone)]
pub(super) struct Contents {
    folder: PathBuf,
}

/// Why there is no content.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoContent {
    /// The document names none.
    #[error("it has no localPath")]
    Unnamed,
    /// It is not in the folder.
    #[error("its content {0} is missing")]
    Missing(String),
    /// It leads out of the folder.
    #[error("its content {0} lies outside the folder of contents")]
    Outside(String),
    /// It is there and cannot be read.
    #[error("its content {0} cannot be read: {1}")]
    Unreadable(String, #[source] io::Error),
}

impl Contents {
    /// The contents in a folder.
    ///
    /// # Errors
    /// There is no such folder.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let folder = folder.canonicalize()?;
        if folder.is_dir() { Ok(Self { folder }) } else { Err(io::Error::from(io::ErrorKind::NotADirectory)) }
    }

    /// Opens what stood at a path of the original's machine: of that path the longest end that is there, since the folder was somewhere else then.
    ///
    /// # Errors
    /// [`NoContent`].
    pub(super) fn open(&self, local_path: Option<&str>) -> Result<Source, NoContent> {
        let given = local_path.filter(|path| !path.trim().is_empty()).ok_or(NoContent::Unnamed)?;
        let parts: Vec<&str> =
            given.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").collect();
        if parts.contains(&"..") || given.contains('\0') {
            return Err(NoContent::Outside(given.to_owned()));
        }
        for skipped in 0..parts.len() {
            let path = self.folder.join(parts[skipped..].iter().collect::<PathBuf>());
            match path.canonicalize() {
                // a link may lead out of the folder, to what its owner never stored
                Ok(real) if real.starts_with(&self.folder) => {
                    return open(&real).map_err(|error| NoContent::Unreadable(given.to_owned(), error));
                }
                Ok(_) => return Err(NoContent::Outside(given.to_owned())),
                Err(error) if absent(&error) => {}
                Err(error) => return Err(NoContent::Unreadable(given.to_owned(), error)),
            }
        }
        Err(NoContent::Missing(given.to_owned()))
    }
}

/// Whether the path, or a folder of it, is not there.
fn absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
    )
}

fn open(path: &Path) -> io::Result<Source> {
    // neither a link that was put there meanwhile, nor a pipe that nobody writes to
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)?;
    Source::of(file)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn contents_are_found_by_the_end_of_their_path_and_never_outside() {
        let top = tempfile::tempdir().unwrap();
        let (inside, outside) = (top.path().join("blobs"), top.path().join("secret"));
        fs::create_dir_all(inside.join("a")).unwrap();
        fs::write(&outside, "secret").unwrap();
        fs::write(inside.join("one"), "1").unwrap();
        fs::write(inside.join("a/one"), "22").unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("link")).unwrap();
        let contents = Contents::of(&inside).unwrap();
        let size = |path: &str| contents.open(Some(path)).map(|source| source.size());
        assert_eq!(size("/tmp/files_manager/one").unwrap(), 1);
        assert_eq!(size("/tmp/files_manager/a/one").unwrap(), 2);
        assert_eq!(size("C:\\files\\one").unwrap(), 1);
        assert_eq!(size("one/").unwrap(), 1);
        assert!(matches!(size("/tmp/files_manager/two"), Err(NoContent::Missing(_))));
        assert!(matches!(size("/tmp/one/two"), Err(NoContent::Missing(_))));
        for leading_out in ["../secret", "/tmp/a/../../secret", "link", "/tmp/link", "one\0"] {
            assert!(matches!(size(leading_out), Err(NoContent::Outside(_))), "{leading_out}");
        }
        assert!(matches!(size("/tmp/files_manager/a"), Err(NoContent::Unreadable(..))));
        for none in [None, Some(""), Some("  ")] {
            assert!(matches!(contents.open(none), Err(NoContent::Unnamed)));
        }
        assert!(Contents::of(&outside).is_err());
    }
}
