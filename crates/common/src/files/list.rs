use serde::{Deserialize, Serialize};

use super::{Kind, Node};
use crate::{FileId, Timestamp};

/// What a list of children is sorted by; ties by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sort {
    /// Natural order of names.
    Name,
    /// Bytes; folders count as 0.
    Size,
    /// Last change.
    ModifiedAt,
    /// Sniffed type, then natural order of names.
    Type,
}

/// Direction of a list. "Folders first" holds in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Ascending.
    Asc,
    /// Descending.
    Desc,
}

/// A list of the live children of one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// What to sort by.
    pub sort: Sort,
    /// Which way.
    pub order: Order,
    /// Folders before files, whatever the sort.
    pub folders_first: bool,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Start after this position (exclusive). A position stays good when the node that it came from is gone.
    pub after: Option<Position>,
    /// Leave out so many before the first; for scroll bars. Its cost grows with its value.
    pub offset: u64,
    /// At most so many, 1 to 1000.
    pub limit: u32,
}

/// Where a page ended: the key of its last item. What cursors hold, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The kind of the last item, where folders come first.
    #[serde(rename = "k")]
    pub kind: Kind,
    /// Its sort value.
    #[serde(rename = "v")]
    pub value: SortValue,
    /// Its id.
    #[serde(rename = "i")]
    pub id: FileId,
}

/// The value that a node is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortValue {
    /// For [`Sort::Name`]: the sort key.
    #[serde(rename = "n")]
    Name(String),
    /// For [`Sort::Size`].
    #[serde(rename = "s")]
    Size(u64),
    /// For [`Sort::ModifiedAt`].
    #[serde(rename = "m")]
    ModifiedAt(Timestamp),
    /// For [`Sort::Type`]: type and sort key.
    #[serde(rename = "t")]
    Type(String, String),
}

impl Position {
    /// The position of a node in a list sorted by `sort`.
    pub fn of(node: &Node, sort: Sort) -> Self {
        let name = || super::sort_key(node.name.as_str());
        let value = match sort {
            Sort::Name => SortValue::Name(name()),
            Sort::Size => SortValue::Size(node.content.as_ref().map_or(0, |content| content.size)),
            Sort::ModifiedAt => SortValue::ModifiedAt(node.modified_at),
            Sort::Type => SortValue::Type(
                node.content.as_ref().map_or_else(String::new, |content| content.mime.clone()),
                name(),
            ),
        };
        Self { kind: node.kind, value, id: node.id }
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// More follow after the last item.
    pub more: bool,
    /// How many there are in all, the whole list through; from a counter.
    pub total: u64,
}
