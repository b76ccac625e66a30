//! `/api/v1/uploads`: uploads that come in several goes, by tus 1.0.0 and by the draft of the IETF, on the same uploads.

mod protocol;
mod view;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, delete, get, head, options, patch, post, web};
use common::files::{Upload, UploadRole};
use common::{Code, Sha256, Timestamp, UploadId, UserId};
use http_kit::body::declared_length;
use http_kit::digest_fields::{self, CONTENT_DIGEST, REPR_DIGEST};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, BodyStream, Problem, cursor, input};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use self::protocol::{
    DRAFT_BYTES, INTEROP, INTEROP_VERSION, Protocol, TUS_BYTES, TUS_EXTENSIONS, TUS_RESUMABLE, TUS_VERSION,
    TUS_VERSIONS, UPLOAD_COMPLETE, UPLOAD_LENGTH, UPLOAD_LIMIT, UPLOAD_METADATA, UPLOAD_OFFSET, Wishes,
    media_type, wrong,
};
use self::view::{UploadListView, UploadView};
use super::content::OnConflictWord;
use super::params;
use crate::app::resumable::{self, Appended, Checksum, Ends, Go, Hold, NewUpload, UploadChange};
use crate::state::FileService;

/// Largest JSON body.
const BODY_BYTES: usize = 64 * 1024;

/// How long a request waits until parts are put together. A gateway waits for a minute.
const JOINED_WITHIN: Duration = Duration::from_secs(25);

/// From `/api/v1/uploads` and from `/api/v1/uploads/{id}` to `/api/v1/`.
const FROM_LIST: &str = "";
const FROM_ONE: &str = "../";

