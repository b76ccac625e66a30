//! `/api/v1/files/{id}/children`: what is in a folder.

use actix_web::{HttpRequest, HttpResponse, get, web};
use common::Code;
use common::files::{Action, Kind, ListQuery, Node, Order, Page, Position, Sort};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::params;
use super::view::{self, FileView};
use crate::app::access::{Authorized, authorize};
use crate::app::listing;
use crate::state::FileService;

/// A page of a list of files.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FileList)]
pub(super) struct FileListView {
    /// The files and folders of this page.
    pub(super) items: Vec<FileView>,
    /// What to send as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    pub(super) next_cursor: Option<String>,
    /// How many there are in all.
    pub(super) total: u64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ChildrenQuery {
    /// What to sort by: `name` (natural order, the default), `size`, `modifiedAt` or `type`.
    #[param(value_type = Option<String>)]
    pub(super) sort: Option<Sort>,
    /// `asc` (the default) or `desc`.
    #[param(value_type = Option<String>)]
    pub(super) order: Option<Order>,
    /// Only this kind: `folder` or `file`.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>)]
    pub(super) kind: Option<Kind>,
    /// Folders before files whatever the order; true if left out.
    pub(super) folders_first: Option<bool>,
    /// `nextCursor` of the page before.
    pub(super) cursor: Option<String>,
    /// Leave out so many items, instead of a cursor: for scroll bars. Its cost grows with its value.
    pub(super) offset: Option<u64>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    pub(super) limit: Option<u32>,
}

/// Lists what is in a folder. A page ends at an item, not at a number: items that come or go before it move nothing.
#[utoipa::path(
    operation_id = "listChildren",
    tag = "files",
    params(("id" = String, Path, description = "The id of the folder, or `root`"), ChildrenQuery),
    responses(
        (status = 200, description = "A page of the list", body = FileListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`not_a_folder`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/{id}/children")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let folder = authorize(&service, params::actor(&caller), Action::List, target).await?.folder()?;
    let query: ChildrenQuery = input::query(&request)?;
    let (page, next_cursor) = page(&service, &folder, &query).await?;
    let items = view::list(&service, folder.actor(), &page.items, folder.child_sight()).await?;
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(FileListView {
        items,
        next_cursor,
        total: page.total,
    }))
}

/// A page of what is in a folder, and the cursor of the next one.
pub(super) async fn page(
    service: &FileService,
    folder: &Authorized,
    query: &ChildrenQuery,
) -> ApiResult<(Page<Node>, Option<String>)> {
    let mut wanted = ListQuery {
        sort: query.sort.unwrap_or(Sort::Name),
        order: query.order.unwrap_or(Order::Asc),
        folders_first: query.folders_first.unwrap_or(true),
        kind: query.kind,
        after: None,
        offset: query.offset.unwrap_or(0),
        limit: params::limit(query.limit)?,
    };
    let bound_to = bound_to(folder, &wanted);
    if let Some(cursor) = &query.cursor {
        if query.offset.is_some() {
            let detail = "Give a cursor or an offset, not both";
            return Err(Problem::new(Code::InvalidRequest).detail(detail).field(
                "?offset",
                "ambiguous",
                detail,
            ));
        }
        wanted.after = Some(cursor::decode(&service.cursor_key, &bound_to, cursor)?);
    }
    let page = listing::children(service, folder, &wanted).await?;
    let last = page.items.last().filter(|_| page.more);
    let next_cursor =
        last.map(|node| cursor::encode(&service.cursor_key, &bound_to, &Position::of(node, wanted.sort)));
    Ok((page, next_cursor))
}

/// Names the list that a cursor belongs to.
fn bound_to(folder: &Authorized, wanted: &ListQuery) -> String {
    format!(
        "children {} {} {:?} {:?} {} {:?}",
        folder.id(),
        folder.by(),
        wanted.sort,
        wanted.order,
        wanted.folders_first,
        wanted.kind
    )
}
