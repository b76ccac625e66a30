//! Files of records, one JSON object a line.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use common::digest::Hasher;
use common::{BlobKey, Sha256};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FORMAT, FileFacts, Manifest, PortableError, refused};
use crate::held::{Held, Opened};

pub(super) const MANIFEST: &str = "manifest.json";

/// Stands in a folder until all is there.
pub(super) const UNFINISHED: &str = "unfinished";

/// Longest line that is read: a content that is kept with its row, as text, is far below.
const MAX_LINE_BYTES: u64 = 64 * 1024 * 1024;

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> PortableError + '_ {
    move |source| PortableError::Io { path: path.to_owned(), source }
}

/// Makes a folder for its owner alone, if it is not there.
pub(super) fn make_folder(path: &Path) -> Result<(), PortableError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

/// Where a content is.
pub(super) fn content_path(folder: &Path, key: BlobKey) -> PathBuf {
    let name = key.to_string();
    let (first, rest) = name.split_at(2);
    folder.join("blobs").join(first).join(rest)
}

/// Writes records.
pub(super) struct LineWriter {
    path: PathBuf,
    file: BufWriter<File>,
    hasher: Hasher,
    lines: u64,
}

impl LineWriter {
    pub(super) fn create(folder: &Held, name: &str) -> Result<Self, PortableError> {
        let Opened { path, file } = folder.create(name)?;
        Ok(Self { path, file: BufWriter::new(file), hasher: Hasher::default(), lines: 0 })
    }

    pub(super) fn write(&mut self, record: &impl Serialize) -> Result<(), PortableError> {
        let mut line = serde_json::to_vec(record).map_err(|error| at(&self.path)(error.into()))?;
        line.push(b'\n');
        self.hasher.update(&line);
        self.lines += 1;
        self.file.write_all(&line).map_err(at(&self.path))
    }

    pub(super) fn finish(mut self) -> Result<FileFacts, PortableError> {
        self.file.flush().map_err(at(&self.path))?;
        let (_, sha256, _) = self.hasher.finish();
        Ok(FileFacts { lines: self.lines, sha256 })
    }
}

/// Reads records.
pub(super) struct LineReader {
    path: PathBuf,
    file: BufReader<File>,
    line: u64,
}

impl LineReader {
    pub(super) fn open(folder: &Path, name: &str) -> Result<Self, PortableError> {
        let path = folder.join(name);
        let file = BufReader::new(File::open(&path).map_err(at(&path))?);
        Ok(Self { path, file, line: 0 })
    }

    /// The next records, at most so many; none at the end.
    pub(super) fn next<T: DeserializeOwned>(&mut self, most: u32) -> Result<Vec<T>, PortableError> {
        let mut records = Vec::new();
        let mut line = Vec::new();
        while records.len() < most as usize {
            line.clear();
            let read = self.file.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
            if read.map_err(at(&self.path))? == 0 {
                break;
            }
            self.line += 1;
            records.push(serde_json::from_slice(&line).map_err(|error| self.strange(&error))?);
        }
        Ok(records)
    }

    /// An error that names the last line that was read.
    pub(super) fn strange(&self, error: &dyn std::fmt::Display) -> PortableError {
        PortableError::Damaged(format!("{}, at line {} or before: {error}", self.path.display(), self.line))
    }
}

/// The hash of a file, and its lines.
pub(super) fn facts(path: &Path) -> Result<FileFacts, PortableError> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(PortableError::Damaged(format!("{} is missing", path.display())));
        }
        opened => opened.map_err(at(path))?,
    };
    let (mut hasher, mut buffer, mut lines) = (Hasher::default(), vec![0; 256 * 1024], 0);
    loop {
        match file.read(&mut buffer).map_err(at(path))? {
            0 => break,
            count => {
                hasher.update(&buffer[..count]);
                lines += buffer[..count].iter().filter(|byte| **byte == b'\n').count() as u64;
            }
        }
    }
    let (_, sha256, _) = hasher.finish();
    Ok(FileFacts { lines, sha256 })
}

impl Manifest {
    /// Reads the manifest of a folder; with the hash of its text, which names it.
    pub(super) fn read(folder: &Path) -> Result<(Self, Sha256), PortableError> {
        let path = folder.join(MANIFEST);
        if folder.join(UNFINISHED).exists() {
            return refused(format!("{} is unfinished: the export was cut", folder.display()));
        }
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return refused(format!("{} is no exported folder: it has no {MANIFEST}", folder.display()));
            }
            Err(error) => return Err(at(&path)(error)),
        };
        #[derive(serde::Deserialize)]
        struct Versioned {
            format: u32,
        }
        let strange = |error: serde_json::Error| {
            PortableError::Refused(format!("{} is no manifest of a folder: {error}", path.display()))
        };
        let Versioned { format } = serde_json::from_slice(&text).map_err(strange)?;
        if format != FORMAT {
            return refused(format!(
                "the folder {} has format {format}, and this program knows {FORMAT}",
                folder.display()
            ));
        }
        let manifest = serde_json::from_slice(&text).map_err(strange)?;
        Ok((manifest, Sha256::of(&text)))
    }
}
