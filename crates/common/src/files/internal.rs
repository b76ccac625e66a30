//! Messages of file-service's internal API, which worker-service calls.

use serde::{Deserialize, Serialize};

use super::{FileEventPage, MediaFacts, Miscount};
use crate::auth::ExportFile;
use crate::{BlobKey, FileId, JobId, LinkId, OperationId, Timestamp, UserId};

/// `POST /internal/thumbnails/begin`: may thumbnails still be made of this blob? Answer: [`ThumbnailWork`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThumbnailBegin {
    /// The file.
    pub file: FileId,
    /// Its content when the job was made, or none for "whatever it is now" (the classic queue's message).
    pub blob: Option<BlobKey>,
    /// Whose file it must be.
    pub user: UserId,
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum ThumbnailWork {
    /// Make them: read `GET /internal/blobs/{blob}`, then post them to `PUT /internal/blobs/{blob}/thumbnails`.
    Wanted {
        /// The original.
        blob: BlobKey,
        /// Its size in bytes.
        size: u64,
        /// Its sniffed type.
        mime: String,
    },
    /// Made already, or they can never be made: nothing to do.
    Settled,
    /// No such file of that user.
    FileNotFound,
}

/// One part of the body of `PUT /internal/blobs/{blob}/thumbnails`, whose body is this header as JSON in one line, then the bytes of all pictures one after
/// another in the order of `pictures`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThumbnailUpload {
    /// What is known of the original.
    pub media: Option<MediaFacts>,
    /// The pictures.
    pub pictures: Vec<ThumbnailPicture>,
}

/// One picture of a [`ThumbnailUpload`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThumbnailPicture {
    /// Asked width in pixels.
    pub size: u32,
    /// Its type.
    pub mime: String,
    /// Number of bytes that follow for it.
    pub bytes: u64,
}

/// `POST /internal/blobs/{blob}/thumbnails/failed`: they cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThumbnailFailure {
    /// Why, in a sentence for the owner.
    pub reason: String,
}

/// `GET /internal/blobs/{blob}/range?start=…&len=…`: at most so many bytes of a blob in one answer.
pub const MAX_RANGE_BYTES: u64 = 1024 * 1024;

/// `POST /internal/files/purge`: removes some rows below a tombstone. Answer: [`StepDone`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PurgeRequest {
    /// The tombstone.
    pub node: FileId,
}

/// `POST /internal/files/copy`: goes on with the copy of a folder. Answer: [`StepDone`], done also when it has failed or is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyRequest {
    /// The copy.
    pub operation: OperationId,
}

/// `POST /internal/files/copy/give-up`: the job of a copy is over before the copy is. What there is of the copy goes into the trash, and its operation has
/// failed. Without effect on one that has ended or is unknown; one that has nothing left to copy is done. Answer: 204.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyGiveUp {
    /// The copy.
    pub operation: OperationId,
    /// Somebody called its job off; otherwise its attempts are used up.
    pub called_off: bool,
}

/// `POST /internal/links/notice`: what shall the notice of a link tell? Answer: [`LinkNoticeTold`]. And `POST /internal/links/noticed`: it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkNoticeOf {
    /// The link.
    pub link: LinkId,
    /// The job that tells.
    pub job: JobId,
}

/// What is told of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkNoticeTold {
    /// None if the link has ended, or somebody has told of it.
    pub notice: Option<LinkNews>,
}

/// What happened by a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkNews {
    /// Who is told.
    pub users: Vec<UserId>,
    /// What its maker calls it.
    pub label: String,
    /// What it leads to.
    pub file: FileId,
    /// The name of that; none if it is gone.
    pub name: Option<String>,
    /// The file of the last use.
    pub last_file: FileId,
    /// Its name; none if it is gone.
    pub last_name: Option<String>,
    /// Downloads since the notice before.
    pub downloads: u64,
    /// Drops since the notice before.
    pub drops: u64,
}

