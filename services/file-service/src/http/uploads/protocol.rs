//! What the two protocols of resumable uploads write into header fields.

use std::collections::HashSet;

use actix_web::HttpRequest;
use actix_web::http::header::{self, ContentDisposition, DispositionType, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::files::{NodeName, OnConflict, Upload, UploadRole, UploadState};
use common::{Code, Timestamp, UploadId};
use http_kit::{ApiResult, Problem};

use super::FROM_ONE;
use crate::app::resumable::{Checksum, MAX_PARTS};
pub(super) use crate::error::UPLOAD_OFFSET;

/// The only version of tus.
pub(super) const TUS_VERSION: &str = "1.0.0";

/// Its extensions that are spoken here. There is no `checksum-trailer`, as the HTTP server reads no trailers of requests.
pub(super) const TUS_EXTENSIONS: &str = "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,concatenation,concatenation-unfinished";

/// The version of the draft of the IETF that this is written by.
pub(super) const INTEROP_VERSION: &str = "8";

pub(super) const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(super) const TUS_VERSIONS: HeaderName = HeaderName::from_static("tus-version");
pub(super) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(super) const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
pub(super) const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub(super) const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");
pub(super) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
pub(super) const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
pub(super) const UPLOAD_LIMIT: HeaderName = HeaderName::from_static("upload-limit");
pub(super) const INTEROP: HeaderName = HeaderName::from_static("upload-draft-interop-version");
/// The file that an upload has become.
pub(super) const FILE_ID: HeaderName = HeaderName::from_static("file-id");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");

pub(super) const TUS_BYTES: &str = "application/offset+octet-stream";
pub(super) const DRAFT_BYTES: &str = "application/partial-upload";

/// Which protocol a request speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Tus,
    /// The draft of the IETF. A gateway may have taken the version away, so it is known by other fields.
    Draft,
    /// Neither.
    Plain,
}

impl Protocol {
    /// # Errors
    /// `precondition_failed` for another version of tus.
    pub(super) fn of(request: &HttpRequest) -> ApiResult<Self> {
        match request.headers().get(TUS_RESUMABLE) {
            Some(version) if version == TUS_VERSION => Ok(Self::Tus),
            Some(_) => Err(Problem::new(Code::PreconditionFailed)
                .detail("This server speaks tus 1.0.0")
                .header(TUS_VERSIONS, HeaderValue::from_static(TUS_VERSION))
                .header(TUS_RESUMABLE, HeaderValue::from_static(TUS_VERSION))),
            None if request.headers().contains_key(UPLOAD_COMPLETE)
                || request.headers().contains_key(INTEROP)
                || media_type(request) == DRAFT_BYTES =>
            {
                Ok(Self::Draft)
            }
            None => Ok(Self::Plain),
        }
    }

    /// What every answer of the protocol carries.
    pub(super) fn mark(self, problem: Problem) -> Problem {
        match self {
            Self::Tus => problem.header(TUS_RESUMABLE, HeaderValue::from_static(TUS_VERSION)),
            Self::Draft if matches!(problem.code(), Code::UploadOffset) => {
                problem.header(UPLOAD_COMPLETE, HeaderValue::from_static("?0"))
            }
            Self::Draft | Self::Plain => problem,
        }
    }
}

/// The type of the body, without parameters and in lower case.
pub(super) fn media_type(request: &HttpRequest) -> String {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn text<'r>(request: &'r HttpRequest, name: &HeaderName) -> ApiResult<Option<&'r str>> {
    let value = request.headers().get(name).map(|value| value.to_str().map(str::trim));
    value.transpose().map_err(|_| wrong(name, "is not visible ASCII"))
}

pub(super) fn wrong(name: &HeaderName, what: &str) -> Problem {
    Problem::new(Code::InvalidRequest).detail(format!("The field {name} {what}"))
}

/// A number of bytes. Digits alone: what follows as parameters of a structured field is passed over.
pub(super) fn bytes(request: &HttpRequest, name: &HeaderName) -> ApiResult<Option<u64>> {
    let Some(value) = text(request, name)? else { return Ok(None) };
    let digits = value.split(';').next().unwrap_or_default().trim_end();
    // nothing that is counted comes near 2^63
    let number =
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok()).flatten();
    let number = number.and_then(|number| u64::try_from(number).ok());
    number.map(Some).ok_or_else(|| wrong(name, "is no number of bytes"))
}

/// A boolean of structured fields.
pub(super) fn flag(request: &HttpRequest, name: &HeaderName) -> ApiResult<Option<bool>> {
    let Some(value) = text(request, name)? else { return Ok(None) };
    match value.split(';').next().unwrap_or_default().trim_end() {
        "?1" => Ok(Some(true)),
        "?0" => Ok(Some(false)),
        _ => Err(wrong(name, "is neither ?1 nor ?0")),
    }
}

