//! An upload as clients see it.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use common::files::{Actor, Committed, NodeName, Upload, UploadRole, UploadState};
use common::{Code, FileId, Timestamp, UploadId};
use serde::Serialize;
use utoipa::ToSchema;

use super::party::Party;
use super::protocol::{
    FILE_ID, INTEROP, INTEROP_VERSION, TUS_RESUMABLE, TUS_VERSION, UPLOAD_COMPLETE, UPLOAD_CONCAT,
    UPLOAD_DEFER_LENGTH, UPLOAD_EXPIRES, UPLOAD_LENGTH, UPLOAD_LIMIT, UPLOAD_METADATA, UPLOAD_OFFSET,
    concat_field, is_complete, limit_field,
};
use crate::app::access::sight_of;
use crate::app::marks;
use crate::error::AppError;
use crate::http::public::view::{PublicUploadView, ReceiptView};
use crate::http::view::FileView;
use crate::state::FileService;

/// Nobody may keep what an upload looked like.
pub(super) const NO_STORE: (HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

/// An upload that comes in several goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Upload)]
pub(super) struct UploadView {
    /// Its id.
    #[schema(value_type = String, example = "5f1e8896c7ba06511e683b25")]
    id: UploadId,
    /// `open` while bytes are missing, `complete` when all are there (a part stays so, a file waits for a name that is free), `done` when it is a file.
    #[schema(value_type = String, example = "open")]
    state: &'static str,
    /// `whole` for a file, `part` for a part of one, `final` for what is made of parts.
    #[schema(value_type = String, example = "whole")]
    role: &'static str,
    /// The folder that the file will be in.
    #[schema(value_type = String)]
    folder_id: FileId,
    /// The name that the file will have; null for a part without one.
    #[schema(required = true)]
    name: Option<String>,
    /// What is done if the name is taken then: `fail`, `rename` or `replace`.
    #[schema(value_type = String, example = "fail")]
    on_conflict: &'static str,
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
    /// The file that it has become.
    #[schema(required = true, value_type = Option<String>)]
    file_id: Option<FileId>,
}

impl UploadView {
    pub(super) fn of(upload: &Upload) -> Self {
        Self {
            id: upload.id,
            state: state_word(upload),
            role: role_word(upload),
            folder_id: upload.parent,
            name: upload.name.as_ref().map(|name| NodeName::as_str(name).to_owned()),
            on_conflict: upload.on_conflict.word(),
            length: upload.length,
            offset: upload.offset(),
            created_at: upload.created_at,
            expires_at: upload.expires_at,
            file_id: file_of(upload),
        }
    }
}

pub(in crate::http) const fn state_word(upload: &Upload) -> &'static str {
    match upload.state {
        UploadState::Open => "open",
        UploadState::Complete => "complete",
        UploadState::Done(_) => "done",
    }
}

pub(in crate::http) const fn role_word(upload: &Upload) -> &'static str {
    match upload.role {
        UploadRole::Whole => "whole",
        UploadRole::Part => "part",
        UploadRole::Final(_) => "final",
    }
}

/// A page of a list of uploads.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UploadList)]
pub(super) struct UploadListView {
    /// The uploads of this page.
    pub(super) items: Vec<UploadView>,
    /// What to send as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    pub(super) next_cursor: Option<String>,
}

/// The upload, as its uploader sees it.
///
/// # Errors
/// Those of the store alone.
pub(super) async fn shown(
    service: &FileService,
    party: &Party,
    upload: &Upload,
) -> Result<HttpResponse, AppError> {
    let mut answer = HttpResponse::Ok();
    answer.insert_header(NO_STORE);
    Ok(match party {
        Party::Account(..) => answer.json(UploadView::of(upload)),
        Party::Visitor(visit) => answer.json(PublicUploadView::of(service, visit, upload).await?),
    })
}

fn file_of(upload: &Upload) -> Option<FileId> {
    match upload.state {
        UploadState::Done(file) => Some(file),
        UploadState::Open | UploadState::Complete => None,
    }
}

/// Where an upload stands; none for one that is made of parts until that was done.
fn told_offset(upload: &Upload) -> Option<u64> {
    let is_known = !matches!(upload.role, UploadRole::Final(_)) || is_complete(upload);
    is_known.then(|| upload.offset())
}

