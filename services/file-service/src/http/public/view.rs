//! What visitors see. Nothing here says whose a file is, or where it stands among the owner's.

use common::files::{Action, Kind, Link, LinkRole, Node, NodeName, Upload, UploadState};
use common::{FileId, Sha256, Timestamp, UploadId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::resumable::done_at;
use crate::app::sharing::visit::Visit;
use crate::error::AppError;
use crate::http::links::LinkRoleName;
use crate::http::uploads::view::{role_word, state_word};
use crate::http::view::{FileType, MediaView, ThumbnailsView};
use crate::state::FileService;

/// A link, as its visitors see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PublicLink)]
pub(super) struct PublicLinkView {
    /// What it lets anyone do.
    #[schema(value_type = LinkRoleName)]
    role: LinkRole,
    /// What its maker calls it.
    label: String,
    /// When it ends by itself; null for never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// How often contents may still be read by it; null for no limit.
    #[schema(required = true)]
    downloads_left: Option<u64>,
    /// What it leads to; null for those who may only drop.
    #[schema(required = true)]
    file: Option<PublicFileView>,
}

impl PublicLinkView {
    pub(super) fn of(link: &Link, node: Option<&Node>) -> Self {
        Self {
            role: link.role,
            label: link.label.clone(),
            expires_at: link.expires_at,
            downloads_left: link.max_downloads.map(|most| most.saturating_sub(link.downloads)),
            file: node.map(|node| PublicFileView::of(link, node)),
        }
    }
}

/// A file or folder, as visitors see it. Who may see thumbnails alone is told nothing of the content itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PublicFile)]
pub(super) struct PublicFileView {
    /// Its id.
    #[schema(value_type = String)]
    id: FileId,
    /// Its name.
    name: String,
    /// Which of the two it is.
    #[serde(rename = "type")]
    #[schema(value_type = FileType)]
    kind: Kind,
    /// The folder that it is in; null for what the link leads to.
    #[schema(required = true, value_type = Option<String>)]
    parent_id: Option<FileId>,
    /// The type found by looking at the content; null for a folder.
    #[schema(required = true)]
    mime_type: Option<String>,
    /// Bytes of the content; null for a folder, and where thumbnails alone are shown.
    #[schema(required = true)]
    size: Option<u64>,
    /// SHA-256 of the content in hexadecimal; null for a folder, and where thumbnails alone are shown.
    #[schema(required = true, value_type = Option<String>)]
    sha256: Option<Sha256>,
    /// When its name, place or content last changed.
    #[schema(value_type = String, format = DateTime)]
    modified_at: Timestamp,
    /// Counts the contents that a file has had, from 1; always 1 for a folder.
    version: u32,
    /// How many nodes are in a folder; null for a file.
    #[schema(required = true)]
    child_count: Option<u64>,
    /// Its thumbnails.
    thumbnails: ThumbnailsView,
    /// What is known of a picture, a sound or a film; null where thumbnails alone are shown.
    #[schema(required = true)]
    media: Option<MediaView>,
}

impl PublicFileView {
    pub(super) fn of(link: &Link, node: &Node) -> Self {
        let content = node.content.as_ref();
        let shown = content.filter(|_| link.role != LinkRole::PreviewOnly);
        Self {
            id: node.id,
            name: node.name.as_str().to_owned(),
            kind: node.kind,
            parent_id: node.parent.filter(|_| node.id != link.node),
            mime_type: content.map(|content| content.mime.clone()),
            size: shown.map(|content| content.size),
            sha256: shown.map(|content| content.sha256),
            modified_at: node.modified_at,
            version: content.map_or(1, |content| content.version),
            child_count: (node.kind == Kind::Folder).then_some(node.child_count),
            thumbnails: ThumbnailsView::of(node),
            media: shown.and_then(|content| content.media.clone()).map(MediaView::from),
        }
    }
}

/// A page of a list of files.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PublicFileList)]
pub(super) struct PublicFileListView {
    /// The files and folders of this page.
    pub(super) items: Vec<PublicFileView>,
    /// What to send as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    pub(super) next_cursor: Option<String>,
    /// How many there are in all.
    pub(super) total: u64,
}

/// That bytes have arrived.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Receipt)]
pub(in crate::http) struct ReceiptView {
    /// The file's id; null for those who may only drop.
    #[schema(required = true, value_type = Option<String>)]
    id: Option<FileId>,
    /// Its name; for those who may only drop the one that they gave.
    name: String,
    /// How many bytes have arrived.
    size: u64,
    /// Their SHA-256 in hexadecimal.
    #[schema(value_type = String)]
    sha256: Sha256,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
}

impl ReceiptView {
    pub(super) fn of(visit: &Visit, asked: &str, node: &Node, at: Timestamp) -> Option<Self> {
        let content = node.content.as_ref()?;
        let drops = visit.link.role == LinkRole::Dropper;
        Some(Self {
            id: (!drops).then_some(node.id),
            name: if drops { asked } else { node.name.as_str() }.to_owned(),
            size: content.size,
            sha256: content.sha256,
            received_at: at,
        })
    }

    /// That of an upload in pieces which has become a file; none of one that has not. It tells what was sent, whatever has become of the file since.
    ///
    /// # Errors
    /// Those of the store alone.
    pub(in crate::http) async fn of_upload(
        service: &FileService,
        visit: &Visit,
        upload: &Upload,
    ) -> Result<Option<Self>, AppError> {
        let UploadState::Done(file) = upload.state else { return Ok(None) };
        let (Some(sha256), Some(received_at)) = (upload.digest, done_at(upload)) else { return Ok(None) };
        let asked = upload.name.as_ref().map(NodeName::as_str).unwrap_or_default().to_owned();
        let drops = visit.link.role == LinkRole::Dropper;
        let name = if drops {
            asked
        } else {
            match visit.authorize(service, Action::ReadMetadata, Some(file)).await {
                Ok(found) => found.node().name.as_str().to_owned(),
                Err(error @ AppError::Port(_)) => return Err(error),
                Err(_) => asked,
            }
        };
        let id = (!drops).then_some(file);
        Ok(Some(Self { id, name, size: upload.offset(), sha256, received_at }))
    }
}

/// An upload by a link that comes in several goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PublicUpload)]
pub(in crate::http) struct PublicUploadView {
    /// Its id. Whoever knows it and has the link can go on with the upload, and end it.
    #[schema(value_type = String, example = "5f1e8896c7ba06511e683b25")]
    id: UploadId,
    /// `open` while bytes are missing, `complete` when all are there (a part stays so, a file waits for a name that is free), `done` when it is a file.
    #[schema(value_type = String, example = "open")]
    state: &'static str,
    /// `whole` for a file, `part` for a part of one, `final` for what is made of parts.
    #[schema(value_type = String, example = "whole")]
    role: &'static str,
    /// The name that was given; null for a part without one.
    #[schema(required = true)]
    name: Option<String>,
    /// How many bytes it will have; null while that is not known.
    #[schema(required = true)]
    length: Option<u64>,
    /// How many bytes are there.
    offset: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it is given up, unless it is gone on with.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// That it has arrived; null until then.
    #[schema(required = true)]
    receipt: Option<ReceiptView>,
}

impl PublicUploadView {
    /// # Errors
    /// Those of the store alone.
    pub(in crate::http) async fn of(
        service: &FileService,
        visit: &Visit,
        upload: &Upload,
    ) -> Result<Self, AppError> {
        Ok(Self {
            id: upload.id,
            state: state_word(upload),
            role: role_word(upload),
            name: upload.name.as_ref().map(|name| name.as_str().to_owned()),
            length: upload.length,
            offset: upload.offset(),
            created_at: upload.created_at,
            expires_at: upload.expires_at,
            receipt: ReceiptView::of_upload(service, visit, upload).await?,
        })
    }
}
