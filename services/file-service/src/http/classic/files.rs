//! `/files` and `/files/:id`: showing, listing, opening to everybody, and (an extension) putting into the trash.

use actix_web::{HttpRequest, HttpResponse, delete, get, put, web};
use common::files::{Action, Actor, Kind};
use common::{Code, FileId};
use http_kit::{Authenticated, ClassicError, ClassicResult};
use url::form_urlencoded;

use super::object::{self, FileObject};
use super::{Failure, node};
use crate::app::access::{Target, authorize};
use crate::app::journal::Recorder;
use crate::app::{listing, public, trash};
use crate::http::{params, view};
use crate::state::FileService;

/// Shows a file of the caller's own.
#[utoipa::path(
    operation_id = "classicShow",
    tag = "classic",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The file", body = FileObject),
        (status = 401, description = "`Unauthorized`", body = Failure),
        (status = 404, description = "`Not found`, also for somebody else's, public or not", body = Failure),
    ),
    security(("token" = []), ("bearer" = []))
)]
#[get("/files/{id}")]
pub(super) async fn show(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ClassicResult<HttpResponse> {
    let node = node(&service, params::actor(&caller), Action::ReadMetadata, &request).await?;
    let object = FileObject::new(node.node(), object::parent_of(&node));
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(object))
}

/// Lists what is in a folder of the caller's own, newest first, twenty at a time.
#[utoipa::path(
    operation_id = "classicList",
    tag = "classic",
    params(
        ("parentId" = Option<String>, Query, description = "The folder; the root if left out, empty or 0"),
        ("page" = Option<String>, Query, description = "Which page, from 0; what is no number is 0"),
    ),
    responses(
        (status = 200, description = "At most twenty files; none for a folder that there is not", body = [FileObject]),
        (status = 401, description = "`Unauthorized`", body = Failure),
    ),
    security(("token" = []), ("bearer" = []))
)]
#[get("/files")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ClassicResult<HttpResponse> {
    let query = ListQuery::read(request.query_string());
    let objects = match query.folder {
        Some(folder) => page(&service, params::actor(&caller), folder, query.page).await?,
        None => Vec::new(),
    };
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(objects))
}

async fn page(
    service: &FileService,
    actor: Actor,
    folder: Target,
    page: u64,
) -> ClassicResult<Vec<FileObject>> {
    let folder = match authorize(service, actor, Action::List, folder).await {
        Ok(folder) if folder.node().kind == Kind::Folder => folder,
        Ok(_) => return Ok(Vec::new()),
        Err(error) if error.code() == Code::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let parent = object::child_of(&folder);
    let nodes = listing::classic_page(service, &folder, page).await?;
    Ok(nodes.iter().map(|node| FileObject::new(node, parent)).collect())
}

#[derive(Debug, PartialEq, Eq)]
struct ListQuery {
    /// None for what cannot be a folder.
    folder: Option<Target>,
    page: u64,
}

impl ListQuery {
    /// Reads a query in which nothing is an error.
    fn read(query: &str) -> Self {
        let mut read = Self { folder: Some(Target::Root), page: 0 };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "parentId" => {
                    read.folder = match &*value {
                        "" | "0" => Some(Target::Root),
                        text => FileId::parse(text).ok().map(Target::Node),
                    }
                }
                "page" => read.page = page_number(&value),
                _ => {}
            }
        }
        read
    }
}

/// The whole part of a number that is not negative; else 0.
fn page_number(text: &str) -> u64 {
    let text = text.trim();
    // words such as `inf` and `nan` are numbers to Rust, but not here
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '.') {
        return 0;
    }
    // a number that is too large ends at the last page there can be, which is empty
    text.parse::<f64>().map_or(0, |number| number as u64)
}

/// Opens a file of the caller's own to everybody. Repeating it changes nothing.
#[utoipa::path(
    operation_id = "classicPublish",
    tag = "classic",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The file as it is now", body = FileObject),
        (status = 401, description = "`Unauthorized`", body = Failure),
        (status = 404, description = "`Not found`", body = Failure),
    ),
    security(("token" = []), ("bearer" = []))
)]
#[put("/files/{id}/publish")]
pub(super) async fn publish(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ClassicResult<HttpResponse> {
    set_public(&caller, &request, &service, true).await
}

/// Closes a file that was open to everybody. Repeating it changes nothing.
#[utoipa::path(
    operation_id = "classicUnpublish",
    tag = "classic",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The file as it is now", body = FileObject),
        (status = 401, description = "`Unauthorized`", body = Failure),
        (status = 404, description = "`Not found`", body = Failure),
    ),
    security(("token" = []), ("bearer" = []))
)]
#[put("/files/{id}/unpublish")]
pub(super) async fn unpublish(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ClassicResult<HttpResponse> {
    set_public(&caller, &request, &service, false).await
}

async fn set_public(
    caller: &Authenticated,
    request: &HttpRequest,
    service: &FileService,
    public: bool,
) -> ClassicResult<HttpResponse> {
    let node = node(service, params::actor(caller), Action::Share, request).await?;
    if public {
        params::ends_with_it(caller, None)?;
    }
    let changed = public::set(service, &node, public).await?;
    let object = FileObject::new(&changed, object::parent_of(&node));
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(object))
}

/// Puts a file of the caller's own into the trash. An extension: the original has no way to delete.
#[utoipa::path(
    operation_id = "classicDelete",
    tag = "classic",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 204, description = "It is in the trash"),
        (status = 401, description = "`Unauthorized`", body = Failure),
        (status = 404, description = "`Not found`", body = Failure),
    ),
    security(("token" = []), ("bearer" = []))
)]
#[delete("/files/{id}")]
pub(super) async fn remove(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ClassicResult<HttpResponse> {
    let actor = params::actor(&caller);
    let node = node(&service, actor, Action::Trash, &request).await?;
    let recorder = Recorder::begin(&service, actor).map_err(ClassicError::from)?;
    trash::trash(&service, actor, node.id(), recorder.part(0), |_| Ok(None))
        .await
        .map_err(ClassicError::from)?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_numbers_or_the_first() {
        for (text, page) in [
            ("", 0),
            ("0", 0),
            ("1", 1),
            (" 2 ", 2),
            ("+3", 3),
            ("1.9", 1),
            ("-1", 0),
            ("-9223372036854775808", 0),
            ("abc", 0),
            ("1abc", 0),
            ("nan", 0),
            ("inf", 0),
            ("٣", 0),
            ("99999999999999999999999", u64::MAX),
        ] {
            assert_eq!(page_number(text), page, "{text:?}");
        }
    }

    #[test]
    fn no_query_is_an_error() {
        let id = "5f1e8896c7ba06511e683b25";
        let node = Some(Target::Node(FileId::parse(id).unwrap()));
        for (query, folder, page) in [
            (String::new(), Some(Target::Root), 0),
            ("parentId=&page=".into(), Some(Target::Root), 0),
            ("parentId=0&page=1".into(), Some(Target::Root), 1),
            (format!("page=2&parentId={id}"), node, 2),
            ("parentId=%00".into(), None, 0),
            ("parentId=1".into(), None, 0),
            (format!("parentId={id}0"), None, 0),
            (format!("parentId[]={id}"), Some(Target::Root), 0),
            ("%%%&&=&page".into(), Some(Target::Root), 0),
        ] {
            assert_eq!(ListQuery::read(&query), ListQuery { folder, page }, "{query:?}");
        }
    }
}
