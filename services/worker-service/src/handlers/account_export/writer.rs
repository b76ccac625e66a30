//! Files of an export, written part by part.

use bytes::Bytes;
use clients::AuthClient;
use common::auth::{EXPORT_PART_BYTES, ExportFile, ExportPart};
use common::digest::Hasher;
use common::{ExportId, PortError, UserId};
use serde_json::Value;

use crate::work::HandlerError;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWritten {
    /// The export is gone or has ended, or a newer run has begun.
    #[error("it is not this run's to write")]
    Refused,
    #[error(transparent)]
    Failed(#[from] HandlerError),
}

impl From<PortError> for NotWritten {
    fn from(error: PortError) -> Self {
        Self::Failed(error.into())
    }
}

/// What one run writes.
pub(super) struct Output {
    auth: AuthClient,
    user: UserId,
    export: ExportId,
    run: i64,
}

impl Output {
    pub(super) fn new(auth: AuthClient, (user, export): (UserId, ExportId), run: i64) -> Self {
        Self { auth, user, export, run }
    }

    /// The file at this position: a list in JSON, an item on each line.
    pub(super) fn file(&self, position: u32) -> FileWriter<'_> {
        FileWriter {
            output: self,
            position,
            number: 0,
            waiting: Vec::with_capacity(EXPORT_PART_BYTES),
            hasher: Hasher::default(),
            is_empty: true,
        }
    }
}

/// A file under way. Holds little more than one part.
pub(super) struct FileWriter<'a> {
    output: &'a Output,
    position: u32,
    number: u32,
    waiting: Vec<u8>,
    hasher: Hasher,
    is_empty: bool,
}

impl FileWriter<'_> {
    pub(super) fn user(&self) -> UserId {
        self.output.user
    }

    /// Adds an item.
    pub(super) async fn push(&mut self, item: &Value) -> Result<(), NotWritten> {
        self.waiting.extend_from_slice(if self.is_empty { b"[\n" } else { b",\n" });
        self.is_empty = false;
        serde_json::to_writer(&mut self.waiting, item)
            .map_err(|_| HandlerError::Permanent("What is known of the account is no JSON".to_owned()))?;
        while self.waiting.len() >= EXPORT_PART_BYTES {
            let rest = self.waiting.split_off(EXPORT_PART_BYTES);
            let part = std::mem::replace(&mut self.waiting, rest);
            self.send(part).await?;
        }
        Ok(())
    }

    /// Ends the list and sends what waits.
    pub(super) async fn finish(mut self, name: String) -> Result<ExportFile, NotWritten> {
        self.waiting.extend_from_slice(if self.is_empty { b"[]\n" } else { b"\n]\n" });
        while !self.waiting.is_empty() {
            let rest = self.waiting.split_off(self.waiting.len().min(EXPORT_PART_BYTES));
            let part = std::mem::replace(&mut self.waiting, rest);
            self.send(part).await?;
        }
        let (size, _, crc32) = self.hasher.finish();
        Ok(ExportFile { name, size, crc32: crc32.0 })
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), NotWritten> {
        self.hasher.update(&bytes);
        let Output { auth, user, export, run } = self.output;
        let part = ExportPart { user: *user, export: *export, file: self.position, number: self.number };
        self.number += 1;
        if auth.put_export_part(part, *run, &Bytes::from(bytes)).await? {
            Ok(())
        } else {
            Err(NotWritten::Refused)
        }
    }
}