/// Tells what is spoken here, and what uploads keep to.
#[utoipa::path(
    operation_id = "uploadOptions",
    tag = "uploads",
    responses((status = 204, description = "What is spoken", headers(
        ("Tus-Version" = String), ("Tus-Extension" = String), ("Tus-Max-Size" = u64), ("Tus-Checksum-Algorithm" = String),
        ("Upload-Limit" = String),
    )))
)]
#[options("/api/v1/uploads")]
pub(super) async fn options(service: web::Data<FileService>) -> HttpResponse {
    let settings = &service.settings;
    let mut answer = HttpResponse::NoContent();
    answer
        .insert_header((header::ALLOW, "GET, POST, OPTIONS"))
        .insert_header((TUS_RESUMABLE, TUS_VERSION))
        .insert_header((TUS_VERSIONS, TUS_VERSION))
        .insert_header(("tus-extension", TUS_EXTENSIONS))
        .insert_header(("tus-checksum-algorithm", Checksum::ALGORITHMS))
        .insert_header((INTEROP, INTEROP_VERSION))
        .insert_header((
            UPLOAD_LIMIT,
            protocol::limit_field(settings.max_upload_bytes, settings.keep_uploads.as_secs()),
        ));
    if let Some(max) = settings.max_upload_bytes {
        answer.insert_header(("tus-max-size", max));
    }
    answer.finish()
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UploadsQuery {
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

/// Lists the caller's uploads that are no files yet, newest first.
#[utoipa::path(
    operation_id = "listUploads",
    tag = "uploads",
    params(UploadsQuery),
    responses(
        (status = 200, description = "A page of the list", body = UploadListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/uploads")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let query: UploadsQuery = input::query(&request)?;
    let limit = params::limit(query.limit)?;
    let bound_to = format!("uploads {}", caller.user);
    let before: Option<UploadId> =
        query.cursor.map(|text| cursor::decode(&service.cursor_key, &bound_to, &text)).transpose()?;
    let mut uploads = service.uploads.store.list_uploads(caller.user, before, limit + 1).await?;
    let more = uploads.len() > limit as usize;
    uploads.truncate(limit as usize);
    let last = uploads.last().filter(|_| more);
    let next_cursor = last.map(|upload| cursor::encode(&service.cursor_key, &bound_to, &upload.id));
    let items = uploads.iter().map(UploadView::of).collect();
    Ok(HttpResponse::Ok().insert_header(view::NO_STORE).json(UploadListView { items, next_cursor }))
}

/// What the address of a creation may say of the file.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CreateQuery {
    /// The id of the folder, or `root` (the default).
    folder: Option<String>,
    /// The file's name.
    name: Option<String>,
    /// What to do if the name is taken: `fail` (the default), `rename` to the next free one, or `replace` the content.
    #[param(value_type = Option<String>)]
    on_conflict: Option<OnConflictWord>,
    /// When the content was last changed where it comes from.
    #[param(value_type = Option<String>, format = DateTime)]
    modified_at: Option<Timestamp>,
}

/// Begins an upload, by tus (`Tus-Resumable`) or by the draft of the IETF (`Upload-Complete`); the body may be its first bytes, or all.
///
/// What is said of the file stands in the query, and over that in `Upload-Metadata`: `filename`, `folder`, `onConflict`, `modifiedAt` or
/// `lastModified` (milliseconds since 1970).
#[utoipa::path(
    operation_id = "createUpload",
    tag = "uploads",
    params(
        CreateQuery,
        ("Tus-Resumable" = Option<String>, Header, description = "tus: `1.0.0`"),
        ("Upload-Complete" = Option<String>, Header, description = "Draft: `?1` if the body ends the upload, else `?0`"),
        ("Upload-Length" = Option<u64>, Header, description = "How many bytes it will have"),
        ("Upload-Defer-Length" = Option<u32>, Header, description = "tus: `1` if that is said later"),
        ("Upload-Metadata" = Option<String>, Header, description = "tus: what is said of the file"),
        ("Upload-Concat" = Option<String>, Header, description = "tus: `partial`, or `final;` and the addresses of the parts"),
        ("Upload-Checksum" = Option<String>, Header, description = "tus: `sha1`, `sha256` or `crc32` of the body, and its base64"),
        ("Content-Digest" = Option<String>, Header, description = "`sha-256` of the body"),
        ("Repr-Digest" = Option<String>, Header, description = "`sha-256` of the whole upload"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "The upload was begun, or is a file already: then with `File-Id`", body = super::view::FileView,
            headers(("Location" = String), ("Upload-Offset" = u64), ("Upload-Complete" = String), ("File-Id" = String))),
        (status = 200, description = "It has replaced the content of a file", body = super::view::FileView),
        (status = 400, description = "`invalid_request`, `invalid_name`, `upload_length`", body = ProblemDocument),
        (status = 404, description = "`parent_not_found`", body = ProblemDocument),
        (status = 409, description = "`name_taken`, `parent_not_folder`, `too_deep`", body = ProblemDocument),
        (status = 412, description = "Another version of tus", body = ProblemDocument),
        (status = 413, description = "`too_large`", body = ProblemDocument),
        (status = 460, description = "`checksum_mismatch`", body = ProblemDocument),
        (status = 507, description = "`quota_exceeded`, `disk_full`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("/api/v1/uploads")]
pub(super) async fn create(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let protocol = Protocol::of(&request)?;
    begin(caller.user, protocol, &request, payload, &service.into_inner())
        .await
        .map_err(|problem| protocol.mark(problem))
}

async fn begin(
    user: UserId,
    protocol: Protocol,
    request: &HttpRequest,
    payload: web::Payload,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let query: CreateQuery =
        if request.query_string().is_empty() { CreateQuery::default() } else { input::query(request)? };
    let mut wishes = Wishes {
        folder: query.folder,
        name: query.name,
        on_conflict: query.on_conflict.map(Into::into),
        modified_at: query.modified_at,
    };
    let metadata = request.headers().get(UPLOAD_METADATA).map(HeaderValue::to_str).transpose();
    let metadata = metadata.map_err(|_| wrong(&UPLOAD_METADATA, "is not visible ASCII"))?;
    if let Some(metadata) = metadata {
        wishes.read_metadata(metadata)?;
    }
    wishes.read_disposition(request)?;
    let (role, go) = match protocol {
        Protocol::Tus => (protocol::role(request)?, tus_creation(request)?),
        Protocol::Draft => (UploadRole::Whole, Some(draft_go(request, 0)?)),
        Protocol::Plain => {
            let why = "Say Tus-Resumable: 1.0.0, or Upload-Complete by the draft on resumable uploads";
            return Err(Problem::new(Code::InvalidRequest).detail(why));
        }
    };
    let length = protocol::bytes(request, &UPLOAD_LENGTH)?;
    let is_final = matches!(role, UploadRole::Final(_));
    let says_length = length.is_some() != (protocol == Protocol::Tus && protocol::defers_length(request)?);
    if is_final && length.is_some() {
        return Err(wrong(&UPLOAD_LENGTH, "has no place in a final upload"));
    }
    if protocol == Protocol::Tus && !is_final && !says_length {
        return Err(wrong(&UPLOAD_LENGTH, "must be there, or Upload-Defer-Length"));
    }
    // with all bytes announced, their room is taken before the first
    let length = length.or(go.as_ref().filter(|go| go.ends == Ends::Here).and_then(|go| go.announced));
    let new = NewUpload {
        parent: params::parent(wishes.folder.as_deref())?,
        name: wishes.name()?,
        on_conflict: wishes.on_conflict.unwrap_or_default(),
        modified_at: wishes.modified_at,
        metadata: metadata.map(str::to_owned),
        role,
        length,
        digest: digest(request, &REPR_DIGEST)?,
    };
    let hold = resumable::create(service, user, new).await?;
    let location = format!("{FROM_LIST}uploads/{}", hold.upload.id);
    let with_location = |problem: Problem| match HeaderValue::from_str(&location) {
        Ok(value) => problem.header(header::LOCATION, value),
        Err(_) => problem,
    };
    if is_final {
        let upload = hold.leave().await?;
        let (upload, _) = resumable::concatenate(service, upload, JOINED_WITHIN)
            .await
            .map_err(|error| with_location(error.into()))?;
        return Ok(view::tus(StatusCode::CREATED, &upload)
            .insert_header((header::LOCATION, location))
            .finish());
    }
    let appended = match go {
        // an upload without bytes is whole already
        None if length == Some(0) => Some(Go { announced: Some(0), ..nothing() }),
        go => go,
    };
    let appended = match appended {
        None => Appended::Open(hold.leave().await?),
        Some(go) => {
            let body = BodyStream::new(payload, service.settings.upload_pace);
            resumable::append(hold, go, body).await.map_err(|error| with_location(error.into()))?
        }
    };
    Ok(match (protocol, appended) {
        (Protocol::Draft, Appended::Done(upload, committed)) => {
            view::draft_done(service, &upload, &committed, FROM_LIST)
        }
        (Protocol::Draft, Appended::Open(upload)) => view::draft(service, StatusCode::CREATED, &upload)
            .insert_header((header::LOCATION, location))
            .finish(),
        (_, Appended::Open(upload) | Appended::Done(upload, _)) => {
            view::tus(StatusCode::CREATED, &upload).insert_header((header::LOCATION, location)).finish()
        }
    })
}

const fn nothing() -> Go {
    Go { offset: 0, length: None, announced: None, checksums: Vec::new(), digest: None, ends: Ends::AtLength }
}

/// The bytes that come with a creation by tus, if any do.
fn tus_creation(request: &HttpRequest) -> ApiResult<Option<Go>> {
    let announced = announced(request);
    if announced == Some(0) {
        return Ok(None);
    }
    if media_type(request) != TUS_BYTES {
        let why = format!("The bytes of an upload are {TUS_BYTES}");
        return Err(Problem::new(Code::UnsupportedMediaType).detail(why));
    }
    Ok(Some(Go { announced, checksums: checksums(request)?, ..nothing() }))
}

/// How many bytes the body has; none if it comes in chunks of unknown number.
fn announced(request: &HttpRequest) -> Option<u64> {
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    declared_length(request).or((!is_chunked).then_some(0))
}

fn draft_go(request: &HttpRequest, offset: u64) -> ApiResult<Go> {
    let complete = protocol::flag(request, &UPLOAD_COMPLETE)?
        .ok_or_else(|| wrong(&UPLOAD_COMPLETE, "must be ?1 or ?0"))?;
    Ok(Go {
        offset,
        length: protocol::bytes(request, &UPLOAD_LENGTH)?,
        announced: announced(request),
        checksums: checksums(request)?,
        digest: digest(request, &REPR_DIGEST)?,
        ends: if complete { Ends::Here } else { Ends::Never },
    })
}

fn digest(request: &HttpRequest, name: &header::HeaderName) -> ApiResult<Option<Sha256>> {
    Ok(digest_fields::parse(request.headers(), name)?)
}

fn checksums(request: &HttpRequest) -> ApiResult<Vec<Checksum>> {
    let own = digest(request, &CONTENT_DIGEST)?.map(Checksum::Sha256);
    Ok(protocol::checksum(request)?.into_iter().chain(own).collect())
}

/// Shows one of the caller's uploads. Does not disturb whoever is sending to it.
#[utoipa::path(
    operation_id = "getUpload",
    tag = "uploads",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The upload", body = UploadView),
        (status = 404, description = "`not_found`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/uploads/{id}")]
pub(super) async fn show(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let protocol = Protocol::of(&request)?;
    if protocol == Protocol::Draft {
        return stand(protocol, caller.user, &request, &service.into_inner()).await;
    }
    let upload = resumable::own(&service, caller.user, input::path_id(&request, "id")?).await?;
    Ok(HttpResponse::Ok().insert_header(view::NO_STORE).json(UploadView::of(&upload)))
}

/// Tells where an upload stands, by the protocol of the request. Whoever is still sending to it is made to leave, so that the caller can go on from
/// there.
#[utoipa::path(
    operation_id = "getUploadOffset",
    tag = "uploads",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "tus: where it stands", headers(("Upload-Offset" = u64), ("Upload-Length" = u64), ("File-Id" = String))),
        (status = 204, description = "Draft: where it stands", headers(("Upload-Offset" = u64), ("Upload-Complete" = String), ("File-Id" = String))),
        (status = 404, description = "`not_found`"),
        (status = 423, description = "`locked`: another request is at it and does not leave"),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[head("/api/v1/uploads/{id}")]
pub(super) async fn describe(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let protocol = Protocol::of(&request)?;
    stand(protocol, caller.user, &request, &service.into_inner())
        .await
        .map_err(|problem| protocol.mark(problem).header(view::NO_STORE.0, view::NO_STORE.1))
}

async fn stand(
    protocol: Protocol,
    user: UserId,
    request: &HttpRequest,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let upload = resumable::settled(service, user, input::path_id(request, "id")?).await?;
    Ok(match protocol {
        Protocol::Tus => view::tus_whole(&upload),
        Protocol::Draft | Protocol::Plain => view::draft(service, StatusCode::NO_CONTENT, &upload).finish(),
    })
}

/// What shall be different about the file that an upload will be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateUpload)]
pub(super) struct ChangeBody {
    /// The new name.
    name: Option<String>,
    /// The id of the new folder, or `root`.
    folder_id: Option<String>,
    /// What to do if the name is taken.
    on_conflict: Option<OnConflictWord>,
}

/// Appends bytes (`application/offset+octet-stream` by tus, `application/partial-upload` by the draft), or changes where the upload goes
/// (`application/json`). What arrives of a request that breaks stays.
#[utoipa::path(
    operation_id = "appendUpload",
    tag = "uploads",
    params(
        ("id" = String, Path, description = "Its id"),
        ("Upload-Offset" = Option<u64>, Header, description = "Where the bytes go: where the upload stands"),
        ("Upload-Complete" = Option<String>, Header, description = "Draft: `?1` if these are the last bytes, else `?0`"),
        ("Upload-Length" = Option<u64>, Header, description = "How many bytes it will have, if that was not said before"),
        ("Upload-Checksum" = Option<String>, Header, description = "tus: `sha1`, `sha256` or `crc32` of the body, and its base64"),
        ("Content-Digest" = Option<String>, Header, description = "`sha-256` of the body"),
        ("Repr-Digest" = Option<String>, Header, description = "`sha-256` of the whole upload"),
    ),
    request_body(
        content(
            (Vec<u8> = "application/offset+octet-stream"),
            (Vec<u8> = "application/partial-upload"),
            (ChangeBody = "application/json"),
        ),
    ),
    responses(
        (status = 204, description = "They are there", headers(("Upload-Offset" = u64), ("Upload-Complete" = String), ("File-Id" = String))),
        (status = 201, description = "Draft, and a change: it is a file now", body = super::view::FileView),
        (status = 200, description = "Draft: it has replaced the content of a file. A change: the upload", body = UploadView),
        (status = 400, description = "`invalid_request`, `incomplete_body`, `upload_length`, `upload_complete`, `digest_mismatch`", body = ProblemDocument),
        (status = 403, description = "`forbidden`: it is made of parts", body = ProblemDocument),
        (status = 404, description = "`not_found`, `parent_not_found`", body = ProblemDocument),
        (status = 409, description = "`upload_offset`; `name_taken`: all bytes are there, change the name", body = ProblemDocument),
        (status = 413, description = "`too_large`", body = ProblemDocument),
        (status = 415, description = "`unsupported_media_type`", body = ProblemDocument),
        (status = 423, description = "`locked`: another request is at it", body = ProblemDocument),
        (status = 460, description = "`checksum_mismatch`: none of the bytes count", body = ProblemDocument),
        (status = 507, description = "`quota_exceeded`, `disk_full`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[patch("/api/v1/uploads/{id}")]
pub(super) async fn append(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    go_on(caller.user, &request, payload, &service.into_inner()).await
}

async fn go_on(
    user: UserId,
    request: &HttpRequest,
    payload: web::Payload,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let protocol = Protocol::of(request)?;
    match protocol {
        Protocol::Plain => change(user, request, payload, service).await,
        Protocol::Tus | Protocol::Draft => append_bytes(user, protocol, request, payload, service)
            .await
            .map_err(|problem| protocol.mark(problem)),
    }
}

async fn append_bytes(
    user: UserId,
    protocol: Protocol,
    request: &HttpRequest,
    payload: web::Payload,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let upload = resumable::own(service, user, input::path_id(request, "id")?).await?;
    let wanted = if protocol == Protocol::Tus { TUS_BYTES } else { DRAFT_BYTES };
    if media_type(request) != wanted {
        let why = format!("The bytes of an upload are {wanted}");
        return Err(Problem::new(Code::UnsupportedMediaType).detail(why));
    }
    let offset =
        protocol::bytes(request, &UPLOAD_OFFSET)?.ok_or_else(|| wrong(&UPLOAD_OFFSET, "must be there"))?;
    let go = match protocol {
        Protocol::Tus => Go {
            offset,
            length: protocol::bytes(request, &UPLOAD_LENGTH)?,
            announced: announced(request),
            checksums: checksums(request)?,
            digest: digest(request, &REPR_DIGEST)?,
            ends: Ends::AtLength,
        },
        Protocol::Draft | Protocol::Plain => draft_go(request, offset)?,
    };
    let hold = Hold::take(service, upload.id).await?;
    let body = BodyStream::new(payload, service.settings.upload_pace);
    Ok(match (protocol, resumable::append(hold, go, body).await?) {
        (Protocol::Draft, Appended::Done(upload, committed)) => {
            view::draft_done(service, &upload, &committed, FROM_ONE)
        }
        (Protocol::Draft, Appended::Open(upload)) => {
            view::draft(service, StatusCode::NO_CONTENT, &upload).finish()
        }
        (_, Appended::Open(upload) | Appended::Done(upload, _)) => {
            view::tus(StatusCode::NO_CONTENT, &upload).finish()
        }
    })
}

async fn change(
    user: UserId,
    request: &HttpRequest,
    payload: web::Payload,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let upload: Upload = resumable::own(service, user, input::path_id(request, "id")?).await?;
    let body: ChangeBody = input::json(request, payload, BODY_BYTES).await?;
    let wishes = Wishes { name: body.name, ..Wishes::default() };
    let change = UploadChange {
        parent: body.folder_id.as_deref().map(|folder| params::parent(Some(folder))).transpose()?,
        name: wishes.name()?,
        on_conflict: body.on_conflict.map(Into::into),
    };
    Ok(match resumable::change(service, user, upload.id, change).await? {
        (upload, Some(committed)) => view::draft_done(service, &upload, &committed, FROM_ONE),
        (upload, None) => HttpResponse::Ok().insert_header(view::NO_STORE).json(UploadView::of(&upload)),
    })
}

/// For clients that can send no other method: `X-HTTP-Method-Override` says which is meant.
#[utoipa::path(
    operation_id = "postUpload",
    tag = "uploads",
    params(
        ("id" = String, Path, description = "Its id"),
        ("X-HTTP-Method-Override" = String, Header, description = "`PATCH`, `DELETE` or `HEAD`"),
    ),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, description = "As that method"),
        (status = 405, description = "`method_not_allowed`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("/api/v1/uploads/{id}")]
pub(super) async fn change_method(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let meant = request.headers().get("x-http-method-override").and_then(|value| value.to_str().ok());
    let meant = meant.and_then(|method| Method::from_bytes(method.to_ascii_uppercase().as_bytes()).ok());
    let service = service.into_inner();
    match meant {
        Some(Method::PATCH) => go_on(caller.user, &request, payload, &service).await,
        Some(Method::DELETE) => end(caller.user, &request, &service).await,
        Some(Method::HEAD) => stand(Protocol::of(&request)?, caller.user, &request, &service).await,
        _ => Err(Problem::new(Code::MethodNotAllowed)
            .header(header::ALLOW, HeaderValue::from_static("GET, HEAD, PATCH, DELETE, OPTIONS"))),
    }
}

/// Ends an upload: its bytes go. A file that it has become stays.
#[utoipa::path(
    operation_id = "deleteUpload",
    tag = "uploads",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 423, description = "`locked`: another request is at it and does not leave", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[delete("/api/v1/uploads/{id}")]
pub(super) async fn remove(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    end(caller.user, &request, &service.into_inner()).await
}

async fn end(user: UserId, request: &HttpRequest, service: &Arc<FileService>) -> ApiResult<HttpResponse> {
    let protocol = Protocol::of(request)?;
    let ended = async {
        let id = input::path_id(request, "id")?;
        Ok(resumable::end(service, user, id).await?)
    };
    ended.await.map_err(|problem: Problem| protocol.mark(problem))?;
    let mut answer = HttpResponse::NoContent();
    if protocol == Protocol::Tus {
        answer.insert_header((TUS_RESUMABLE, TUS_VERSION));
    }
    Ok(answer.finish())
}
