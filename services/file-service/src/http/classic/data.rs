//! `GET /files/:id/data`: the bytes, for their owner, and for everybody once the file is public.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, get, head, web};
use common::Code;
use common::files::{Action, Actor, BlobRange, ClassicType, Content, Node, NodeName, ThumbnailSize};
use http_kit::disposition::Disposition;
use http_kit::{ClassicError, ClassicResult, MaybeAuthenticated, Problem, ranges};
use url::form_urlencoded;

use super::mime::{self, ByName};
use super::{Failure, node, object};
use crate::app::access::Authorized;
use crate::app::content::{self, Part};
use crate::app::thumbnails::{self, Found};
use crate::app::watch::Pass;
use crate::http::content::Way;
use crate::http::{content as contents, params, thumbnails as pictures};
use crate::state::FileService;

/// Sends the content of a file, or with `size` its thumbnail. Ranges and conditions work as in any static file server.
#[utoipa::path(
    operation_id = "classicData",
    tag = "classic",
    params(
        ("id" = String, Path, description = "Its id"),
        ("size" = Option<String>, Query, description = "The thumbnail of an image in this width: 500, 250 or 100; never enlarged"),
    ),
    responses(
        (status = 200, description = "The bytes. The type is that of the name", content_type = "application/octet-stream"),
        (status = 206, description = "The part asked for", content_type = "application/octet-stream"),
        (status = 304, description = "It has not changed"),
        (status = 400, description = "`A folder doesn't have content`", body = Failure),
        (status = 404, description = "`Not found`, also for somebody else's that is not public, and for a thumbnail that there is not", body = Failure),
        (status = 416, description = "The range lies outside the content", body = Failure),
    ),
    security((), ("token" = []), ("bearer" = []))
)]
#[get("/files/{id}/data")]
pub(super) async fn show(
    caller: MaybeAuthenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ClassicResult<HttpResponse> {
    answer(caller, &request, &service).await
}

/// As `GET`, without the bytes.
#[utoipa::path(
    operation_id = "classicDataHead",
    tag = "classic",
    params(("id" = String, Path, description = "Its id"), ("size" = Option<String>, Query, description = "As for `GET`")),
    responses(
        (status = 200, description = "What `GET` would say"),
        (status = 400, description = "A folder has no content"),
        (status = 404, description = "There is no such content"),
    ),
    security((), ("token" = []), ("bearer" = []))
)]
#[head("/files/{id}/data")]
pub(super) async fn describe(
    caller: MaybeAuthenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ClassicResult<HttpResponse> {
    answer(caller, &request, &service).await
}

async fn answer(
    caller: MaybeAuthenticated,
    request: &HttpRequest,
    service: &FileService,
) -> ClassicResult<HttpResponse> {
    let actor = caller.0.as_ref().map_or(Actor::Anonymous, params::actor);
    let pass = caller.0.map_or(Pass::Free, |caller| params::pass(request, &caller));
    let file = node(service, actor, Action::ReadContent, request).await?;
    let Some(content) = &file.node().content else {
        return Err(ClassicError::bad_request("A folder doesn't have content"));
    };
    match size(request.query_string()) {
        Size::Original => original(service, request, &file, content, pass).await,
        Size::Thumbnail(size) => thumbnail(service, request, &file, size).await,
        Size::Unknown => Err(ClassicError::not_found()),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Size {
    Original,
    Thumbnail(ThumbnailSize),
    /// There is no such size.
    Unknown,
}

/// The asked size. Of several the last counts; an empty one asks for nothing.
fn size(query: &str) -> Size {
    let asked = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "size").last();
    match asked.as_ref().map(|(_, value)| &**value) {
        None | Some("") => Size::Original,
        Some(word @ ("500" | "250" | "100")) => {
            word.parse().ok().and_then(ThumbnailSize::of).map_or(Size::Unknown, Size::Thumbnail)
        }
        Some(_) => Size::Unknown,
    }
}

async fn original(
    service: &FileService,
    request: &HttpRequest,
    file: &Authorized,
    content: &Content,
    pass: Pass,
) -> ClassicResult<HttpResponse> {
    let node = as_named(file.node());
    let sent = async {
        let kind = content_type(service, node.name.as_str(), content).await?;
        let way = Way::Pass(pass);
        contents::send(service, request, file, &node, content, &kind, Disposition::Inline, way).await
    };
    match sent.await {
        Ok(response) => Ok(response),
        Err(problem) if problem.code() == Code::Internal && is_missing(service, content).await? => {
            Err(ClassicError::not_found())
        }
        Err(problem) => Ok(failure(problem, content)),
    }
}

/// A failure in the classic form, with the field that a range which cannot be met wants.
fn failure(problem: Problem, content: &Content) -> HttpResponse {
    let code = problem.code();
    let mut response = ClassicError::from(problem).error_response();
    if code == Code::RangeNotSatisfiable
        && let Ok(range) = HeaderValue::from_str(&ranges::unsatisfied(content.size))
    {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}

/// The node under the name that it has here, which is that of a download too.
fn as_named(node: &Node) -> Node {
    let name = NodeName::parse(object::name(node)).unwrap_or_else(|_| node.name.clone());
    Node { name, ..node.clone() }
}

async fn content_type(service: &FileService, name: &str, content: &Content) -> Result<String, Problem> {
    if let ByName::Known(kind) = mime::by_name(name) {
        return Ok(kind);
    }
    let len = content.size.min(mime::SAMPLE_BYTES);
    let kind = match content::read(service, content, BlobRange { start: 0, len }).await? {
        Part::Bytes(sample) => mime::by_content(&sample, len == content.size),
        Part::Stream(_) => mime::BYTES,
    };
    Ok(kind.to_owned())
}

/// The bytes are gone, rather than damaged or out of reach.
async fn is_missing(service: &FileService, content: &Content) -> ClassicResult<bool> {
    Ok(service.store.read_inline(content.blob).await?.is_none()
        && service.blobs.size(content.blob).await?.is_none())
}

async fn thumbnail(
    service: &FileService,
    request: &HttpRequest,
    file: &Authorized,
    size: ThumbnailSize,
) -> ClassicResult<HttpResponse> {
    if object::kind(file.node()) != ClassicType::Image {
        return Err(ClassicError::not_found());
    }
    let Found::Ready(thumbnail) = thumbnails::find(service, file, size).await? else {
        return Err(ClassicError::not_found());
    };
    let mut response = pictures::picture(service, request, &thumbnail).await.map_err(ClassicError::from)?;
    // by the name, unless the name says that it is no picture: browsers would not show it then
    if response.status() == StatusCode::OK
        && let ByName::Known(kind) = mime::by_name(object::name(file.node()))
        && kind.starts_with("image/")
        && let Ok(kind) = HeaderValue::from_str(&kind)
    {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_sizes_exist() {
        for pixels in [500, 250, 100] {
            let expected = Size::Thumbnail(ThumbnailSize::of(pixels).unwrap());
            assert_eq!(size(&format!("size={pixels}")), expected);
            assert_eq!(size(&format!("a=b&size=7&size={pixels}")), expected);
        }
        for query in ["", "size=", "size", "a=b", "Size=100"] {
            assert_eq!(size(query), Size::Original, "{query}");
        }
        for query in [
            "size=1280",
            "size=300",
            "size=0",
            "size=abc",
            "size=-100",
            "size=0100",
            "size=100.0",
            "size=+100",
            "size=%00",
        ] {
            assert_eq!(size(query), Size::Unknown, "{query}");
        }
    }
}