fn file_field(answer: &mut HttpResponseBuilder, party: &Party, upload: &Upload) {
    if let Some(file) = file_of(upload).filter(|_| party.sees_files()) {
        answer.insert_header((FILE_ID, file.to_string()));
    }
}

/// An answer that says by tus where an upload stands.
pub(super) fn tus(party: &Party, status: StatusCode, upload: &Upload) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((TUS_RESUMABLE, TUS_VERSION)).insert_header(NO_STORE);
    if let Some(offset) = told_offset(upload) {
        answer.insert_header((UPLOAD_OFFSET, offset));
    }
    if !is_complete(upload) {
        let seconds = u64::try_from(upload.expires_at.seconds()).unwrap_or_default();
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        answer.insert_header((UPLOAD_EXPIRES, httpdate::fmt_http_date(at)));
    }
    file_field(&mut answer, party, upload);
    answer
}

/// [`tus`] with all that a client may ask of an upload.
pub(super) fn tus_whole(party: &Party, upload: &Upload) -> HttpResponse {
    let mut answer = tus(party, StatusCode::OK, upload);
    match upload.length {
        Some(length) => answer.insert_header((UPLOAD_LENGTH, length)),
        None => answer.insert_header((UPLOAD_DEFER_LENGTH, "1")),
    };
    if let Some(metadata) = &upload.metadata {
        answer.insert_header((UPLOAD_METADATA, metadata.as_str()));
    }
    if let Some(concat) = concat_field(upload) {
        answer.insert_header((UPLOAD_CONCAT, concat));
    }
    answer.finish()
}

/// An answer that says by the draft where an upload stands.
pub(super) fn draft(
    service: &FileService,
    party: &Party,
    status: StatusCode,
    upload: &Upload,
) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header(NO_STORE)
        .insert_header((INTEROP, INTEROP_VERSION))
        .insert_header((UPLOAD_COMPLETE, if is_complete(upload) { "?1" } else { "?0" }));
    if let Some(offset) = told_offset(upload) {
        answer.insert_header((UPLOAD_OFFSET, offset));
    }
    if let Some(length) = upload.length {
        answer.insert_header((UPLOAD_LENGTH, length));
    }
    if !is_complete(upload) {
        let left = upload.expires_at.since(service.clock.now()).as_secs();
        answer.insert_header((UPLOAD_LIMIT, limit_field(service.settings.max_upload_bytes, left)));
    }
    file_field(&mut answer, party, upload);
    answer
}

/// The answer to who did not hear that an upload has become this file, as [`draft_done`] gives it.
///
/// # Errors
/// `not_found` if the file is gone, or the sender must not see it any more.
pub(super) async fn draft_earlier(
    service: &FileService,
    party: &Party,
    upload: &Upload,
    file: FileId,
    way: &str,
) -> Result<HttpResponse, AppError> {
    if let Party::Visitor(visit) = party {
        let status = if file == upload.file { StatusCode::CREATED } else { StatusCode::OK };
        let receipt = ReceiptView::of_upload(service, visit, upload).await?;
        return Ok(draft(service, party, status, upload).json(receipt));
    }
    let path = service.store.find_path(file).await?.ok_or_else(|| AppError::refused(Code::NotFound))?;
    let committed = Committed { node: path.node, created: file == upload.file };
    draft_done(service, party, upload, &committed, way).await
}

/// The answer to the last bytes: the file, and by a link the receipt. `way` leads from the request's address to `/api/v1/`.
///
/// # Errors
/// `not_found` if the sender must not see it any more.
pub(super) async fn draft_done(
    service: &FileService,
    party: &Party,
    upload: &Upload,
    committed: &Committed,
    way: &str,
) -> Result<HttpResponse, AppError> {
    let status = if committed.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut answer = draft(service, party, status, upload);
    let user = match party {
        Party::Account(user, _) => *user,
        Party::Visitor(visit) => {
            return Ok(answer.json(ReceiptView::of_upload(service, visit, upload).await?));
        }
    };
    let actor = Actor::User(user);
    let sight = sight_of(service, actor, &committed.node).await?;
    let sight = marks::seen(service, actor, &committed.node, sight).await?;
    if committed.created {
        answer.insert_header((header::LOCATION, format!("{way}files/{}", committed.node.id)));
    }
    Ok(answer.json(FileView::of(&committed.node, sight)))
}
