//! Begins an upload.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, post, web};
use common::files::UploadRole;
use common::{Code, Timestamp};
use http_kit::digest_fields::{REPR_DIGEST, Unchecked};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, BodyStream, Problem, input};
use serde::Deserialize;
use utoipa::IntoParams;

use super::go::{announced, digest, draft_go, nothing, tus_creation};
use super::party::Party;
use super::protocol::{self, Protocol, UPLOAD_LENGTH, UPLOAD_METADATA, Wishes, wrong};
use super::{FROM_LIST, view};
use crate::app::resumable::{self, Appended, Ends, Go, NewUpload};
use crate::app::watch::Watch;
use crate::http::content::OnConflictWord;
use crate::state::FileService;

/// How long a request waits until parts are put together. A gateway waits for a minute.
const JOINED_WITHIN: Duration = Duration::from_secs(25);

/// What the address of a creation may say of the file.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct CreateQuery {
    /// The id of the folder, or `root` (the default); by a link that is what it leads to.
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
        (status = 201, description = "The upload was begun, or is a file already: then with `File-Id`", body = crate::http::view::FileView,
            headers(("Location" = String), ("Upload-Offset" = u64), ("Upload-Complete" = String), ("File-Id" = String), ("Want-Repr-Digest" = String), ("Want-Content-Digest" = String))),
        (status = 200, description = "It has replaced the content of a file", body = crate::http::view::FileView),
        (status = 400, description = "`invalid_request`, `invalid_name`, `upload_length`", body = ProblemDocument),
        (status = 404, description = "`parent_not_found`", body = ProblemDocument),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument),
        (status = 409, description = "`name_taken`, `parent_not_folder`, `too_deep`", body = ProblemDocument),
        (status = 412, description = "Another version of tus", body = ProblemDocument),
        (status = 413, description = "`too_large`", body = ProblemDocument),
        (status = 460, description = "`checksum_mismatch`", body = ProblemDocument),
        (status = 507, description = "`quota_exceeded`, `disk_full`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("")]
pub(in crate::http) async fn create(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    begin(&Party::account(&caller, &request)?, &request, payload, &service.into_inner()).await
}

pub(in crate::http) async fn begin(
    party: &Party,
    request: &HttpRequest,
    payload: web::Payload,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let protocol = Protocol::of(request)?;
    let begun = begin_by(protocol, party, request, payload, service).await;
    let mut answer = begun.map_err(|problem| protocol.mark(problem))?;
    let unchecked = Unchecked::of(request.headers());
    // by tus, where no bytes come along, nothing is read that is said of them
    let has_bytes = protocol == Protocol::Draft || announced(request) != Some(0);
    let unchecked = if has_bytes { unchecked } else { unchecked.repr_alone() };
    unchecked.tell(answer.headers_mut());
    Ok(answer)
}

async fn begin_by(
    protocol: Protocol,
    party: &Party,
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
        parent: party.parent(wishes.folder.as_deref())?,
        name: wishes.name()?,
        on_conflict: party.on_conflict(wishes.on_conflict).unwrap_or_default(),
        modified_at: wishes.modified_at,
        metadata: metadata.map(str::to_owned),
        role,
        length,
        digest: digest(request, &REPR_DIGEST)?,
        address: party.address(request, service),
    };
    let (hold, watch) = resumable::create(service, party.actor(), new).await?;
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
        return Ok(view::tus(party, StatusCode::CREATED, &upload)
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
            let watch = Watch::with(service, watch, party.pass());
            resumable::append(hold, watch, go, body).await.map_err(|error| with_location(error.into()))?
        }
    };
    Ok(match (protocol, appended) {
        (Protocol::Draft, Appended::Done(upload, committed)) => {
            view::draft_done(service, party, &upload, &committed, FROM_LIST).await?
        }
        (Protocol::Draft, Appended::Open(upload) | Appended::Earlier(upload, _)) => {
            view::draft(service, party, StatusCode::CREATED, &upload)
                .insert_header((header::LOCATION, location))
                .finish()
        }
        (_, Appended::Open(upload) | Appended::Done(upload, _) | Appended::Earlier(upload, _)) => {
            view::tus(party, StatusCode::CREATED, &upload)
                .insert_header((header::LOCATION, location))
                .finish()
        }
    })
}
