//! Goes on with an upload, or changes where it goes.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, patch, web};
use common::Code;
use http_kit::digest_fields::{REPR_DIGEST, Unchecked};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, BodyStream, Problem, input};
use serde::Deserialize;
use utoipa::ToSchema;

use super::go::{announced, checksums, digest, draft_go};
use super::party::Party;
use super::protocol::{
    self, DRAFT_BYTES, Protocol, TUS_BYTES, UPLOAD_LENGTH, UPLOAD_OFFSET, Wishes, media_type, wrong,
};
use super::view::UploadView;
use super::{FROM_ONE, view};
use crate::app::resumable::{self, Appended, Ends, Go, Hold, UploadChange};
use crate::app::watch::Watch;
use crate::http::content::OnConflictWord;
use crate::state::FileService;

/// Largest JSON body.
const BODY_BYTES: usize = 64 * 1024;

/// What shall be different about the file that an upload will be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateUpload)]
pub(in crate::http) struct ChangeBody {
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
        (status = 204, description = "They are there", headers(("Upload-Offset" = u64), ("Upload-Complete" = String), ("File-Id" = String), ("Want-Repr-Digest" = String), ("Want-Content-Digest" = String))),
        (status = 201, description = "Draft, and a change: it is a file now", body = crate::http::view::FileView, headers(("Want-Repr-Digest" = String), ("Want-Content-Digest" = String))),
        (status = 200, description = "Draft: it has replaced the content of a file. A change: the upload", body = UploadView),
        (status = 400, description = "`invalid_request`, `incomplete_body`, `upload_length`, `upload_complete`, `digest_mismatch`", body = ProblemDocument),
        (status = 403, description = "`forbidden`: it is made of parts, or its folder was closed", body = ProblemDocument),
        (status = 404, description = "`not_found`, `parent_not_found`", body = ProblemDocument),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument),
        (status = 409, description = "`upload_offset`; `name_taken`: all bytes are there, change the name", body = ProblemDocument),
        (status = 413, description = "`too_large`", body = ProblemDocument),
        (status = 415, description = "`unsupported_media_type`", body = ProblemDocument),
        (status = 423, description = "`locked`: another request is at it", body = ProblemDocument),
        (status = 460, description = "`checksum_mismatch`: none of the bytes count", body = ProblemDocument),
        (status = 507, description = "`quota_exceeded`, `disk_full`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[patch("/{id}")]
pub(in crate::http) async fn append(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    go_on(&Party::account(&caller, &request)?, &request, payload, &service.into_inner()).await
}

pub(in crate::http) async fn go_on(
    party: &Party,
    request: &HttpRequest,
    payload: web::Payload,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let protocol = Protocol::of(request)?;
    match protocol {
        Protocol::Plain => change(party, request, payload, service).await,
        Protocol::Tus | Protocol::Draft => {
            let appended = append_bytes(party, protocol, request, payload, service).await;
            let mut answer = appended.map_err(|problem| protocol.mark(problem))?;
            Unchecked::of(request.headers()).tell(answer.headers_mut());
            Ok(answer)
        }
    }
}

async fn append_bytes(
    party: &Party,
    protocol: Protocol,
    request: &HttpRequest,
    payload: web::Payload,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let upload = resumable::own(service, party.actor(), input::path_id(request, "id")?).await?;
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
    let watch = resumable::goes_on(service, party.actor(), &upload).await?;
    let watch = Watch::with(service, watch, party.pass());
    let hold = Hold::take(service, upload.id).await?;
    let body = BodyStream::new(payload, service.settings.upload_pace);
    Ok(match (protocol, resumable::append(hold, watch, go, body).await?) {
        (Protocol::Draft, Appended::Done(upload, committed)) => {
            view::draft_done(service, party, &upload, &committed, FROM_ONE).await?
        }
        (Protocol::Draft, Appended::Open(upload)) => {
            view::draft(service, party, StatusCode::NO_CONTENT, &upload).finish()
        }
        (Protocol::Draft, Appended::Earlier(upload, file)) => {
            view::draft_earlier(service, party, &upload, file, FROM_ONE).await?
        }
        (_, Appended::Open(upload) | Appended::Done(upload, _) | Appended::Earlier(upload, _)) => {
            view::tus(party, StatusCode::NO_CONTENT, &upload).finish()
        }
    })
}

async fn change(
    party: &Party,
    request: &HttpRequest,
    payload: web::Payload,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let upload = resumable::own(service, party.actor(), input::path_id(request, "id")?).await?;
    let body: ChangeBody = input::json(request, payload, BODY_BYTES).await?;
    let wishes = Wishes { name: body.name, ..Wishes::default() };
    let change = UploadChange {
        parent: body.folder_id.as_deref().map(|folder| party.parent(Some(folder))).transpose()?,
        name: wishes.name()?,
        on_conflict: party.on_conflict(body.on_conflict.map(Into::into)),
    };
    Ok(match resumable::change(service, party.actor(), upload.id, change).await? {
        (upload, Some(committed)) => view::draft_done(service, party, &upload, &committed, FROM_ONE).await?,
        (upload, None) => view::shown(service, party, &upload).await?,
    })
}
