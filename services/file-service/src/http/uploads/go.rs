//! The bytes of a request, as its fields announce them.

use actix_web::HttpRequest;
use actix_web::http::header;
use common::{Code, Sha256};
use http_kit::body::declared_length;
use http_kit::digest_fields::{self, CONTENT_DIGEST, REPR_DIGEST};
use http_kit::{ApiResult, Problem};

use super::protocol::{self, TUS_BYTES, UPLOAD_COMPLETE, UPLOAD_LENGTH, media_type, wrong};
use crate::app::resumable::{Checksum, Ends, Go};

pub(super) const fn nothing() -> Go {
    Go { offset: 0, length: None, announced: None, checksums: Vec::new(), digest: None, ends: Ends::AtLength }
}

/// The bytes that come with a creation by tus, if any do.
pub(super) fn tus_creation(request: &HttpRequest) -> ApiResult<Option<Go>> {
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
pub(super) fn announced(request: &HttpRequest) -> Option<u64> {
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    declared_length(request).or((!is_chunked).then_some(0))
}

pub(super) fn draft_go(request: &HttpRequest, offset: u64) -> ApiResult<Go> {
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

pub(super) fn digest(request: &HttpRequest, name: &header::HeaderName) -> ApiResult<Option<Sha256>> {
    Ok(digest_fields::parse(request.headers(), name)?)
}

pub(super) fn checksums(request: &HttpRequest) -> ApiResult<Vec<Checksum>> {
    let own = digest(request, &CONTENT_DIGEST)?.map(Checksum::Sha256);
    Ok(protocol::checksum(request)?.into_iter().chain(own).collect())
}
