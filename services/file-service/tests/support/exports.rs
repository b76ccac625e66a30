use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use common::auth::{EXPORT_PART_BYTES, Export, ExportFile, ExportPart, ExportState, Exports};
use common::{Crc32, ExportId, PortResult, Timestamp, UserId, digest};

/// An export, with its files.
type Kept = Option<(Export, Vec<Bytes>)>;

/// What auth-service keeps of exports: one.
#[derive(Clone, Default)]
pub(crate) struct SharedExport(Arc<Mutex<Kept>>);

impl SharedExport {
    /// Keeps an export of these files; its id.
    pub(crate) fn keep(
        &self,
        user: UserId,
        state: ExportState,
        at: Timestamp,
        files: &[(&str, Bytes)],
    ) -> ExportId {
        let id = ExportId::from_bytes([7; 12]);
        let file = |(name, content): &(&str, Bytes)| {
            let mut hasher = digest::Hasher::default();
            hasher.update(content);
            let (size, _, Crc32(crc32)) = hasher.finish();
            ExportFile { name: (*name).to_owned(), size, crc32 }
        };
        let export = Export {
            id,
            user,
            state,
            requested_at: at,
            ended_at: Some(at),
            expires_at: at,
            size_bytes: None,
            files: files.iter().map(file).collect(),
        };
        let contents = files.iter().map(|(_, content)| content.clone()).collect();
        *self.0.lock().unwrap() = Some((export, contents));
        id
    }
}

#[async_trait]
impl Exports for SharedExport {
    async fn export_of(&self, user: UserId) -> PortResult<Option<Export>> {
        let kept = self.0.lock().unwrap();
        Ok(kept.as_ref().map(|(export, _)| export.clone()).filter(|export| export.user == user))
    }

    async fn export_part(&self, part: ExportPart) -> PortResult<Option<Bytes>> {
        let kept = self.0.lock().unwrap();
        Ok(kept.as_ref().filter(|(export, _)| export.id == part.export).map(|(_, contents)| {
            let content = &contents[part.file as usize];
            let start = part.number as usize * EXPORT_PART_BYTES;
            content.slice(start..content.len().min(start + EXPORT_PART_BYTES))
        }))
    }
}
