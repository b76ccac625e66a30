//! Finding files by the words of their names, tags and texts.

mod excerpt;
mod words;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Kind, Tag};
use crate::error::PortResult;
use crate::jobs::NewJob;
use crate::{BlobKey, FileId, SpaceId, Timestamp, UserId};

pub use excerpt::{Excerpt, excerpt};
pub use words::{
    MAX_WORD_CHARS, MAX_WORDS_OF_SEARCH, MAX_WORDS_OF_TEXT, fold, words_of, words_of_search, words_of_text,
};

/// How well something was found: where the word of the search stands that stands least well. A lower one goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rank {
    /// All words stand in the name.
    #[serde(rename = "0")]
    Name,
    /// They do, or begin words of it.
    #[serde(rename = "1")]
    NamePrefix,
    /// The others stand in its tags.
    #[serde(rename = "2")]
    Tag,
    /// They begin words of its tags.
    #[serde(rename = "3")]
    TagPrefix,
    /// The others stand in its text.
    #[serde(rename = "4")]
    Text,
    /// They begin words of its text.
    #[serde(rename = "5")]
    TextPrefix,
}

impl Rank {
    /// All of them, the best first.
    pub const ALL: [Self; 6] =
        [Self::Name, Self::NamePrefix, Self::Tag, Self::TagPrefix, Self::Text, Self::TextPrefix];

    /// The one before it, if it is not the best.
    pub fn better(self) -> Option<Self> {
        Self::ALL.into_iter().take_while(|rank| *rank < self).last()
    }
}

/// A node that was found, and its place in the list: by rank, then the latest first, then by descending ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked {
    /// How well.
    #[serde(rename = "r")]
    pub rank: Rank,
    /// When the node last changed.
    #[serde(rename = "t")]
    pub modified_at: Timestamp,
    /// The node.
    #[serde(rename = "i")]
    pub node: FileId,
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchScope {
    /// In this space.
    pub space: SpaceId,
    /// These nodes and what lies below them; none for all of the space. Where that is too many folders, a store may look in all of the space.
    pub below: Option<Vec<FileId>>,
}

/// A type of content, or all that begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MimeFilter {
    /// Such as `image/png`.
    Is(String),
    /// Such as `image/`.
    Begins(String),
}

/// What shall be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchFilter {
    /// What is not of this kind.
    pub kind: Option<Kind>,
    /// What has another type. Folders have none.
    pub mime: Option<MimeFilter>,
    /// What does not have this tag.
    pub tag: Option<Tag>,
    /// What changed before.
    pub from: Option<Timestamp>,
    /// What changed then or later.
    pub to: Option<Timestamp>,
    /// What is smaller; and folders.
    pub min_size: Option<u64>,
    /// What is larger; and folders.
    pub max_size: Option<u64>,
}

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// The words, of [`words_of_search`]: each must be found. Without any, nothing is.
    pub words: Vec<String>,
    /// Where to look.
    pub scopes: Vec<SearchScope>,
    /// What is left out.
    pub filter: SearchFilter,
    /// Only what comes after this one.
    pub after: Option<Ranked>,
    /// At most so many.
    pub limit: u32,
}

/// What a search finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The nodes, in the order of [`Ranked`].
    pub nodes: Vec<Ranked>,
    /// More may be there that was not looked at: it would have taken too long, or a word stands in more texts than the store goes through.
    pub incomplete: bool,
}

/// A text to be found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedText {
    /// As excerpts show it, without NUL.
    pub text: String,
    /// By [`words_of_text`].
    pub words: Vec<String>,
}

impl IndexedText {
    /// With the words of the text. Takes tens of milliseconds for each MiB.
    pub fn new(text: String) -> Self {
        Self { words: words_of_text(&text), text }
    }
}

/// A file whose text nobody has read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadFile {
    /// The file.
    pub file: FileId,
    /// Whose it is.
    pub owner: UserId,
    /// Its content.
    pub blob: BlobKey,
    /// The type of that.
    pub mime: String,
    /// Bytes of it.
    pub size: u64,
}

/// How far the walk of [`SearchStore::index`] has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexStep {
    /// Where to go on; none at the end.
    pub next: Option<FileId>,
    /// Nodes whose words were missing or wrong, and are right now.
    pub indexed: u32,
    /// Those of the files looked at whose contents have no text in this store, nor the note that they have none.
    pub unread: Vec<UnreadFile>,
}

/// Finds nodes by words. Those of names and tags change in the commit that changes the name or the tags, and are found from then on; those of a text when
/// [`SearchStore::keep_text`] has returned. What is deleted for good is found by nothing once it was purged.
///
/// A text belongs to a content in a space: each file there that has the content is found by it, copies and restored versions too.
#[async_trait]
pub trait SearchStore: Send + Sync {
    /// What is found. Only what is live, with nothing above it in the trash or gone; where very many folders are (more than 20,000), some of what lies below those
    /// may be among it, so the caller looks once more, and finds out whether it may be seen. Takes seconds at most, and says if that was too short; also if a word
    /// stands in more than 10,000 texts of a space, of which the others are not found by it.
    async fn search(&self, query: &SearchQuery) -> PortResult<Found>;

    /// Keeps the text of a live content for all spaces in which files have it now, or had it before, in place of the one that was there. False if it is not
    /// live. Safe to repeat.
    async fn keep_text(&self, blob: BlobKey, text: &IndexedText) -> PortResult<bool>;

    /// The text of a content, as it was kept for this space.
    async fn find_text(&self, space: SpaceId, blob: BlobKey) -> PortResult<Option<String>>;

    /// Looks at some more nodes, by ascending ids after `after`, at most `limit`, and puts right by which words they are found: those of a version before search
    /// are found by none. Safe to repeat, and to run twice at once.
    async fn index(&self, after: Option<FileId>, limit: u32) -> PortResult<IndexStep>;

    /// Puts jobs into the outbox that read the texts of what was found unread. One commit.
    async fn order_texts(&self, jobs: &[NewJob]) -> PortResult<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_in_their_order_and_short_in_cursors() {
        assert!(Rank::ALL.is_sorted());
        assert_eq!(Rank::Name.better(), None);
        assert_eq!(Rank::Text.better(), Some(Rank::TagPrefix));
        assert_eq!(serde_json::to_string(&Rank::ALL).unwrap(), r#"["0","1","2","3","4","5"]"#);
    }
}
