//! The folder that `mongodump` wrote.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::bson::{self, Document, Malformed};

const USERS: &str = "users";
const FILES: &str = "files";

/// Why a dump cannot be read. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// No folder.
    #[error(
        "{0} is no folder: give the folder that mongodump wrote (one that was written with --archive has to be restored, and dumped without it)"
    )]
    NoFolder(PathBuf),
    /// Neither collection is there.
    #[error(
        "{0} holds neither users.bson nor files.bson (nor the same with .gz), in itself or in one folder below it"
    )]
    NoCollections(PathBuf),
    /// More than one database is there.
    #[error(
        "{0} holds several databases with users or files ({1}): give the folder of the one that is meant"
    )]
    Several(PathBuf, String),
    /// Something cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The two collections, as far as they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dump {
    pub(super) users: Option<PathBuf>,
    pub(super) files: Option<PathBuf>,
}

impl Dump {
    fn of(folder: &Path) -> Option<Self> {
        let collection = |name: &str| {
            let forms = [format!("{name}.bson"), format!("{name}.bson.gz")];
            forms.into_iter().map(|form| folder.join(form)).find(|path| path.is_file())
        };
        let dump = Self { users: collection(USERS), files: collection(FILES) };
        (dump.users.is_some() || dump.files.is_some()).then_some(dump)
    }

    /// Finds them in a folder, or in the one folder below it that has them: `mongodump` makes one for each database.
    ///
    /// # Errors
    /// [`DumpError`].
    pub(super) fn find(folder: &Path) -> Result<Self, DumpError> {
        if !folder.is_dir() {
            return Err(DumpError::NoFolder(folder.to_owned()));
        }
        if let Some(dump) = Self::of(folder) {
            return Ok(dump);
        }
        let io_error = |source| DumpError::Io { path: folder.to_owned(), source };
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(io_error)? {
            let path = entry.map_err(io_error)?.path();
            // the server's own databases have a collection of users, too
            let of_server = path.file_name().is_some_and(|name| name == "admin" || name == "config");
            if !of_server && path.is_dir() {
                found.extend(Self::of(&path).map(|dump| (path, dump)));
            }
        }
        match found.len() {
            0 => Err(DumpError::NoCollections(folder.to_owned())),
            1 => Ok(found.remove(0).1),
            _ => {
                let mut names: Vec<_> = found
                    .iter()
                    .filter_map(|(path, _)| Some(path.file_name()?.to_string_lossy().into_owned()))
                    .collect();
                names.sort();
                Err(DumpError::Several(folder.to_owned(), names.join(", ")))
            }
        }
    }
}

/// Gives every document of a collection to `each`, with its number from 1.
///
/// # Errors
/// `Io`: the file cannot be read, or is cut.
pub(super) fn read(
    path: &Path,
    mut each: impl FnMut(u64, Result<Document, Malformed>),
) -> Result<(), DumpError> {
    let io_error = |source| DumpError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io_error)?;
    let mut documents: Box<dyn Read> = if path.extension().is_some_and(|kind| kind == "gz") {
        Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(file))))
    } else {
        Box::new(BufReader::new(file))
    };
    let mut number = 0;
    while let Some(document) = bson::next_document(&mut documents).map_err(io_error)? {
        number += 1;
        each(number, bson::parse(&document));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_the_database_or_the_one_above_it_will_do() {
        let top = tempfile::tempdir().unwrap();
        let find = || Dump::find(top.path());
        assert!(matches!(Dump::find(&top.path().join("none")), Err(DumpError::NoFolder(_))));
        assert!(matches!(find(), Err(DumpError::NoCollections(_))));
        for (database, file) in
            [("admin", "users.bson"), ("files_manager", "users.bson"), ("files_manager", "files.bson.gz")]
        {
            fs::create_dir_all(top.path().join(database)).unwrap();
            fs::write(top.path().join(database).join(file), "").unwrap();
        }
        let folder = top.path().join("files_manager");
        let dump = Dump { users: Some(folder.join("users.bson")), files: Some(folder.join("files.bson.gz")) };
        assert_eq!(find().unwrap(), dump);
        assert_eq!(Dump::find(&folder).unwrap(), dump);
        fs::create_dir(top.path().join("other")).unwrap();
        fs::write(top.path().join("other/files.bson"), "").unwrap();
        let error = find().unwrap_err().to_string();
        assert!(error.contains("files_manager, other"), "{error}");
    }
}
