//! All that is an account's, put together for its owner: what is kept of it until it is fetched.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::AuditEntry;
use crate::error::PortResult;
use crate::jobs::NewJob;
use crate::{ExportId, Timestamp, UserId};

/// Bytes of each part of a file but the last, which has what is left.
pub const EXPORT_PART_BYTES: usize = 256 * 1024;

/// Most files of an export, beside those of the account's space.
pub const MOST_EXPORT_FILES: usize = 64;

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportState {
    /// A job puts it together.
    Running,
    /// It can be fetched.
    Ready,
    /// The job was given up.
    Failed,
}

impl ExportState {
    /// The word in stores and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }

    /// Reads [`ExportState::word`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Running, Self::Ready, Self::Failed].into_iter().find(|state| state.word() == word)
    }
}

/// A file about the account that stands in its export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportFile {
    /// Its name, without folders.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// The CRC-32 (IEEE) of those bytes.
    pub crc32: u32,
}

/// An export. An account has at most one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// Its id.
    pub id: ExportId,
    /// Whose it is.
    pub user: UserId,
    /// How far it is.
    pub state: ExportState,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was put together, or given up.
    pub ended_at: Option<Timestamp>,
    /// From when on it is not there any more. One that runs until then was left by its job.
    pub expires_at: Timestamp,
    /// Length of the whole archive in bytes when it was put together.
    pub size_bytes: Option<u64>,
    /// The files that are kept of it, once it is ready.
    pub files: Vec<ExportFile>,
}

impl Export {
    /// Whether it is there, in whatever state.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

/// An export to be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewExport {
    /// A fresh id.
    pub id: ExportId,
    /// Whose it is.
    pub user: UserId,
    /// When it was asked for.
    pub at: Timestamp,
    /// Until when its job must have ended it.
    pub expires_at: Timestamp,
}

/// Which part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportPart {
    /// Whose export.
    pub user: UserId,
    /// Which one.
    pub export: ExportId,
    /// The position of the file, from 0.
    pub file: u32,
    /// The position of the part, from 0.
    pub number: u32,
}

/// How a run of the job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum ExportEnd {
    /// All is there.
    Ready {
        /// The run that wrote the parts.
        run: i64,
        /// The files, in the order of their positions.
        files: Vec<ExportFile>,
        /// Length of the whole archive in bytes.
        size_bytes: u64,
    },
    /// It was given up.
    Failed,
}

/// Exports. Every change is one atomic commit, durable when the call returns. What is kept of an account that is deleted goes in the commit of that.
#[async_trait]
pub trait ExportStore: Send + Sync {
    /// Begins an export with its line of the audit log and puts `jobs` into the outbox; one that was before goes with its parts. While one runs, that one is
    /// answered, and nothing changes. None, and no effect, if there is no such account. Of simultaneous calls one begins an export, which is what all answer.
    async fn begin_export(
        &self,
        export: &NewExport,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> PortResult<Option<Export>>;

    /// The export of an account, past its time or not.
    async fn find_export(&self, user: UserId) -> PortResult<Option<Export>>;

    /// Keeps a part of at most [`EXPORT_PART_BYTES`], in place of the one that is there. Runs are numbered ascending: the first part of a newer run removes
    /// what older ones wrote, and of an older one nothing is taken any more. False, and no effect, then, and if the export is gone or does not run.
    async fn put_export_part(&self, part: ExportPart, run: i64, bytes: &[u8]) -> PortResult<bool>;

    /// A part; none if there is none.
    async fn read_export_part(&self, part: ExportPart) -> PortResult<Option<Bytes>>;

    /// Ends an export that runs, which is kept until `expires_at`, and puts `jobs` into the outbox. One that failed loses its parts. False, and no effect, if
    /// it is gone, has ended, or a newer run has begun.
    async fn end_export(
        &self,
        user: UserId,
        id: ExportId,
        end: &ExportEnd,
        at: Timestamp,
        expires_at: Timestamp,
        jobs: &[NewJob],
    ) -> PortResult<bool>;

    /// Removes up to `limit` exports, with their parts, whose time is over at `now`; how many went. Safe to repeat.
    async fn remove_expired_exports(&self, now: Timestamp, limit: u32) -> PortResult<u32>;
}

/// Exports as whoever hands them out sees them: auth-service, in process or over its internal API.
#[async_trait]
pub trait Exports: Send + Sync {
    /// The export of an account, if its time is not over.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn export_of(&self, user: UserId) -> PortResult<Option<Export>>;

    /// A part of a file; none if it is gone.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn export_part(&self, part: ExportPart) -> PortResult<Option<Bytes>>;
}
