//! The built-in types of jobs: names, data, and how each is tried.

use serde::{Deserialize, Serialize};

use super::{Backoff, NewJob, Priority};
use crate::{BlobKey, FileId, JobId, Timestamp, UserId};

/// Makes the thumbnails of one picture.
pub const THUMBNAILS: &str = "thumbnails";
/// Welcomes a new user by mail.
pub const WELCOME_MAIL: &str = "welcome-mail";
/// Removes what is below a tombstone.
pub const PURGE: &str = "purge";

/// Data of [`THUMBNAILS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThumbnailsData {
    /// Whose file.
    pub user_id: Option<UserId>,
    /// Which file.
    pub file_id: Option<FileId>,
    /// Its content when the job was made; without one, the content that it has when the job runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<BlobKey>,
}

/// Data of [`WELCOME_MAIL`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WelcomeMailData {
    /// Who is welcomed.
    pub user_id: Option<UserId>,
}

/// Data of [`PURGE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PurgeData {
    /// The tombstone.
    pub node: FileId,
}

const SECOND: u64 = 1000;

/// A job that makes the thumbnails of `file`.
pub fn thumbnails(id: JobId, user: UserId, file: FileId, blob: BlobKey, at: Timestamp) -> NewJob {
    built_in(
        id,
        THUMBNAILS,
        &ThumbnailsData { user_id: Some(user), file_id: Some(file), blob: Some(blob) },
        Some(user),
        at,
    )
}

/// A job that welcomes `user`.
pub fn welcome_mail(id: JobId, user: UserId, at: Timestamp) -> NewJob {
    built_in(id, WELCOME_MAIL, &WelcomeMailData { user_id: Some(user) }, Some(user), at)
}

/// A job that removes what is below `node`.
pub fn purge(id: JobId, node: FileId, user: UserId, at: Timestamp) -> NewJob {
    NewJob { priority: Priority::LOW, ..built_in(id, PURGE, &PurgeData { node }, Some(user), at) }
}

fn built_in(id: JobId, kind: &str, data: &impl Serialize, user: Option<UserId>, at: Timestamp) -> NewJob {
    let data = serde_json::to_value(data).expect("ids become JSON");
    NewJob {
        user,
        max_attempts: 5,
        backoff: Backoff::Exponential { delay_ms: SECOND, max_delay_ms: 60 * SECOND },
        ttl_ms: 300 * SECOND,
        ..NewJob::new(id, kind, data, at)
    }
}
