//! `/api/v1/trash`.

use actix_web::{HttpRequest, HttpResponse, delete, get, web};
use common::files::Action;
use common::{FileId, Timestamp};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::children::FileListView;
use super::params;
use super::view;
use crate::app::access::{Target, authorize};
use crate::app::trash;
use crate::state::FileService;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TrashQuery {
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

/// Where a page of the trash ended.
#[derive(Debug, Serialize, Deserialize)]
struct TrashPosition {
    #[serde(rename = "t")]
    at: Timestamp,
    #[serde(rename = "i")]
    id: FileId,
}

/// Lists what was put into the trash, newest first: not what lies inside of it.
#[utoipa::path(
    operation_id = "listTrash",
    tag = "trash",
    params(TrashQuery),
    responses(
        (status = 200, description = "A page of the list", body = FileListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/trash")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let root = authorize(&service, params::actor(&caller), Action::List, Target::Root).await?;
    let query: TrashQuery = input::query(&request)?;
    let limit = params::limit(query.limit)?;
    let bound_to = format!("trash {}", root.space());
    let after = match &query.cursor {
        Some(text) => {
            let position: TrashPosition = cursor::decode(&service.cursor_key, &bound_to, text)?;
            Some((position.at, position.id))
        }
        None => None,
    };
    let page = trash::list(&service, &root, after, limit).await?;
    let last = page.items.last().filter(|_| page.more).and_then(|node| Some((node.id, node.trashed?.at)));
    let next_cursor =
        last.map(|(id, at)| cursor::encode(&service.cursor_key, &bound_to, &TrashPosition { at, id }));
    let items = view::list(&service, root.actor(), &page.items, root.child_sight()).await?;
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(FileListView {
        items,
        next_cursor,
        total: page.total,
    }))
}

/// Empties the trash: what is in it now is deleted for good. A small trash is empty when the answer comes; a large one soon after.
#[utoipa::path(
    operation_id = "emptyTrash",
    tag = "trash",
    responses(
        (status = 202, description = "It is being emptied"),
        (status = 503, description = "`unavailable`: some of it may still be there; repeat the call", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[delete("/api/v1/trash")]
pub(super) async fn empty(caller: Authenticated, service: web::Data<FileService>) -> ApiResult<HttpResponse> {
    let root = authorize(&service, params::actor(&caller), Action::Delete, Target::Root).await?;
    trash::empty(service.into_inner(), &root).await?;
    Ok(HttpResponse::Accepted().finish())
}
