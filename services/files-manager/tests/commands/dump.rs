//! A dump of the original project, written byte by byte as `mongodump` does.

#![allow(dead_code, reason = "each test program uses its part of this")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// SHA-1 of `toto1234!`, as the original keeps it.
pub(crate) const PASSWORD_SHA1: &str = "89cad29e3ebc1035b29b1478a8e70854f25fa2b2";
pub(crate) const PASSWORD: &str = "toto1234!";

/// An id of the time 2020-07-27T19:51:34Z, with a number.
pub(crate) fn id(number: u32) -> String {
    format!("5f1f2fd60000000000{number:06x}")
}

/// A document, as it grows.
#[derive(Clone, Default)]
pub(crate) struct Doc(Vec<u8>);

impl Doc {
    fn element(mut self, kind: u8, name: &str, value: &[u8]) -> Self {
        self.0.push(kind);
        self.0.extend([name.as_bytes(), &[0], value].concat());
        self
    }

    pub(crate) fn id(self, name: &str, digits: &str) -> Self {
        let bytes: Vec<u8> =
            (0..12).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect();
        self.element(0x07, name, &bytes)
    }

    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        let length = u32::try_from(text.len() + 1).unwrap().to_le_bytes();
        self.element(0x02, name, &[&length[..], text.as_bytes(), &[0]].concat())
    }

    pub(crate) fn bool(self, name: &str, value: bool) -> Self {
        self.element(0x08, name, &[u8::from(value)])
    }

    pub(crate) fn int(self, name: &str, value: i32) -> Self {
        self.element(0x10, name, &value.to_le_bytes())
    }

    pub(crate) fn double(self, name: &str, value: f64) -> Self {
        self.element(0x01, name, &value.to_le_bytes())
    }

    /// Of types that the original does not write, but somebody's version of it may: a time, an empty document, a binary.
    pub(crate) fn oddities(self) -> Self {
        self.element(0x09, "createdAt", &[7; 8]).element(0x03, "meta", &[5, 0, 0, 0, 0]).element(
            0x05,
            "thumb",
            &[2, 0, 0, 0, 0x80, 1, 2],
        )
    }

    fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() + 5).unwrap().to_le_bytes();
        [&length[..], &self.0, &[0]].concat()
    }
}

/// A user as the original writes it.
pub(crate) fn user(number: u32, email: &str) -> Doc {
    Doc::default().id("_id", &id(number)).text("email", email).text("password", PASSWORD_SHA1)
}

/// A file or folder in the root as the original writes it, without what comes after `parentId`.
pub(crate) fn node(number: u32, owner: u32, kind: &str, name: &str, public: bool) -> Doc {
    Doc::default()
        .id("_id", &id(number))
        .id("userId", &id(owner))
        .text("name", name)
        .text("type", kind)
        .bool("isPublic", public)
}

/// A dump and a folder of contents, both gone with the value.
pub(crate) struct Old {
    folder: tempfile::TempDir,
}

impl Old {
    /// Users plain, files compressed, with the files that `mongodump` puts beside them.
    pub(crate) fn write(users: &[Doc], files: &[Doc]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("dump/files_manager");
        fs::create_dir_all(&database).unwrap();
        fs::create_dir_all(folder.path().join("blobs/deeper")).unwrap();
        // the server's own users are none of the project's
        fs::create_dir_all(folder.path().join("dump/admin")).unwrap();
        fs::write(folder.path().join("dump/admin/users.bson"), "no BSON").unwrap();
        fs::write(database.join("users.metadata.json"), r#"{"collectionName":"users","type":"collection"}"#)
            .unwrap();
        let bytes = |documents: &[Doc]| documents.iter().flat_map(Doc::bytes).collect::<Vec<u8>>();
        fs::write(database.join("users.bson"), bytes(users)).unwrap();
        let gz = File::create(database.join("files.bson.gz")).unwrap();
        let mut gz = flate2::write::GzEncoder::new(gz, flate2::Compression::fast());
        gz.write_all(&bytes(files)).unwrap();
        gz.finish().unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn dump(&self) -> PathBuf {
        self.path().join("dump")
    }

    /// Puts a content into the folder of contents.
    pub(crate) fn blob(&self, name: &str, content: &[u8]) {
        fs::write(self.path().join("blobs").join(name), content).unwrap();
    }

    /// The command that takes it over.
    pub(crate) fn arguments(&self, more: &[&str]) -> Vec<String> {
        let path = |name: &str| self.path().join(name).to_str().unwrap().to_owned();
        let mut arguments = vec!["admin".to_owned(), "migrate".to_owned()];
        arguments.extend(["--dump".to_owned(), path("dump"), "--blobs".to_owned(), path("blobs")]);
        arguments.extend(more.iter().map(|more| (*more).to_owned()));
        arguments
    }
}
