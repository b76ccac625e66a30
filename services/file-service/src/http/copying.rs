//! `/api/v1/files/{id}/copy`.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, post, web};
use common::files::Action;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, input};
use serde::Deserialize;
use utoipa::ToSchema;

use super::content::OnConflictWord;
use super::operations::OperationView;
use super::view::{self, FileView};
use super::{files, params};
use crate::app::access::{authorize, authorize_parent};
use crate::app::copying::{self, Outcome};
use crate::app::marks;
use crate::state::FileService;

/// Largest JSON body.
const BODY_BYTES: usize = 16 * 1024;

/// After so many seconds an operation may have come further.
const LOOK_AGAIN_SECONDS: u32 = 2;

/// Where the copy goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CopyFile)]
pub(super) struct CopyBody {
    /// The id of the folder that it goes into; `root` if left out.
    parent_id: Option<String>,
    /// The name of the copy; that of the original if left out.
    name: Option<String>,
    /// What to do if the name is taken: `fail` (the default), `rename` to the next free one, or `replace` the content of the file that has it. A folder
    /// is never replaced.
    on_conflict: Option<OnConflictWord>,
}

/// Copies a file or folder. The copy shares the contents of the original, so no bytes move; it has the tags of the original, its own id and times, and
/// nothing that opens the original to others. A folder with more than 1,000 files and folders in it, on all levels, is copied by an operation that goes on after
/// the answer, which comes at once; so is one whose copy takes longer than three seconds.
#[utoipa::path(
    operation_id = "copyFile",
    tag = "organising",
    params(("id" = String, Path, description = "Its id")),
    request_body = CopyBody,
    responses(
        (status = 201, description = "The copy", body = FileView, headers(("ETag" = String), ("Location" = String))),
        (status = 200, description = "The file whose content was replaced", body = FileView, headers(("ETag" = String))),
        (status = 202, description = "The operation, which goes on", body = OperationView, headers(("Location" = String), ("Retry-After" = u32))),
        (status = 400, description = "`invalid_name`, `invalid_request`, `invalid_json`", body = ProblemDocument),
        (status = 403, description = "`forbidden`: the folder that it goes into is closed to such a change", body = ProblemDocument),
        (status = 404, description = "`not_found`, `parent_not_found`", body = ProblemDocument),
        (status = 409, description = "`name_taken` (with `existingId`), `would_make_cycle`, `parent_not_folder`, `too_deep`, `root_is_fixed`, `conflict`", body = ProblemDocument),
        (status = 507, description = "`quota_exceeded`; what was copied of a folder until then is in the trash. Of a copy that goes on after the answer, its operation says so", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("/{id}/copy")]
pub(super) async fn copy(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let actor = params::actor(&caller);
    let source = authorize(&service, actor, Action::ReadContent, target).await?.live()?;
    let body: CopyBody = input::json(&request, payload, BODY_BYTES).await?;
    let name = body.name.as_deref().map(|name| files::name("/name", name)).transpose()?;
    let parent = authorize_parent(&service, actor, params::parent(body.parent_id.as_deref())?).await?;
    let sight = parent.child_sight();
    let on_conflict = body.on_conflict.unwrap_or_default().into();
    let service = service.into_inner();
    let patience = service.settings.copy_patience;
    match copying::copy(&service, &source, &parent, name.as_ref(), on_conflict, patience).await? {
        Outcome::Copied(committed) => {
            let sight = marks::seen(&service, actor, &committed.node, sight).await?;
            if !committed.created {
                return Ok(view::file(StatusCode::OK, &committed.node, sight));
            }
            let mut answer = view::file(StatusCode::CREATED, &committed.node, sight);
            // from `…/files/{id}/copy`
            answer.headers_mut().insert(header::LOCATION, view::location("../", &committed.node));
            Ok(answer)
        }
        Outcome::Running(operation) => Ok(HttpResponse::Accepted()
            .insert_header(view::PRIVATE)
            .insert_header((header::LOCATION, format!("../../operations/{}", operation.id)))
            .insert_header((header::RETRY_AFTER, LOOK_AGAIN_SECONDS))
            .json(OperationView::of_copy(&operation))),
    }
}