/// `Upload-Defer-Length: 1`.
pub(super) fn defers_length(request: &HttpRequest) -> ApiResult<bool> {
    match text(request, &UPLOAD_DEFER_LENGTH)? {
        None => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(wrong(&UPLOAD_DEFER_LENGTH, "can only be 1")),
    }
}

/// `Upload-Checksum`.
pub(super) fn checksum(request: &HttpRequest) -> ApiResult<Option<Checksum>> {
    let Some(value) = text(request, &UPLOAD_CHECKSUM)? else { return Ok(None) };
    let (algorithm, encoded) =
        value.split_once(' ').ok_or_else(|| wrong(&UPLOAD_CHECKSUM, "must be an algorithm and a value"))?;
    if !Checksum::is_known(algorithm) {
        return Err(wrong(&UPLOAD_CHECKSUM, "names an algorithm that is not known here"));
    }
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| wrong(&UPLOAD_CHECKSUM, "is not base64"))?;
    let checksum = Checksum::parse(algorithm, &bytes);
    checksum.map(Some).ok_or_else(|| wrong(&UPLOAD_CHECKSUM, "has a value of another length"))
}

/// `Upload-Concat`. Parts are known by the last segment of their addresses.
pub(super) fn role(request: &HttpRequest) -> ApiResult<UploadRole> {
    match text(request, &UPLOAD_CONCAT)? {
        None => Ok(UploadRole::Whole),
        Some("partial") => Ok(UploadRole::Part),
        Some(value) => {
            let list = value
                .strip_prefix("final;")
                .ok_or_else(|| wrong(&UPLOAD_CONCAT, "is neither partial nor final"))?;
            let parts: Option<Vec<UploadId>> = list
                .split_ascii_whitespace()
                .map(|address| address.trim_end_matches('/').rsplit('/').next()?.parse().ok())
                .collect();
            let parts = parts
                .filter(|parts| !parts.is_empty() && parts.len() <= MAX_PARTS)
                .ok_or_else(|| wrong(&UPLOAD_CONCAT, "must name 1 to 1000 uploads"))?;
            if parts.iter().collect::<HashSet<_>>().len() < parts.len() {
                return Err(wrong(&UPLOAD_CONCAT, "names an upload twice"));
            }
            Ok(UploadRole::Final(parts))
        }
    }
}

/// [`role`], as it is told again: with addresses from that of the upload, so that they are right behind a prefix too.
pub(super) fn concat_field(upload: &Upload) -> Option<String> {
    match &upload.role {
        UploadRole::Whole => None,
        UploadRole::Part => Some("partial".to_owned()),
        UploadRole::Final(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| format!("{FROM_ONE}uploads/{part}")).collect();
            Some(format!("final;{}", parts.join(" ")))
        }
    }
}

/// What a client says of the file that an upload will be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    pub(super) folder: Option<String>,
    pub(super) name: Option<String>,
    pub(super) on_conflict: Option<OnConflict>,
    pub(super) modified_at: Option<Timestamp>,
}

impl Wishes {
    /// The name, if there is one.
    ///
    /// # Errors
    /// `invalid_name`.
    pub(super) fn name(&self) -> ApiResult<Option<NodeName>> {
        let name = self.name.as_deref().map(NodeName::parse).transpose();
        name.map_err(|error| Problem::new(Code::InvalidName).detail(error.to_string()))
    }

