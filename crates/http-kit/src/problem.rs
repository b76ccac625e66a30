//! Answers that report a failure: RFC 9457 for v1, `{"error": …}` for the classic API.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use common::{Causes, Code, PortError};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::request_id;

/// What a handler of the v1 API returns.
pub type ApiResult<T> = Result<T, Problem>;

/// What a handler of the classic API returns.
pub type ClassicResult<T> = Result<T, ClassicError>;

/// Media type of a [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One field of a request that is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where it stands in the body, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// A stable word.
    pub code: Cow<'static, str>,
    /// A sentence for people.
    pub detail: Cow<'static, str>,
}

/// The form of a [`Problem`] in the OpenAPI document. Some codes add members.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// `about:blank`, as the code tells problems apart, or what a standard has registered for this one.
    pub r#type: String,
    /// The code in words.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What happened in this case.
    pub detail: String,
    /// A stable word.
    pub code: String,
    /// The same as `detail`.
    pub error: String,
    /// The id to quote when asking for help; it stands in the logs.
    pub request_id: Option<String>,
    /// The fields at fault.
    pub errors: Option<Vec<FieldError>>,
}

/// A failure as clients of the v1 API see it (RFC 9457). Nothing internal may go in: what clients must not see is logged instead.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    kind: &'static str,
    detail: Option<Cow<'static, str>>,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// The failure with this code; its detail is the code's title until [`Problem::detail`] says more.
    pub fn new(code: Code) -> Self {
        Self(Box::new(Inner {
            code,
            kind: "about:blank",
            detail: None,
            errors: Vec::new(),
            members: Map::new(),
            headers: Vec::new(),
        }))
    }

    /// Says what happened in this case, for people.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Gives the problem a type that a standard has registered.
    #[must_use]
    pub fn kind(mut self, uri: &'static str) -> Self {
        self.0.kind = uri;
        self
    }

    /// Names a field at fault: its JSON Pointer, a stable word and a sentence.
    #[must_use]
    pub fn field(
        mut self,
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.0.errors.push(FieldError { pointer: pointer.into(), code: code.into(), detail: detail.into() });
        self
    }

    /// Adds a member to the answer. The members that every problem has cannot be replaced.
    #[must_use]
    pub fn member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.into(), value.into());
        self
    }

    /// Adds a header field to the answer, in place of one of the same name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.retain(|(present, _)| *present != name);
        self.0.headers.push((name, value));
        self
    }

    /// Says when to ask again, rounded up to whole seconds.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)))
    }

    /// The stable word of this failure.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The sentence that clients see.
    pub fn message(&self) -> &str {
        self.0.detail.as_deref().unwrap_or(self.0.code.title())
    }

    /// The fields at fault.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    fn body(&self) -> Vec<u8> {
        let inner = &*self.0;
        let mut body = inner.members.clone();
        body.insert("type".into(), json!(inner.kind));
        body.insert("title".into(), json!(inner.code.title()));
        body.insert("status".into(), json!(inner.code.status()));
        body.insert("detail".into(), json!(self.message()));
        body.insert("code".into(), json!(inner.code.word()));
        body.insert("error".into(), json!(self.message()));
        if let Some(id) = request_id::current() {
            body.insert("requestId".into(), json!(id.as_str()));
        }
        if !inner.errors.is_empty() {
            body.insert("errors".into(), json!(inner.errors));
        }
        serde_json::to_vec(&body).expect("a map with text keys is JSON")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.word(), self.message())
    }
}

impl StdError for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        status(self.0.code)
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        answer.content_type(MEDIA_TYPE);
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        for field in &self.0.headers {
            answer.insert_header(field.clone());
        }
        if self.0.code.status() == 401 {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        answer.body(self.body())
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<PortError> for Problem {
    /// Logs the failure once, with its causes, and keeps only what a client may see.
    fn from(error: PortError) -> Self {
        log_port_error(&error);
        match error {
            PortError::Unavailable { .. } => Self::new(Code::Unavailable).retry_after(PortError::RETRY_AFTER),
            PortError::Full { .. } => Self::new(Code::DiskFull),
            PortError::Broken { .. } => Self::new(Code::Internal),
        }
    }
}

/// A failure as clients of the classic API see it: `{"error": "<message>"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicError {
    /// The status.
    pub status: StatusCode,
    /// The message; clients compare it, spelling and capitals included.
    pub message: Cow<'static, str>,
    /// When to ask again.
    pub retry_after: Option<Duration>,
}

impl ClassicError {
    /// A failure with this status and message.
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    /// 400 with a message.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401 `Unauthorized`.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized")
    }

    /// 404 `Not found`.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found")
    }
}

impl fmt::Display for ClassicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for ClassicError {}

impl ResponseError for ClassicError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(wait) = self.retry_after {
            answer.insert_header((header::RETRY_AFTER, whole_seconds(wait)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        answer.json(json!({ "error": self.message }))
    }
}

impl From<PortError> for ClassicError {
    /// As for [`Problem`].
    fn from(error: PortError) -> Self {
        log_port_error(&error);
        match error {
            PortError::Unavailable { .. } => Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                message: "Service unavailable".into(),
                retry_after: Some(PortError::RETRY_AFTER),
            },
            PortError::Full { .. } => Self::new(StatusCode::INSUFFICIENT_STORAGE, "No space left"),
            PortError::Broken { .. } => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"),
        }
    }
}

