//! A node as the v1 API shows it. Every call that answers with a file builds it here.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use common::files::{Actor, Kind, MediaFacts, Node, ThumbnailSize, ThumbnailState};
use common::{FileId, Sha256, SpaceId, Timestamp, UserId};
use serde::Serialize;
use utoipa::ToSchema;

use super::preconditions;
use crate::app::access::Sight;
use crate::app::marks;
use crate::error::AppError;
use crate::state::FileService;

/// What answers about one caller's files may be kept as: by that caller's client alone, which asks each time whether it is still good.
pub(crate) const PRIVATE: (header::HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));

/// A file or a folder.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = File)]
pub(crate) struct FileView {
    /// Its id.
    #[schema(value_type = String, example = "5f1e8896c7ba06511e683b25")]
    id: FileId,
    /// Its name, unique in its folder; empty for a root folder.
    #[schema(example = "holiday.jpg")]
    name: String,
    /// Which of the two it is.
    #[serde(rename = "type")]
    #[schema(value_type = FileType)]
    kind: Kind,
    /// The type found by looking at the content; null for a folder.
    #[schema(required = true, example = "image/jpeg")]
    mime_type: Option<String>,
    /// Bytes of the content; null for a folder.
    #[schema(required = true)]
    size: Option<u64>,
    /// SHA-256 of the content in hexadecimal; null for a folder.
    #[schema(required = true, value_type = Option<String>)]
    sha256: Option<Sha256>,
    /// The folder that it is in, or was in before it was trashed; null for a root folder, and where the caller must not know of it.
    #[schema(required = true, value_type = Option<String>)]
    parent_id: Option<FileId>,
    /// The tree that it is in.
    #[schema(value_type = String)]
    space_id: SpaceId,
    /// Whose it is.
    #[schema(value_type = String)]
    owner_id: UserId,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its name, place or content last changed.
    #[schema(value_type = String, format = DateTime)]
    modified_at: Timestamp,
    /// When the content was last changed where it came from, as far as the client said so; null for a folder.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    content_modified_at: Option<Timestamp>,
    /// Counts the contents that a file has had, from 1; always 1 for a folder.
    version: u32,
    /// The entity tag of this representation, quotes included.
    etag: String,
    /// Everybody may read its content.
    is_public: bool,
    /// When it was put into the trash itself (not with a folder above it); else null.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    trashed_at: Option<Timestamp>,
    /// What the caller may do with it: `viewer`, `editor`, or `manager`, which its owner is too. In a list what was given of the item itself is not
    /// counted in.
    #[schema(example = "manager")]
    role: &'static str,
    /// Others were given rights to it: to it itself, not to a folder above it.
    shared: bool,
    /// Links lead to it, or it is open to everybody.
    linked: bool,
    /// The caller has set a star on it.
    starred: bool,
    /// Its tags, as they were given.
    #[schema(example = json!(["holiday"]))]
    tags: Vec<String>,
    /// How many nodes are in a folder; null for a file.
    #[schema(required = true)]
    child_count: Option<u64>,
    /// Its thumbnails.
    thumbnails: ThumbnailsView,
    /// What is known of a picture, a sound or a film.
    #[schema(required = true)]
    media: Option<MediaView>,
}

/// How far the thumbnails of a file are.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Thumbnails)]
pub(super) struct ThumbnailsView {
    /// `none` where none can be made, `pending` while a job makes them, `failed` after its last attempt.
    #[schema(value_type = ThumbnailStateName)]
    state: ThumbnailState,
    /// The widths in which they are there, or will be; none otherwise.
    sizes: Vec<u32>,
    /// Why there are none, after a failure.
    #[schema(required = true)]
    reason: Option<String>,
}

/// What a node is.
#[derive(ToSchema)]
#[schema(as = FileType, rename_all = "lowercase")]
#[allow(dead_code, reason = "stands for common's type in the document alone")]
pub(crate) enum FileType {
    Folder,
    File,
}