    /// Reads `Upload-Metadata` over what is known already. Keys that mean nothing here are kept for the client alone.
    pub(super) fn read_metadata(&mut self, field: &str) -> ApiResult<()> {
        let invalid = |what: &str| wrong(&UPLOAD_METADATA, what);
        let mut seen = HashSet::new();
        for pair in field.split(',').map(str::trim) {
            if pair.is_empty() {
                continue;
            }
            let (key, encoded) = pair.split_once(' ').unwrap_or((pair, ""));
            if !seen.insert(key) {
                return Err(invalid("has a key twice"));
            }
            let value =
                STANDARD.decode(encoded.trim()).map_err(|_| invalid("has a value that is not base64"))?;
            let value = || String::from_utf8(value).map_err(|_| invalid("has a value that is not UTF-8"));
            match key {
                "filename" => self.name = Some(value()?),
                // what a library adds beside `filename`
                "name" if !seen.contains("filename") => self.name = Some(value()?),
                "folder" => self.folder = Some(value()?),
                "onConflict" => {
                    let word = OnConflict::parse(&value()?);
                    self.on_conflict =
                        Some(word.ok_or_else(|| {
                            invalid("has an onConflict that is not fail, rename or replace")
                        })?);
                }
                "modifiedAt" => {
                    let at = Timestamp::parse(&value()?);
                    self.modified_at =
                        Some(at.ok_or_else(|| invalid("has a modifiedAt that is no time of RFC 3339"))?);
                }
                // as browsers give it
                "lastModified" => {
                    let millis =
                        value()?.parse().map_err(|_| invalid("has a lastModified that is no number"))?;
                    self.modified_at = Some(Timestamp::from_millis(millis));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes the name from `Content-Disposition`, unless there is one.
    pub(super) fn read_disposition(&mut self, request: &HttpRequest) -> ApiResult<()> {
        let Some(value) = request.headers().get(header::CONTENT_DISPOSITION).filter(|_| self.name.is_none())
        else {
            return Ok(());
        };
        let disposition = ContentDisposition::from_raw(value)
            .map_err(|_| wrong(&header::CONTENT_DISPOSITION, "cannot be read"))?;
        debug_assert!(!matches!(disposition.disposition, DispositionType::Ext(ref name) if name.is_empty()));
        self.name = match disposition.get_filename_ext() {
            Some(name) => String::from_utf8(name.value.clone()).ok(),
            None => disposition.get_filename().map(str::to_owned),
        };
        Ok(())
    }
}

/// `Upload-Limit`: what uploads keep to, and for how long this one is kept.
pub(super) fn limit_field(max_size: Option<u64>, max_age_seconds: u64) -> String {
    let size = max_size.map_or_else(String::new, |bytes| format!("max-size={bytes}, "));
    format!("{size}max-age={max_age_seconds}")
}

/// Whether all bytes are there, as far as a client can do something about it.
pub(super) fn is_complete(upload: &Upload) -> bool {
    matches!(upload.state, UploadState::Done(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn with(name: &HeaderName, value: &str) -> HttpRequest {
        TestRequest::default().insert_header((name.as_str(), value)).to_http_request()
    }

    #[test]
    fn numbers_and_flags_are_read() {
        for (value, number) in [
            ("0", Some(0)),
            ("17", Some(17)),
            (" 5 ", Some(5)),
            ("5;x=1", Some(5)),
            ("9223372036854775807", Some(i64::MAX as u64)),
        ] {
            assert_eq!(bytes(&with(&UPLOAD_OFFSET, value), &UPLOAD_OFFSET).unwrap(), number, "{value}");
        }
        for wrong in
            ["", "-1", "+1", "1.0", "0x1", "a", "1 2", "9223372036854775808", "99999999999999999999999"]
        {
            assert!(bytes(&with(&UPLOAD_OFFSET, wrong), &UPLOAD_OFFSET).is_err(), "{wrong}");
        }
        assert_eq!(bytes(&with(&UPLOAD_LENGTH, "1"), &UPLOAD_OFFSET).unwrap(), None);
        assert_eq!(flag(&with(&UPLOAD_COMPLETE, "?1"), &UPLOAD_COMPLETE).unwrap(), Some(true));
        assert_eq!(flag(&with(&UPLOAD_COMPLETE, "?0;a"), &UPLOAD_COMPLETE).unwrap(), Some(false));
        for wrong in ["1", "true", "", "?2", "??1"] {
            assert!(flag(&with(&UPLOAD_COMPLETE, wrong), &UPLOAD_COMPLETE).is_err(), "{wrong}");
        }
    }

    #[test]
    fn metadata_are_read() {
        let mut wishes = Wishes::default();
        let field = format!(
            "name {},filename {}, empty,folder {},onConflict {},lastModified {},filetype",
            STANDARD.encode("other"),
            STANDARD.encode("ä, b.txt"),
            STANDARD.encode("root"),
            STANDARD.encode("rename"),
            STANDARD.encode("1700000000123"),
        );
        wishes.read_metadata(&field).unwrap();
        let expected = Wishes {
            folder: Some("root".to_owned()),
            name: Some("ä, b.txt".to_owned()),
            on_conflict: Some(OnConflict::Rename),
            modified_at: Some(Timestamp::from_millis(1_700_000_000_123)),
        };
        assert_eq!(wishes, expected);
        for wrong in ["filename !", "a YQ==,a YQ==", "onConflict YQ==", "modifiedAt YQ==", "filename /w=="] {
            assert!(Wishes::default().read_metadata(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_are_known_by_their_addresses() {
        let (one, two) = ("0123456789abcdef01234567", "1123456789abcdef01234567");
        let parts = UploadRole::Final(vec![one.parse().unwrap(), two.parse().unwrap()]);
        for list in [
            format!("final;/api/v1/uploads/{one} /api/v1/uploads/{two}"),
            format!("final;https://example.org/x/api/v1/uploads/{one} uploads/{two}/"),
            format!("final; {one}  {two}"),
        ] {
            assert_eq!(role(&with(&UPLOAD_CONCAT, &list)).unwrap(), parts, "{list}");
        }
        assert_eq!(role(&with(&UPLOAD_CONCAT, "partial")).unwrap(), UploadRole::Part);
        let twice = format!("final;{one} ../uploads/{one}");
        for wrong in ["final", "final;", "final;x", "Partial", "", &*twice] {
            assert!(role(&with(&UPLOAD_CONCAT, wrong)).is_err(), "{wrong}");
        }
    }
}