impl From<Problem> for ClassicError {
    /// Keeps status, message and `Retry-After`; 401 and 404 get the classic words.
    fn from(problem: Problem) -> Self {
        let retry_after = problem
            .0
            .headers
            .iter()
            .find(|(name, _)| *name == header::RETRY_AFTER)
            .and_then(|(_, value)| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let plain = match problem.status_code() {
            StatusCode::UNAUTHORIZED => Self::unauthorized(),
            StatusCode::NOT_FOUND => Self::not_found(),
            status => Self::new(status, problem.message().to_owned()),
        };
        Self { retry_after, ..plain }
    }
}

/// The code for an error that the framework answered with a bare status.
pub(crate) fn code_of_status(status: StatusCode) -> Code {
    match status.as_u16() {
        401 => Code::Unauthorized,
        403 => Code::Forbidden,
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        406 => Code::NotAcceptable,
        408 => Code::BodyTooSlow,
        409 => Code::Conflict,
        411 => Code::LengthRequired,
        412 => Code::PreconditionFailed,
        413 => Code::TooLarge,
        415 => Code::UnsupportedMediaType,
        416 => Code::RangeNotSatisfiable,
        417 => Code::ExpectationFailed,
        422 => Code::Unprocessable,
        429 => Code::RateLimited,
        431 => Code::HeadersTooLarge,
        503 => Code::Unavailable,
        507 => Code::DiskFull,
        400..500 => Code::InvalidRequest,
        _ => Code::Internal,
    }
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).expect("the table of codes has HTTP statuses")
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn log_port_error(error: &PortError) {
    let cause = Causes(error);
    match error {
        PortError::Unavailable { part, .. } => tracing::warn!(part, %cause, "dependency unavailable"),
        PortError::Full { part, .. } => tracing::error!(part, %cause, "no room left"),
        PortError::Broken { part, .. } => tracing::error!(part, %cause, "dependency failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;
    use actix_web::http::header::RETRY_AFTER;

    async fn body_of(error: &impl ResponseError) -> Value {
        let bytes = to_bytes(error.error_response().into_body()).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[actix_web::test]
    async fn a_problem_has_all_members() {
        let problem = Problem::new(Code::NameTaken)
            .detail("There is an a.txt already")
            .field("/name", "taken", "Choose another one")
            .member("existingId", "5f1e8896c7ba06511e683b25")
            .member("status", 200);
        let id = request_id::RequestId::parse("req-1").unwrap();
        let body = request_id::scope(id, body_of(&problem)).await;
        assert_eq!(
            body,
            json!({
                "type": "about:blank", "title": "The name is taken", "status": 409, "code": "name_taken",
                "detail": "There is an a.txt already", "error": "There is an a.txt already", "requestId": "req-1",
                "existingId": "5f1e8896c7ba06511e683b25",
                "errors": [{"pointer": "/name", "code": "taken", "detail": "Choose another one"}],
            })
        );
    }

    #[actix_web::test]
    async fn a_client_sees_nothing_of_what_a_port_said() {
        for (error, status, code, wait) in [
            (PortError::unavailable("store", "secret"), 503, "unavailable", Some("2")),
            (PortError::full("blobs", "secret"), 507, "disk_full", None),
            (PortError::broken("store", "secret"), 500, "internal", None),
        ] {
            let problem = Problem::from(error);
            let answer = problem.error_response();
            assert_eq!(answer.status().as_u16(), status);
            assert_eq!(answer.headers().get(RETRY_AFTER).map(|v| v.to_str().unwrap()), wait);
            let body = body_of(&problem).await;
            assert_eq!(body["code"], code);
            assert!(!body.to_string().contains("secret"));
        }
    }

    #[actix_web::test]
    async fn a_refusal_names_the_scheme() {
        for answer in
            [Problem::new(Code::Unauthorized).error_response(), ClassicError::unauthorized().error_response()]
        {
            assert_eq!(answer.headers().get(header::WWW_AUTHENTICATE).unwrap(), "Bearer");
        }
    }

    #[actix_web::test]
    async fn classic_errors_are_the_message_alone() {
        let error = ClassicError::bad_request("Missing name");
        assert_eq!(body_of(&error).await, json!({"error": "Missing name"}));
        let limited =
            ClassicError::from(Problem::new(Code::RateLimited).retry_after(Duration::from_millis(1500)));
        assert_eq!((limited.status.as_u16(), limited.retry_after), (429, Some(Duration::from_secs(2))));
        assert_eq!(ClassicError::from(Problem::new(Code::NotFound).detail("x")).message, "Not found");
        assert_eq!(ClassicError::from(PortError::unavailable("store", "x")).status.as_u16(), 503);
    }

    #[test]
    fn every_code_has_its_own_status_back() {
        for status in
            [401, 403, 404, 405, 406, 408, 409, 411, 412, 413, 415, 416, 417, 422, 429, 431, 500, 503, 507]
        {
            assert_eq!(code_of_status(StatusCode::from_u16(status).unwrap()).status(), status);
        }
        assert_eq!(code_of_status(StatusCode::BAD_REQUEST), Code::InvalidRequest);
    }
}
