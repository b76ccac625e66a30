//! Links, which open a node to whoever has their token.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{LinkNotice, LinkUse, Node, NodeError};
use crate::error::PortResult;
use crate::id::InvalidId;
use crate::jobs::NewJob;
use crate::{FileId, JobId, LinkId, Sha256, SpaceId, Timestamp, UserId};

/// The secret of a link: 128 random bits, 32 hexadecimal digits. Kept in clear, so that the owner can copy it again. Its `Debug` shows nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkToken([u8; 16]);

impl LinkToken {
    /// The token with these random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes, as stores keep it.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads 32 hexadecimal digits.
    ///
    /// # Errors
    /// [`InvalidId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; 16];
        if text.len() != 32 {
            return Err(InvalidId);
        }
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidId)?;
        Ok(Self(bytes))
    }

    /// The text in addresses.
    pub fn reveal(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(…)")
    }
}

/// What a link lets anyone do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkRole {
    /// Look and read.
    Viewer,
    /// See rendered thumbnails, and nothing else of a content.
    PreviewOnly,
    /// Look, read, add files and give them new content.
    Editor,
    /// Add files, and see nothing.
    Dropper,
}

impl LinkRole {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::PreviewOnly, Self::Editor, Self::Dropper];

    /// The word in stores and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::PreviewOnly => "preview-only",
            Self::Editor => "editor",
            Self::Dropper => "dropper",
        }
    }

    /// Reads [`LinkRole::word`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// A link that was opened, as an actor: what it shows, and what it lets do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkAccess {
    /// Which link.
    pub link: LinkId,
    /// The node at the top of what it shows.
    pub root: FileId,
    /// What it lets do.
    pub role: LinkRole,
    /// Who made it, and answers for what is done by it.
    pub by: UserId,
    /// What tells its password from others, where it has one: what was opened with one password is not open by the next.
    pub lock: Option<Sha256>,
}

/// A link. Its `Debug` shows neither token nor hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// Its id, for those who manage it. Ids ascend with time.
    pub id: LinkId,
    /// The secret in its address.
    pub token: LinkToken,
    /// The node that it opens, with all that is below.
    pub node: FileId,
    /// The tree that the node is in.
    pub space: SpaceId,
    /// Whose the node is.
    pub owner: UserId,
    /// What it lets do.
    pub role: LinkRole,
    /// What its maker calls it.
    pub label: String,
    /// The hash of its password, if it has one.
    pub password_hash: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// How often contents may be read by it, all in all.
    pub max_downloads: Option<u64>,
    /// Its maker and the owner of its node are told when something is read or dropped by it.
    pub notify: bool,
    /// How often contents were read by it.
    pub downloads: u64,
    /// How often it was opened.
    pub opens: u64,
    /// When it was last opened, read by, or dropped into.
    pub last_used_at: Option<Timestamp>,
    /// By whom it was made.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

impl Link {
    /// Whether its time has not come yet.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// The link as an actor.
    pub fn access(&self) -> LinkAccess {
        let lock = self.password_hash.as_ref().map(|hash| Sha256::of(hash.as_bytes()));
        LinkAccess { link: self.id, root: self.node, role: self.role, by: self.by, lock }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("id", &self.id)
            .field("node", &self.node)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// A link to be made.
#[derive(Clone)]
pub struct NewLink {
    /// A fresh id.
    pub id: LinkId,
    /// A fresh token.
    pub token: LinkToken,
    /// The node, which must be live.
    pub node: FileId,
    /// What it lets do.
    pub role: LinkRole,
    /// What its maker calls it.
    pub label: String,
    /// The hash of its password.
    pub password_hash: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// How often contents may be read by it.
    pub max_downloads: Option<u64>,
    /// See [`Link::notify`].
    pub notify: bool,
    /// By whom.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

/// What of a link shall be different; what is none stays.
#[derive(Clone, Default)]
pub struct LinkChange {
    /// What it lets do.
    pub role: Option<LinkRole>,
    /// What its maker calls it.
    pub label: Option<String>,
    /// The hash of its password, or none from now on.
    pub password_hash: Option<Option<String>>,
    /// When it ends by itself, or never.
    pub expires_at: Option<Option<Timestamp>>,
    /// How often contents may be read by it all in all, those times counted that lie behind; or without a limit.
    pub max_downloads: Option<Option<u64>>,
    /// See [`Link::notify`].
    pub notify: Option<bool>,
}

/// Which links a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessOf {
    /// To this node and no other.
    Node(FileId),
    /// To the nodes of this space.
    Space(SpaceId),
    /// To the nodes of this space, and those that this person made elsewhere.
    Maker(SpaceId, UserId),
}

/// Where a list of links ended: all links come first, newest first; then the nodes that are open to everybody, by descending ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkPlace {
    /// After this link.
    #[serde(rename = "l")]
    Link(LinkId),
    /// After this node.
    #[serde(rename = "p")]
    Public(FileId),
}

/// Whether one more download passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeDownload {
    /// It was counted.
    Taken,
    /// The limit is reached; nothing was counted.
    Exhausted,
    /// The link is gone.
    Gone,
}

