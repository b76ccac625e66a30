//! Files, folders, their contents, and who may do what with them.

mod activity;
mod blob_store;
mod copying;
mod intake;
pub mod internal;
mod journal;
mod link;
mod link_notice;
mod list;
mod marks;
mod name;
mod node;
mod partial_blobs;
mod permission;
mod resumable;
mod rules;
pub mod search;
mod share;
mod sort_key;
mod spaces;
mod store;
mod tag;
mod upkeep;
mod upload;
mod versions;

pub use activity::{ActivityOf, ActivityStore, Doer, FileEvent, FileEventKind, FileEventPage, NamedPlace};
pub use blob_store::{BlobLocator, BlobRange, BlobStore, BlobWriter, ByteStream, StoredBlob, WrittenBlob};
pub use copying::{CopyFront, CopyItem, CopyOperation, CopyState, CopyStore, NewCopy};
pub use intake::{FormerNode, IncomingBytes, IncomingContent, IncomingNode, Intake, IntakeError, SeenFile};
pub use journal::{Act, Acted, Change, ChangeKind, JournalStore, Note, Operation, Part};
pub use link::{
    AccessOf, Link, LinkAccess, LinkChange, LinkPlace, LinkRole, LinkStore, LinkToken, NewLink, TakeDownload,
};
pub use link_notice::{LinkNotice, LinkUse};
pub use list::{ListQuery, Order, Page, Position, Sort, SortValue};
pub use marks::{Dated, MarkStore, TagCount};
pub use name::{InvalidName, NodeName};
pub use node::{
    Amount, BlobInfo, BlobState, ClassicType, Content, Crumb, Kind, MediaFacts, Node, NodePath, Public,
    Space, ThumbnailInfo, ThumbnailSize, ThumbnailState, Trashed, Usage, UsageByType,
};
pub use partial_blobs::{PartialBlob, PartialBlobs, PartialError, PartialWriter};
pub use permission::{Action, Actor, Decision, Standing, decide, decide_by_link};
pub use resumable::{OnConflict, Saved, Taken, Upload, UploadRole, UploadState, UploadStore, Uploader};
pub use rules::{NewNode, NewPlace, RETURNING_AT_ONCE, WayBack};
pub use search::{IndexedText, Ranked, SearchQuery, SearchStore};
pub use share::{Grant, Grantee, NewShare, Share, ShareRole, ShareStore, SharesOf};
pub use sort_key::sort_key;
pub use spaces::{UserSpaces, UserUsage};
pub use store::{BlobPage, CollectOutcome, FileStore, NodeError, PurgeStep};
pub use tag::{InvalidTag, Tag};
pub use upkeep::{BlobRecord, Counter, Miscount, RecountPlace, RecountStep};
pub use upload::{
    Commit, CommitTarget, Committed, NewBlob, NewContent, NewFile, NewFolder, NewThumbnail, Place,
};
pub use versions::{KeepVersions, PruneStep, Version, VersionStore};

/// Deepest place of a node: a root has depth 0.
pub const MAX_DEPTH: usize = 128;