/// `POST /internal/events/after`: what happened to the files of some accounts? At most [`MAX_EVENT_PLACES`] of them. Answer: [`FileEventsTold`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEventsQuestion {
    /// From where on, of each.
    pub places: Vec<FileEventsPlace>,
}

/// A place among what happened to the files of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEventsPlace {
    /// The account.
    pub user: UserId,
    /// Behind the event of this number; if none is given, behind the last one that happened before `since`.
    pub after: Option<u64>,
    /// Without meaning where `after` is given.
    pub since: Timestamp,
}

/// Most places of one [`FileEventsQuestion`].
pub const MAX_EVENT_PLACES: usize = 20;

/// What happened behind each place, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEventsTold {
    /// As many as there were places.
    pub pages: Vec<FileEventPage>,
}

/// `POST /internal/maintenance/{task}`: one step of `expire-trash`, `expire-versions`, `purge-tombstones`, `collect-blobs`, `sweep-strays`, `sweep-reservations`, `expire-uploads`,
/// `scrub-blobs`, `recount-usage`. Answer: [`StepDone`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceStep {
    /// What the step before answered.
    pub cursor: Option<String>,
}

/// How far a loop of short idempotent calls has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepDone {
    /// Nothing is left to do.
    pub done: bool,
    /// What to send with the next step.
    pub cursor: Option<String>,
    /// What this step did, in rows.
    pub changed: u64,
    /// How far the whole loop is, as far as that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Bytes that this step read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub read_bytes: u64,
    /// What somebody should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Something that upkeep found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Finding {
    /// A content that is not what was uploaded. Nothing is deleted.
    DamagedBlob {
        /// Its key.
        blob: BlobKey,
        /// What is wrong with it, in a sentence.
        problem: String,
        /// Some of the files that use it.
        files: Vec<FileId>,
    },
    /// A counter that was put right.
    Miscount(Miscount),
    /// Bytes that belong to no content.
    Stray {
        /// What they are called.
        blob: BlobKey,
        /// Their number.
        size: u64,
    },
}

impl Finding {
    /// Most files that are named with a blob.
    pub const MAX_FILES: u32 = 20;
}

/// `POST /internal/users/usage`: what does the space of an account hold? Answer: [`super::UserUsage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageQuestion {
    /// The account.
    pub user: UserId,
}

/// `POST /internal/users/quota`: sets or lifts the limit of an account's space. Answer: [`super::UserUsage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaChange {
    /// The account.
    pub user: UserId,
    /// Most bytes that it may hold; none is no limit.
    pub quota_bytes: Option<u64>,
}

/// `POST /internal/users/end`: removes some of what is left of an account that is gone. Answer: [`StepDone`]. Whoever asks has made sure of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserEnd {
    /// The account.
    pub user: UserId,
}

/// `POST /internal/users/export` of file-service, `POST /internal/accounts/export` of auth-service: some of what a service knows of an account.
/// Answer: [`ExportPage`]; 404 for an unknown subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportQuestion {
    /// The account.
    pub user: UserId,
    /// Of what: [`EXPORTED`], or [`crate::auth::internal::EXPORTED`].
    pub what: String,
    /// What the page before answered.
    pub cursor: Option<String>,
}

/// Some of what a service knows of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportPage {
    /// In JSON, without secrets.
    pub items: Vec<serde_json::Value>,
    /// To be sent for more; none after the last page.
    pub cursor: Option<String>,
}

/// What file-service knows of an account, beside its files themselves.
pub const EXPORTED: &[&str] =
    &["shares-given", "shares-received", "links", "public-files", "stars", "tags", "unfinished-uploads"];

/// `POST /internal/users/export/measure`: how long an archive would be now of these files about an account and the files of its space. Answer:
/// [`ExportLength`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportMeasure {
    /// The account.
    pub user: UserId,
    /// The files about it.
    pub files: Vec<ExportFile>,
}

/// The length of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportLength {
    /// In bytes; none for more than an archive can hold.
    pub bytes: Option<u64>,
}