/// How far thumbnails are.
#[derive(ToSchema)]
#[schema(as = ThumbnailState, rename_all = "lowercase")]
#[allow(dead_code, reason = "stands for common's type in the document alone")]
enum ThumbnailStateName {
    None,
    Pending,
    Ready,
    Failed,
}

/// What is known of a picture, a sound or a film; null where it is not known.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Media)]
pub(super) struct MediaView {
    /// Upright width in pixels.
    #[schema(required = true)]
    width: Option<u32>,
    /// Upright height in pixels.
    #[schema(required = true)]
    height: Option<u32>,
    /// When it was taken, by the clock of the camera; with the offset from UTC where that is known.
    #[schema(required = true, example = "2024-02-29T23:59:59+05:45")]
    taken_at: Option<String>,
    /// Maker and model of the camera.
    #[schema(required = true)]
    camera: Option<String>,
    /// How long it plays, in milliseconds.
    #[schema(required = true)]
    duration_ms: Option<u64>,
}

impl From<MediaFacts> for MediaView {
    fn from(facts: MediaFacts) -> Self {
        let MediaFacts { width, height, taken_at, camera, duration_ms } = facts;
        Self { width, height, taken_at, camera, duration_ms }
    }
}

impl FileView {
    /// The view of a node for someone to whom it looks like this.
    pub(crate) fn of(node: &Node, sight: Sight) -> Self {
        let content = node.content.as_ref();
        Self {
            id: node.id,
            name: node.name.as_str().to_owned(),
            kind: node.kind,
            mime_type: content.map(|content| content.mime.clone()),
            size: content.map(|content| content.size),
            sha256: content.map(|content| content.sha256),
            parent_id: node.parent.filter(|_| sight.sees_parent),
            space_id: node.space,
            owner_id: node.owner,
            created_at: node.created_at,
            modified_at: node.modified_at,
            content_modified_at: content.map(|content| content.modified_at),
            version: content.map_or(1, |content| content.version),
            etag: preconditions::entity_tag(node, sight).to_string(),
            is_public: node.public.is_some(),
            trashed_at: node.trashed.map(|trashed| trashed.at),
            role: sight.role.word(),
            shared: node.shared,
            linked: node.linked || node.public.is_some(),
            starred: sight.starred,
            tags: node.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
            child_count: (node.kind == Kind::Folder).then_some(node.child_count),
            thumbnails: ThumbnailsView::of(node),
            media: content.and_then(|content| content.media.clone()).map(MediaView::from),
        }
    }
}

impl ThumbnailsView {
    pub(super) fn of(node: &Node) -> Self {
        let (state, reason) = node.content.as_ref().map_or((ThumbnailState::None, None), |content| {
            (content.thumbnails, content.thumbnails_reason.clone())
        });
        let sizes = match state {
            ThumbnailState::Pending | ThumbnailState::Ready => {
                ThumbnailSize::ALL.map(ThumbnailSize::pixels).to_vec()
            }
            ThumbnailState::None | ThumbnailState::Failed => Vec::new(),
        };
        Self { state, sizes, reason }
    }
}

/// The views of the nodes of a list, which look alike to the caller but for the stars.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn list(
    service: &FileService,
    actor: Actor,
    nodes: &[Node],
    sight: Sight,
) -> Result<Vec<FileView>, AppError> {
    let stars = marks::stars(service, actor, nodes).await?;
    let view = |node: &Node| FileView::of(node, Sight { starred: stars.contains(&node.id), ..sight });
    Ok(nodes.iter().map(view).collect())
}

/// An answer that is one file, with its `ETag`.
pub(crate) fn file(status: StatusCode, node: &Node, sight: Sight) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::ETAG, preconditions::entity_tag(node, sight).to_value()))
        .insert_header(PRIVATE)
        .json(FileView::of(node, sight))
}

/// The address of a new file, relative to that of the call that made it, so that it is right behind a gateway with a prefix too.
pub(super) fn location(way: &str, node: &Node) -> HeaderValue {
    HeaderValue::from_str(&format!("{way}{}", node.id)).expect("an id is hexadecimal digits")
}
