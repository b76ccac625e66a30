//! `/api/v1/activity`: what happened to files.

use actix_web::{HttpRequest, HttpResponse, get, web};
use common::files::{FileEvent, FileEventKind};
use common::{Code, FileId, LinkId, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{params, view};
use crate::app::access::Target;
use crate::app::activity;
use crate::app::sharing::own_space;
use crate::state::FileService;

/// Something that happened to a file or folder. Folders that the caller may not know of are null.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FileEvent)]
pub(super) struct FileEventView {
    /// Its id, the same wherever it is told.
    id: String,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(value_type = FileEventTypeName)]
    kind: FileEventKind,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The file or folder, which may be gone.
    #[schema(value_type = String)]
    file_id: FileId,
    /// `file` or `folder`.
    file_type: &'static str,
    /// Its name since then.
    name: String,
    /// Its folder since then; of what was trashed or deleted, where it was.
    #[schema(required = true, value_type = Option<String>)]
    parent_id: Option<FileId>,
    /// Its name before, if it got another name or folder; else null.
    #[schema(required = true)]
    old_name: Option<String>,
    /// Its folder before, if it got another name or folder; else null.
    #[schema(required = true, value_type = Option<String>)]
    old_parent_id: Option<FileId>,
    /// In whose name it was done; null where the product did it by itself.
    #[schema(required = true, value_type = Option<String>)]
    user_id: Option<UserId>,
    /// The link by which it was done, if it was by one: then `userId` made that.
    #[schema(required = true, value_type = Option<String>)]
    link_id: Option<LinkId>,
}

#[derive(ToSchema)]
#[schema(as = FileEventType, rename_all = "lowercase")]
#[allow(dead_code, reason = "stands for common's type in the document alone")]
enum FileEventTypeName {
    Created,
    Updated,
    Renamed,
    Moved,
    Tagged,
    Trashed,
    Restored,
    Deleted,
    Shared,
    Unshared,
    Linked,
    Unlinked,
}

impl From<FileEvent> for FileEventView {
    fn from(event: FileEvent) -> Self {
        let id = event.id();
        let (old_name, old_parent_id) = event.before.map_or((None, None), |was| (Some(was.name), was.parent));
        Self {
            id,
            kind: event.kind,
            at: event.at,
            file_id: event.node,
            file_type: if event.folder { "folder" } else { "file" },
            name: event.place.name,
            parent_id: event.place.parent,
            old_name,
            old_parent_id,
            user_id: event.user,
            link_id: event.link,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ActivityQuery {
    /// Only what happened to this file or folder itself; the whole of the caller's own files if left out.
    file: Option<String>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

/// A page of what happened. Nobody counts how much there is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FileEventList)]
pub(super) struct ActivityView {
    /// Newest first.
    items: Vec<FileEventView>,
    /// What to send as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// Lists what happened, the latest first: to one file or folder, for whoever may see it; or to all that is, or was, among the caller's own files. What lies
/// in a folder that is copied, trashed or deleted is not told of one by one. Whom a file was opened to is told to those who may share it. It is kept for
/// 90 days, unless the settings say otherwise.
#[utoipa::path(
    operation_id = "listActivity",
    tag = "organising",
    params(ActivityQuery),
    responses(
        (status = 200, description = "A page of the list", body = ActivityView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/activity")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let query: ActivityQuery = input::query(&request)?;
    let actor = params::actor(&caller);
    let bound_to = format!("activity {actor:?} {:?}", query.file);
    let before: Option<u64> = query
        .cursor
        .as_deref()
        .map(|text| cursor::decode(&service.cursor_key, &bound_to, text))
        .transpose()?;
    let limit = params::limit(query.limit)?;
    let (events, more) = match query.file.as_deref() {
        Some(file) => activity::of_node(&service, actor, target(file)?, before, limit).await?,
        None => {
            let space = own_space(&service, params::whole(&caller)?).await?;
            activity::of_space(&service, space, before, limit).await?
        }
    };
    let last = events.last().filter(|_| more).map(|event| event.seq);
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(ActivityView {
        items: events.into_iter().map(FileEventView::from).collect(),
        next_cursor: last.map(|seq| cursor::encode(&service.cursor_key, &bound_to, &seq)),
    }))
}

fn target(text: &str) -> ApiResult<Target> {
    match text {
        params::ROOT => Ok(Target::Root),
        _ => FileId::parse(text).map(Target::Node).map_err(|_| Problem::new(Code::NotFound)),
    }
}
