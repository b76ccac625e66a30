//! `/api/v1/files/{id}/path`: the way to a node.

use actix_web::{HttpRequest, HttpResponse, get, web};
use common::FileId;
use common::files::{Action, NodeName};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated};
use serde::Serialize;
use utoipa::ToSchema;

use super::{params, view};
use crate::app::access::authorize;
use crate::app::listing;
use crate::state::FileService;

/// The way from the root to a node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Path)]
pub(super) struct PathView {
    /// From the root down to the node itself.
    items: Vec<CrumbView>,
}

/// One step of the way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Crumb)]
pub(super) struct CrumbView {
    /// The id of the folder, or of the node itself.
    #[schema(value_type = String)]
    id: FileId,
    /// Its name; empty for the root.
    name: String,
}

impl CrumbView {
    pub(super) fn new(id: FileId, name: &NodeName) -> Self {
        Self { id, name: name.as_str().to_owned() }
    }
}

/// Shows the way from the root folder down to a file or folder.
#[utoipa::path(
    operation_id = "getPath",
    tag = "files",
    params(("id" = String, Path, description = "Its id, or `root`")),
    responses(
        (status = 200, description = "The steps of the way, the node itself last", body = PathView),
        (status = 404, description = "`not_found`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/{id}/path")]
pub(super) async fn show(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let node = authorize(&service, params::actor(&caller), Action::ReadMetadata, target).await?.live()?;
    let steps = listing::way_to(&node).into_iter();
    let items = steps.map(|(id, name)| CrumbView::new(id, &name)).collect();
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(PathView { items }))
}
