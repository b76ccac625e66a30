//! `PUT …/children/{name}/content` and `PUT …/{id}/content`.

use actix_web::http::header::HeaderMap;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, put, web};
use common::files::{Action, Actor, Committed, Node, NodeName};
use common::{Code, Sha256, Timestamp, idempotency};
use http_kit::body::declared_length;
use http_kit::conditions::{Current, ETag, Verdict, evaluate};
use http_kit::digest_fields::{self, CONTENT_DIGEST, REPR_DIGEST, Unchecked};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, BodyStream, Problem, input};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::access::{Authorized, Sight, authorize, authorize_parent};
use crate::app::marks;
use crate::app::upload::{self, Announced, OnConflict, Sender};
use crate::error::AppError;
use crate::http::view::{self, FileView};
use crate::http::{params, preconditions};
use crate::state::FileService;

/// What to do about a name that is taken.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = OnConflict)]
pub(in crate::http) enum OnConflictWord {
    #[default]
    Fail,
    Rename,
    Replace,
}

impl From<OnConflictWord> for OnConflict {
    fn from(word: OnConflictWord) -> Self {
        match word {
            OnConflictWord::Fail => Self::Fail,
            OnConflictWord::Rename => Self::Rename,
            OnConflictWord::Replace => Self::Replace,
        }
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct PutQuery {
    /// What to do if the name is taken: `fail` (the default), `rename` to the next free one, or `replace` the content.
    #[param(inline)]
    on_conflict: Option<OnConflictWord>,
    /// When the content was last changed where it comes from.
    #[param(value_type = Option<String>, format = DateTime)]
    modified_at: Option<Timestamp>,
}

/// Uploads a file by one request whose body is its bytes. The type is found from the content; `Content-Type` is ignored.
#[utoipa::path(
    operation_id = "uploadFile",
    tag = "files",
    params(
        ("id" = String, Path, description = "The folder's id, or `root`"),
        ("name" = String, Path, description = "The file's name, percent-encoded"),
        PutQuery,
        ("If-Match" = Option<String>, Header, description = "Replace the file of that name, only if it or its content has this tag"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is no such name"),
        ("Repr-Digest" = Option<String>, Header, description = "`sha-256` of the content, which is then checked; so is `Content-Digest`"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "The new file", body = FileView, headers(("Location" = String), ("ETag" = String), ("Want-Repr-Digest" = String), ("Want-Content-Digest" = String))),
        (status = 200, description = "The file whose content was replaced", body = FileView, headers(("ETag" = String), ("Want-Repr-Digest" = String), ("Want-Content-Digest" = String))),
        (status = 400, description = "`invalid_name`, `invalid_request`, `digest_mismatch`, `incomplete_body`", body = ProblemDocument),
        (status = 404, description = "`parent_not_found`", body = ProblemDocument),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument),
        (status = 409, description = "`name_taken` (with `existingId`), `parent_not_folder`, `too_deep`", body = ProblemDocument),
        (status = 412, description = "`precondition_failed`", body = ProblemDocument),
        (status = 413, description = "`too_large`", body = ProblemDocument),
        (status = 507, description = "`quota_exceeded`, `disk_full`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[put("/{id}/children/{name}/content")]
pub(in crate::http) async fn put_child(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let actor = params::actor(&caller);
    let parent = params::parent_in_path(&request, "id")?;
    // a root that is made now is there when the request is sent again
    let parent = idempotency::aside(authorize_parent(&service, actor, parent)).await?;
    let name = name(&request)?;
    let query = query(&request)?;
    let announced = announced(&request, query.modified_at)?;
    let body = BodyStream::new(payload, service.settings.upload_pace);
    let pass = params::pass(&request, &caller);

    if request.headers().contains_key(header::IF_MATCH) {
        let existing = service.store.find_child(parent.id(), &name).await.map_err(Problem::from)?;
        let existing = existing.ok_or_else(|| Problem::new(Code::PreconditionFailed))?;
        let file = authorize(&service, actor, Action::Change, existing.id).await?;
        let revision = content_precondition(&request, &file)?;
        let committed = upload::put_content(&service, &file, revision, &pass, announced, body).await?;
        return answer(&service, &request, actor, &committed, parent.child_sight()).await;
    }
    let only_new = request
        .headers()
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value.as_bytes().trim_ascii() == b"*");
    let on_conflict = match query.on_conflict.unwrap_or_default() {
        _ if only_new => OnConflict::Fail,
        word => word.into(),
    };
    let sender = Sender::Caller(pass);
    let committed =
        upload::put_child(&service, &parent, (&name, on_conflict), sender, announced, body).await?;
    answer(&service, &request, actor, &committed, parent.child_sight()).await
}

/// Gives a file new content; the old one is kept as a version.
#[utoipa::path(
    operation_id = "replaceContent",
    tag = "files",
    params(
        ("id" = String, Path, description = "The file's id"),
        ("modifiedAt" = Option<String>, Query, description = "When the content was last changed where it comes from"),
        ("If-Match" = Option<String>, Header, description = "Only if the file or its content has this tag"),
        ("Repr-Digest" = Option<String>, Header, description = "`sha-256` of the content, which is then checked; so is `Content-Digest`"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "The file", body = FileView, headers(("ETag" = String), ("Want-Repr-Digest" = String), ("Want-Content-Digest" = String))),
        (status = 400, description = "`invalid_request`, `digest_mismatch`, `incomplete_body`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument),
        (status = 409, description = "`not_a_file`", body = ProblemDocument),
        (status = 412, description = "`precondition_failed`", body = ProblemDocument),
        (status = 413, description = "`too_large`", body = ProblemDocument),
        (status = 507, description = "`quota_exceeded`, `disk_full`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[put("/{id}/content")]
pub(in crate::http) async fn put_content(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let file = authorize(&service, params::actor(&caller), Action::Change, target).await?;
    let announced = announced(&request, query(&request)?.modified_at)?;
    let revision = content_precondition(&request, &file)?;
    let body = BodyStream::new(payload, service.settings.upload_pace);
    let pass = params::pass(&request, &caller);
    let committed = upload::put_content(&service, &file, revision, &pass, announced, body).await?;
    answer(&service, &request, file.actor(), &committed, file.sight()).await
}

async fn answer(
    service: &FileService,
    request: &HttpRequest,
    actor: Actor,
    committed: &Committed,
    sight: Sight,
) -> ApiResult<HttpResponse> {
    let sight = marks::seen(service, actor, &committed.node, sight).await?;
    let status = if committed.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = view::file(status, &committed.node, sight);
    // the tag of what was put, as the next GET of the content says it; that of the file stands in the body
    if let Some(tag) = content_tag(&committed.node) {
        response.headers_mut().insert(header::ETAG, tag.to_value());
    }
    if committed.created {
        // from `…/files/{id}/children/{name}/content`
        response.headers_mut().insert(header::LOCATION, view::location("../../../", &committed.node));
    }
    Unchecked::of(request.headers()).tell(response.headers_mut());
    Ok(response)
}

/// The name in the path, exactly: undone once, and refused if it is not UTF-8 then.
pub(in crate::http) fn name(request: &HttpRequest) -> ApiResult<NodeName> {
    let segment = request.uri().path().rsplit('/').nth(1).unwrap_or_default();
    let invalid = |detail: &str| Problem::new(Code::InvalidName).detail(detail.to_owned());
    let bytes =
        undo_percent(segment).ok_or_else(|| invalid("the name is not percent-encoded as URLs are"))?;
    let text = String::from_utf8(bytes).map_err(|_| invalid("the name is not UTF-8"))?;
    NodeName::parse(&text).map_err(|error| invalid(&error.to_string()))
}

/// The bytes that a segment of a path stands for; none if a percent sign does not start an escape.
fn undo_percent(segment: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let mut byte = [0];
        hex::decode_to_slice(digits, &mut byte).ok()?;
        bytes.push(byte[0]);
        rest = after;
    }
    Some(bytes)
}

fn query(request: &HttpRequest) -> ApiResult<PutQuery> {
    if request.query_string().is_empty() { Ok(PutQuery::default()) } else { input::query(request) }
}

pub(in crate::http) fn announced(
    request: &HttpRequest,
    modified_at: Option<Timestamp>,
) -> ApiResult<Announced> {
    let digest = digest_of(request.headers())?;
    Ok(Announced { length: declared_length(request), digest, modified_at })
}

/// The digest of all bytes that come with these fields.
///
/// # Errors
/// `invalid_request`; `digest_mismatch` if two fields say different ones.
pub(super) fn digest_of(headers: &HeaderMap) -> Result<Option<Sha256>, AppError> {
    let of = |name| {
        digest_fields::parse(headers, name)
            .map_err(|error| AppError::because(Code::InvalidRequest, format!("{name}: {error}")))
    };
    // the body is the whole representation, so both name the same bytes
    match (of(&REPR_DIGEST)?, of(&CONTENT_DIGEST)?) {
        (Some(repr), Some(content)) if repr != content => Err(AppError::refused(Code::DigestMismatch)),
        (repr, content) => Ok(repr.or(content)),
    }
}

/// The revision that the file must still have, if the request has a condition: on the tag of the file, or on that of its content.
fn content_precondition(request: &HttpRequest, file: &Authorized) -> ApiResult<Option<u64>> {
    let revision = match preconditions::of_change(request, file.node()) {
        Ok(revision) => return Ok(revision),
        Err(error) if error.code() == Code::PreconditionFailed => file.node().revision,
        Err(error) => return Err(error.into()),
    };
    let tag = content_tag(file.node()).ok_or_else(|| Problem::new(Code::PreconditionFailed))?;
    match evaluate(request.headers(), request.method(), Some(Current { etag: &tag, modified_at: None })) {
        Verdict::Proceed => Ok(Some(revision)),
        Verdict::NotModified | Verdict::PreconditionFailed => Err(Problem::new(Code::PreconditionFailed)),
    }
}

fn content_tag(node: &Node) -> Option<ETag> {
    ETag::strong(node.content.as_ref()?.etag().trim_matches('"')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once() {
        for (segment, text) in [
            ("50%25.txt", "50%.txt"),
            ("%25zz", "%zz"),
            ("%2525", "%25"),
            ("a+b", "a+b"),
            ("%E6%97%A5", "日"),
        ] {
            assert_eq!(undo_percent(segment).as_deref(), Some(text.as_bytes()));
        }
        for wrong in ["%", "%2", "%zz", "a%"] {
            assert_eq!(undo_percent(wrong), None, "{wrong}");
        }
    }
}
