//! `/api/v1/files/{id}/entries`: what is in an archive.

use actix_web::{HttpRequest, HttpResponse, get, web};
use common::Timestamp;
use common::files::Action;
use entries::{Entry, Page};
use http_kit::cursor;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{params, view};
use crate::app::access::authorize;
use crate::app::{content, entries as archives};
use crate::state::FileService;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EntriesQuery {
    /// `nextCursor` of the page before; good for one content of the file.
    cursor: Option<String>,
    /// Most entries of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

/// One entry of an archive.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ArchiveEntry)]
pub(super) struct EntryView {
    /// Its path in the archive, without `.`, `..` and control characters. An archive may have several of the same path.
    path: String,
    /// `folder` or `file`.
    #[serde(rename = "type")]
    #[schema(example = "file")]
    kind: &'static str,
    /// Bytes of its content, as the archive says.
    size: u64,
    /// Bytes that they take in the archive; null where entries are not compressed one by one.
    packed_size: Option<u64>,
    /// When it was changed: RFC 3339, UTC; null where the archive says it without a time zone.
    #[schema(value_type = Option<String>, format = DateTime)]
    modified_at: Option<Timestamp>,
    /// Its content is encrypted.
    encrypted: bool,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let modified_at = entry.modified_at.and_then(|seconds| seconds.checked_mul(1000));
        Self {
            path: entry.path,
            kind: if entry.is_folder { "folder" } else { "file" },
            size: entry.size,
            packed_size: entry.packed,
            modified_at: modified_at.map(Timestamp::from_millis).filter(|at| *at < Timestamp::MAX),
            encrypted: entry.is_encrypted,
        }
    }
}

/// Entries of an archive, in its order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ArchiveEntryList)]
pub(super) struct EntriesView {
    /// A page may have fewer than asked for, with another one behind it.
    items: Vec<EntryView>,
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// How many there are in all; null where the archive does not say.
    #[schema(required = true)]
    total: Option<u64>,
}

/// Lists what is in a zip or tar, without unpacking any of it.
#[utoipa::path(
    operation_id = "listEntries",
    tag = "files",
    params(("id" = String, Path, description = "The file's id"), EntriesQuery),
    responses(
        (status = 200, description = "A page of the list", body = EntriesView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`not_a_file`", body = ProblemDocument),
        (status = 415, description = "`unsupported_media_type`: neither a zip nor a tar", body = ProblemDocument),
        (status = 422, description = "`unreadable_archive`: damaged, encrypted as a whole, in several files, or with more than a million entries or a path of more than 4096 bytes", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/{id}/entries")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let file = authorize(&service, params::actor(&caller), Action::ReadContent, target).await?;
    let query: EntriesQuery = input::query(&request)?;
    let limit = params::limit(query.limit)?;
    let content = content::of(&file)?;
    let bound_to = format!("entries {} {}", file.node().id, content.blob);
    let from: Option<u64> =
        query.cursor.map(|text| cursor::decode(&service.cursor_key, &bound_to, &text)).transpose()?;
    let Page { entries, next, total } = archives::list(&service, content, from.unwrap_or(0), limit).await?;
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(EntriesView {
        items: entries.into_iter().map(EntryView::from).collect(),
        next_cursor: next.map(|place| cursor::encode(&service.cursor_key, &bound_to, &place)),
        total,
    }))
}
