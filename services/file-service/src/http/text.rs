//! `/api/v1/files/{id}/text`: a content as text.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use common::Code;
use common::files::Action;
use http_kit::conditions::{Current, ETag, Verdict, evaluate};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{params, view};
use crate::app::access::authorize;
use crate::app::{content, text};
use crate::state::FileService;

/// How many bytes are decoded where the request does not say, and at most.
const DEFAULT_BYTES: u64 = 64 * 1024;
const MAX_BYTES: u64 = 1024 * 1024;
/// Fewest bytes: more than any character has.
const MIN_BYTES: u64 = 16;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TextQuery {
    /// The byte of the content to begin at: 0, or `next` of the piece before.
    #[serde(default)]
    from: u64,
    /// Most bytes of the content that are decoded, 16 to 1048576; 65536 if left out.
    limit: Option<u64>,
}

/// A piece of the text of a file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TextPiece)]
pub(super) struct TextView {
    /// Its encoding, by the name that the WHATWG's Encoding Standard has for it, in lower case. A byte order mark says it, else UTF-8 shows, else it is guessed.
    #[schema(example = "windows-1252")]
    encoding: String,
    /// The text as it is written, markup too. What cannot be decoded is U+FFFD.
    text: String,
    /// The byte that it begins at.
    from: u64,
    /// Where the next piece begins; null at the end. No piece ends within a character.
    #[schema(required = true)]
    next: Option<u64>,
    /// Bytes of the whole content.
    size: u64,
    /// There is more behind it.
    truncated: bool,
    /// The entity tag of the content: pieces with another one do not go together.
    etag: String,
}

/// Decodes a file as text, piece by piece, whatever its encoding.
#[utoipa::path(
    operation_id = "getText",
    tag = "files",
    params(("id" = String, Path, description = "The file's id"), TextQuery),
    responses(
        (status = 200, description = "A piece of the text", body = TextView, headers(("ETag" = String))),
        (status = 304, description = "It is as `If-None-Match` says"),
        (status = 400, description = "`invalid_request`, also where the content has no such byte", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`not_a_file`", body = ProblemDocument),
        (status = 412, description = "`precondition_failed`", body = ProblemDocument),
        (status = 415, description = "`unsupported_media_type`: the content is no text", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/{id}/text")]
pub(super) async fn show(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let target = params::target(&request, "id")?;
    let file = authorize(&service, params::actor(&caller), Action::ReadContent, target).await?;
    let query: TextQuery = input::query(&request)?;
    let content = content::of(&file)?;
    let limit = query.limit.unwrap_or(DEFAULT_BYTES);
    if !(MIN_BYTES..=MAX_BYTES).contains(&limit) {
        return Err(out_of_range("?limit", "A piece has 16 to 1048576 bytes"));
    }
    if query.from > content.size {
        return Err(out_of_range("?from", "The content is shorter"));
    }
    let tag = content.etag();
    let etag = ETag::strong(tag.trim_matches('"')).map_err(|_| Problem::new(Code::Internal))?;
    let header = (header::ETAG, etag.to_value());
    match evaluate(request.headers(), request.method(), Some(Current { etag: &etag, modified_at: None })) {
        Verdict::Proceed => {}
        Verdict::NotModified => {
            return Ok(HttpResponse::NotModified()
                .insert_header(header)
                .insert_header(view::PRIVATE)
                .finish());
        }
        Verdict::PreconditionFailed => return Err(Problem::new(Code::PreconditionFailed)),
    }
    let piece = text::read(&service, content, query.from, limit).await?;
    Ok(HttpResponse::Ok().insert_header(header).insert_header(view::PRIVATE).json(TextView {
        encoding: piece.encoding,
        text: piece.text,
        from: query.from,
        next: piece.next,
        size: content.size,
        truncated: piece.next.is_some(),
        etag: tag,
    }))
}

fn out_of_range(pointer: &'static str, detail: &'static str) -> Problem {
    Problem::new(Code::InvalidRequest).detail(detail).field(pointer, "out_of_range", detail)
}
