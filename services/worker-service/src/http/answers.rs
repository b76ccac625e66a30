//! Answers that many calls share, in the document and in the code.

use common::Code;
use common::jobs::{ChangeJobError, LostLease};
use http_kit::Problem;
use http_kit::problem::ProblemDocument;
use utoipa::IntoResponses;

/// Most bytes of a JSON body. The gateway takes no more either.
pub(super) const MOST_BYTES: usize = 1024 * 1024;

/// What calls of anybody may be answered.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "documents answers")]
pub(super) enum Refused {
    /// `invalid_request`, `invalid_json`, `invalid_cursor`
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] ProblemDocument),
    /// No or bad credential
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] ProblemDocument),
    /// A dependency is away
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] ProblemDocument),
}

/// What calls that not everybody may make may be answered too.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "documents answers")]
pub(super) enum Restricted {
    /// `invalid_request`, `invalid_json`, `invalid_cursor`
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] ProblemDocument),
    /// No or bad credential
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] ProblemDocument),
    /// `forbidden`
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] ProblemDocument),
    /// A dependency is away
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] ProblemDocument),
}

/// A wrong field of a request.
pub(super) fn wrong(pointer: &str, detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    Problem::new(Code::InvalidRequest).detail(detail.clone()).field(pointer, "invalid", detail)
}

/// Why a job stays as it is.
pub(super) fn unchanged(error: ChangeJobError) -> Problem {
    match error {
        ChangeJobError::NotFound => Problem::new(Code::NotFound),
        ChangeJobError::State(state) => Problem::new(Code::JobState)
            .detail(format!("The job is {}", state.word()))
            .member("state", state.word()),
        ChangeJobError::Taken(holder) => Problem::new(Code::KeyTaken).member("holder", holder.to_string()),
        ChangeJobError::Port(error) => error.into(),
    }
}

/// Why a report was not taken.
pub(super) fn not_taken(error: LostLease) -> Problem {
    match error {
        LostLease::Lost => Problem::new(Code::LeaseLost),
        LostLease::Port(error) => error.into(),
    }
}