/// Links. Every change is one atomic commit, durable when the call returns, and seen by the next call of any process. What goes with its node
/// (which a purge removes) needs no call here.
#[async_trait]
pub trait LinkStore: Send + Sync {
    /// Makes a link to a live node.
    ///
    /// # Errors
    /// `NotFound` if the node is gone or in the trash.
    async fn create_link(&self, link: &NewLink) -> Result<Link, NodeError>;

    /// The link with this id.
    async fn find_link(&self, id: LinkId) -> PortResult<Option<Link>>;

    /// The link with this token. One look-up by a unique key.
    async fn find_link_by_token(&self, token: LinkToken) -> PortResult<Option<Link>>;

    /// Changes a link; none if it is gone. Safe to repeat.
    async fn change_link(&self, id: LinkId, change: &LinkChange) -> PortResult<Option<Link>>;

    /// Ends a link, in the name of `by`, or because its time is over; false if it is gone. Safe to repeat.
    async fn remove_link(&self, id: LinkId, by: Option<UserId>, at: Timestamp) -> PortResult<bool>;

    /// Counts that a link was opened. What is gone is not counted.
    async fn count_open(&self, id: LinkId, at: Timestamp) -> PortResult<()>;

    /// Notes that something was dropped by a link. Where it notifies, the drop is counted for the next notice, whose job goes into the outbox in the same
    /// commit, to run when that is due ([`LinkNotice::due`]), unless one is awaited already. What is gone is not noted.
    async fn note_drop(&self, id: LinkId, at: Timestamp, used: &LinkUse) -> PortResult<()>;

    /// Counts one download, if its limit allows one more: of any number of simultaneous calls only so many are `Taken` as the limit has left. What is taken is
    /// told of as by [`LinkStore::note_drop`].
    async fn take_download(&self, id: LinkId, at: Timestamp, used: &LinkUse) -> PortResult<TakeDownload>;

    /// What the notice of this job tells; the same until [`LinkStore::close_notice`], whatever happens meanwhile. None if there is none, or it is another
    /// job's.
    async fn open_notice(&self, id: LinkId, job: JobId) -> PortResult<Option<LinkNotice>>;

    /// Notes that the notice of this job was given. If something happened since it was opened, `next` goes into the outbox, to run when the next notice is due.
    /// Without effect if the notice is another job's. Safe to repeat.
    async fn close_notice(&self, id: LinkId, job: JobId, next: &NewJob, at: Timestamp) -> PortResult<()>;

    /// At most `limit` links, newest first by id, after the one with the id `after`. Whether their nodes are in the trash is not looked at.
    async fn list_links(&self, of: &AccessOf, after: Option<LinkId>, limit: u32) -> PortResult<Vec<Link>>;

    /// How many there are in that list.
    async fn count_links(&self, of: &AccessOf) -> PortResult<u64>;

    /// At most `limit` nodes of a space that are open to everybody and have no tombstone, by descending ids, after the one with the id `after`.
    /// Whether they are in the trash, or below a tombstone, is not looked at.
    async fn list_public(&self, space: SpaceId, after: Option<FileId>, limit: u32) -> PortResult<Vec<Node>>;

    /// How many there are in that list.
    async fn count_public(&self, space: SpaceId) -> PortResult<u64>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_and_never_shown() {
        let token = LinkToken::from_bytes([0xab; 16]);
        assert_eq!(LinkToken::parse(&token.reveal()), Ok(token));
        assert!(!format!("{token:?}").contains("ab"));
        for wrong in ["", "ab", &"g".repeat(32), &"a".repeat(33)] {
            assert!(LinkToken::parse(wrong).is_err());
        }
    }

    #[test]
    fn words_are_read_back() {
        for role in LinkRole::ALL {
            assert_eq!(LinkRole::parse(role.word()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.word());
        }
        assert_eq!(LinkRole::parse("owner"), None);
    }
}
