//! `/api/v1/files/{id}`: a file or folder itself; and making folders.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put, web};
use common::Code;
use common::files::{Action, InvalidName, Node, NodeName};
use http_kit::conditions::Verdict;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::marks::tags_at;
use super::view::{self, FileView};
use super::{operations, params, preconditions};
use crate::app::access::{Target, authorize, authorize_parent, sight_of};
use crate::app::journal::Recorder;
use crate::app::marks::{self, TagChange};
use crate::app::relocate::{Relocation, relocate};
use crate::app::{folders, public, trash};
use crate::state::FileService;

/// Largest JSON body that is read: a path of the greatest depth with the longest names, each byte escaped, stays below.
const BODY_BYTES: usize = 256 * 1024;

/// Shows a file or folder, also in the trash.
#[utoipa::path(
    operation_id = "getFile",
    tag = "files",
    params(("id" = String, Path, description = "Its id, or `root`")),
    responses(
        (status = 200, description = "The file or folder", body = FileView, headers(("ETag" = String))),
        (status = 304, description = "It is as `If-None-Match` says"),
        (status = 404, description = "`not_found`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/{id}")]
pub(super) async fn show(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let actor = params::actor(&caller);
    let node = authorize(&service, actor, Action::ReadMetadata, target).await?;
    let sight = marks::seen(&service, actor, node.node(), node.sight()).await?;
    match preconditions::of_read(&request, node.node(), sight) {
        Verdict::Proceed => Ok(view::file(StatusCode::OK, node.node(), sight)),
        Verdict::NotModified => Ok(HttpResponse::NotModified()
            .insert_header((header::ETAG, preconditions::entity_tag(node.node(), sight).to_value()))
            .insert_header(view::PRIVATE)
            .finish()),
        Verdict::PreconditionFailed => Err(Problem::new(Code::PreconditionFailed)),
    }
}

/// What shall be different.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateFile)]
pub(super) struct ChangeBody {
    /// The new name.
    name: Option<String>,
    /// The id of the new folder, or `root`.
    parent_id: Option<String>,
    /// Whether the caller's star is on it. It takes no more than that the caller may see it.
    starred: Option<bool>,
    /// Its tags from now on: at most 32 of at most 64 characters each, without control characters, and without white space at their ends. Of those that
    /// differ in case alone the first counts.
    #[schema(max_items = 32)]
    tags: Option<Vec<String>>,
}

