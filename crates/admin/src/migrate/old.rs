//! What a document of the original project says.

use std::fmt;

use common::auth::FormerPassword;
use common::files::ClassicType;
use common::{FileId, ObjectId, Timestamp, UserId};

use super::bson::{Document, Value};

/// An account.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OldUser {
    pub(super) id: UserId,
    pub(super) email: String,
    pub(super) password: FormerPassword,
}

/// In which folder something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OldParent {
    Root,
    Folder(FileId),
    /// A value that names no folder.
    Unreadable,
}

/// A file or folder.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OldFile {
    pub(super) id: FileId,
    pub(super) owner: UserId,
    pub(super) name: String,
    pub(super) kind: ClassicType,
    pub(super) public: bool,
    pub(super) parent: OldParent,
    /// Where its bytes were, on the machine of the original.
    pub(super) local_path: Option<String>,
}

impl fmt::Display for OldFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} “{}”", self.kind.word(), self.id, self.name)
    }
}

/// An id in its own type, or as 24 digits of text.
fn id(value: Option<&Value>) -> Option<ObjectId> {
    match value? {
        Value::Id(id) => Some(*id),
        Value::Text(text) => ObjectId::parse(text.trim()).ok(),
        _ => None,
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    match value? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// The second in which an id was made: its first four bytes.
pub(super) fn made_at(id: &[u8; 12]) -> Timestamp {
    let seconds = u32::from_be_bytes([id[0], id[1], id[2], id[3]]);
    Timestamp::from_millis(i64::from(seconds) * 1000)
}

impl OldUser {
    /// # Errors
    /// What is missing, in words that follow “user …”.
    pub(super) fn read(document: &Document) -> Result<Self, &'static str> {
        let id = id(document.get("_id")).ok_or("its _id is no ObjectId")?;
        let email = text(document.get("email")).ok_or("it has no email")?;
        let mut digest = [0; 20];
        let password = match text(document.get("password")).map(str::trim) {
            Some(digits) if hex::decode_to_slice(digits, &mut digest).is_ok() => FormerPassword::Sha1(digest),
            _ => FormerPassword::Unusable,
        };
        Ok(Self { id: UserId(id), email: email.to_owned(), password })
    }
}

impl OldFile {
    /// # Errors
    /// What is missing, in words that follow “file …”.
    pub(super) fn read(document: &Document) -> Result<Self, &'static str> {
        let file = id(document.get("_id")).ok_or("its _id is no ObjectId")?;
        let owner = id(document.get("userId")).ok_or("its userId is no ObjectId")?;
        let kind = text(document.get("type")).and_then(ClassicType::parse);
        let parent = match document.get("parentId") {
            None | Some(Value::Null) => OldParent::Root,
            Some(Value::Text(text)) if text.trim() == "0" => OldParent::Root,
            Some(Value::Number(number)) if *number == 0.0 => OldParent::Root,
            value => id(value).map_or(OldParent::Unreadable, |id| OldParent::Folder(FileId(id))),
        };
        Ok(Self {
            id: FileId(file),
            owner: UserId(owner),
            name: text(document.get("name")).unwrap_or_default().to_owned(),
            kind: kind.ok_or("its type is neither folder, file nor image")?,
            public: document.get("isPublic") == Some(&Value::Bool(true)),
            parent,
            local_path: text(document.get("localPath")).map(str::to_owned),
        })
    }
}