/// Renames, moves, tags and stars a file or folder. What is not given stays. A new name and a new folder are one change; tags and star, each a change of
/// its own, follow it. `Operation-Id` names what undoes all of it.
#[utoipa::path(
    operation_id = "updateFile",
    tag = "files",
    params(
        ("id" = String, Path, description = "Its id"),
        ("If-Match" = Option<String>, Header, description = "Only if its tag is still this one"),
    ),
    request_body = ChangeBody,
    responses(
        (status = 200, description = "The file or folder as it is now", body = FileView, headers(("ETag" = String), ("Operation-Id" = String))),
        (status = 400, description = "`invalid_name`, `invalid_request`, `invalid_json`", body = ProblemDocument),
        (status = 403, description = "`forbidden`: the folder that it is in, or goes into, is not open to such a change", body = ProblemDocument),
        (status = 404, description = "`not_found`, `parent_not_found`", body = ProblemDocument),
        (status = 409, description = "`name_taken` (with `existingId`), `would_make_cycle`, `parent_not_folder`, `too_deep`, `root_is_fixed`; `too_many` tags", body = ProblemDocument),
        (status = 412, description = "`precondition_failed`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[patch("/{id}")]
pub(super) async fn change(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let actor = params::actor(&caller);
    let node = authorize(&service, actor, Action::ReadMetadata, target).await?.live()?;
    let body: ChangeBody = input::json(&request, payload, BODY_BYTES).await?;
    let change = Relocation {
        name: body.name.as_deref().map(|name| self::name("/name", name)).transpose()?,
        parent: body.parent_id.as_deref().map(|parent| params::parent(Some(parent))).transpose()?,
    };
    let tags = body.tags.as_deref().map(|tags| tags_at("/tags", tags)).transpose()?.map(TagChange::Set);
    let mut revision = preconditions::of_change(&request, node.node())?;
    // all that it takes is asked before anything is changed
    let relocates = change.name.is_some() || change.parent.is_some();
    let to_relocate = if relocates || (tags.is_none() && body.starred.is_none()) {
        Some(authorize(&service, actor, Action::Relocate, node.id()).await?)
    } else {
        None
    };
    let to_tag = if tags.is_some() {
        Some(authorize(&service, actor, Action::Change, node.id()).await?)
    } else {
        None
    };
    let mut changed = node.node().clone();
    let recorder = Recorder::begin(&service, actor)?;
    if let Some(node) = to_relocate {
        changed = relocate(&service, node, revision, &change, recorder.part(0)).await?;
        revision = revision.map(|_| changed.revision);
    }
    if let (Some(node), Some(tags)) = (to_tag, tags) {
        changed = marks::tag(&service, node, revision, &tags, recorder.part(1)).await?;
    }
    if let Some(starred) = body.starred {
        changed = marks::star(&service, &node, starred, recorder.part(2)).await?;
    }
    let sight = sight_of(&service, actor, &changed).await?;
    let sight = marks::seen(&service, actor, &changed, sight).await?;
    Ok(operations::told(view::file(StatusCode::OK, &changed, sight), recorder.operation()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveQuery {
    /// For good, instead of into the trash.
    #[serde(default)]
    permanent: bool,
}

/// Puts a file or folder into the trash, or deletes it for good.
#[utoipa::path(
    operation_id = "deleteFile",
    tag = "files",
    params(
        ("id" = String, Path, description = "Its id"),
        RemoveQuery,
        ("If-Match" = Option<String>, Header, description = "Only if its tag is still this one"),
    ),
    responses(
        (status = 204, description = "It is in the trash, or gone: at once for every caller, while its space is given back by a job", headers(("Operation-Id" = String))),
        (status = 403, description = "`forbidden`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`root_is_fixed`", body = ProblemDocument),
        (status = 412, description = "`precondition_failed`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[delete("/{id}")]
pub(super) async fn remove(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let query: RemoveQuery = input::query(&request)?;
    let actor = params::actor(&caller);
    let Target::Node(id) = target else {
        return Err(Problem::new(Code::RootIsFixed));
    };
    let mut operation = None;
    if query.permanent {
        let node = authorize(&service, actor, Action::Delete, id).await?;
        let revision = preconditions::of_change(&request, node.node())?;
        trash::delete(&service, &node, revision).await?;
    } else {
        let recorder = Recorder::begin(&service, actor)?;
        let check = |node: &Node| preconditions::of_change(&request, node);
        trash::trash(&service, actor, id, recorder.part(0), check).await?;
        operation = recorder.operation();
    }
    Ok(operations::told(HttpResponse::NoContent().finish(), operation))
}

/// The folder that shall be there: either by its name, or by a path of which all that is missing is made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateFolder)]
pub(super) struct FolderBody {
    /// The name of the new folder.
    name: Option<String>,
    /// Names with slashes between them, such as `a/b/c`.
    path: Option<String>,
    /// The id of the folder that it goes into; `root` if left out.
    parent_id: Option<String>,
}

/// Makes a folder, or all that is missing of a path of folders.
#[utoipa::path(
    operation_id = "createFolder",
    tag = "files",
    request_body = FolderBody,
    responses(
        (status = 201, description = "The new folder; for a path the last one", body = FileView, headers(("ETag" = String), ("Location" = String))),
        (status = 200, description = "All of the path was there", body = FileView, headers(("ETag" = String))),
        (status = 400, description = "`invalid_name`, `invalid_request`, `invalid_json`", body = ProblemDocument),
        (status = 404, description = "`parent_not_found`", body = ProblemDocument),
        (status = 409, description = "`name_taken` (with `existingId`), `parent_not_folder`, `too_deep`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("")]
pub(super) async fn create(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let body: FolderBody = input::json(&request, payload, BODY_BYTES).await?;
    let target = params::parent(body.parent_id.as_deref())?;
    let (node, created, sight) = match (body.name, body.path) {
        (Some(name), None) => {
            let name = self::name("/name", &name)?;
            let parent = authorize_parent(&service, params::actor(&caller), target).await?;
            (folders::create(&service, &parent, name).await?, true, parent.child_sight())
        }
        (None, Some(path)) => {
            let path = path.split('/').map(|step| name("/path", step)).collect::<ApiResult<Vec<_>>>()?;
            let start = authorize_parent(&service, params::actor(&caller), target).await?;
            let folder = folders::create_path(&service, &start, &path).await?;
            (folder.node, folder.created, start.child_sight())
        }
        (name, _) => {
            let (code, detail) = match name {
                Some(_) => ("ambiguous", "Give the name or the path, not both"),
                None => ("missing", "Give the name or the path of the folder"),
            };
            return Err(Problem::new(Code::InvalidRequest).detail(detail).field("/name", code, detail));
        }
    };
    if !created {
        let sight = marks::seen(&service, params::actor(&caller), &node, sight).await?;
        return Ok(view::file(StatusCode::OK, &node, sight));
    }
    let mut answer = view::file(StatusCode::CREATED, &node, sight);
    answer.headers_mut().insert(header::LOCATION, view::location("files/", &node));
    Ok(answer)
}

/// Brings a file or folder back from the trash into its old folder, under its old name, or a free one if that is taken. While that folder is in the
/// trash, into the nearest above it that is not: it returns to its folder when that is there again, unless it was moved or trashed meanwhile.
#[utoipa::path(
    operation_id = "restoreFile",
    tag = "trash",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The file or folder where it is now", body = FileView, headers(("ETag" = String), ("Operation-Id" = String))),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`not_in_trash`: it is not, or only because of a folder above it", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("/{id}/restore")]
pub(super) async fn restore(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let node = authorize(&service, params::actor(&caller), Action::Restore, target).await?;
    let recorder = Recorder::begin(&service, node.actor())?;
    let restored = trash::restore(&service, &node, recorder.part(0)).await?;
    let sight = marks::seen(&service, node.actor(), &restored, node.sight()).await?;
    Ok(operations::told(view::file(StatusCode::OK, &restored, sight), recorder.operation()))
}

/// Opens the content of a file to everybody (the classic publish). A public folder does not open what is in it.
#[utoipa::path(
    operation_id = "publishFile",
    tag = "files",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The file or folder as it is now", body = FileView, headers(("ETag" = String))),
        (status = 403, description = "`forbidden`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`root_is_fixed`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[put("/{id}/public")]
pub(super) async fn publish(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    set_public(&caller, &request, &service, true).await
}

/// Closes a file that was open to everybody (the classic unpublish).
#[utoipa::path(
    operation_id = "unpublishFile",
    tag = "files",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The file or folder as it is now", body = FileView, headers(("ETag" = String))),
        (status = 403, description = "`forbidden`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`root_is_fixed`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[delete("/{id}/public")]
pub(super) async fn unpublish(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    set_public(&caller, &request, &service, false).await
}

async fn set_public(
    caller: &Authenticated,
    request: &HttpRequest,
    service: &FileService,
    public: bool,
) -> ApiResult<HttpResponse> {
    let target = params::target(request, "id")?;
    let node = authorize(service, params::actor(caller), Action::Share, target).await?;
    if public {
        params::ends_with_it(caller, None)?;
    }
    let changed = public::set(service, &node, public).await?;
    let sight = marks::seen(service, node.actor(), &changed, node.sight()).await?;
    Ok(view::file(StatusCode::OK, &changed, sight))
}

pub(super) fn name(pointer: &str, text: &str) -> ApiResult<NodeName> {
    NodeName::parse(text).map_err(|error| {
        let code = match error {
            InvalidName::Empty => "empty",
            InvalidName::TooLong => "too_long",
            InvalidName::Separator => "separator",
            InvalidName::Control => "control_character",
            InvalidName::Dots => "reserved",
        };
        Problem::new(Code::InvalidName).detail(error.to_string()).field(pointer, code, error.to_string())
    })
}
