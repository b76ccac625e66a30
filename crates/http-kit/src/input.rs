//! Reads path, query and body inside a handler, after the caller is known.

use std::str::FromStr;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use common::Code;
use serde::de::DeserializeOwned;

use crate::body::{BodyLimits, BodyStream};
use crate::problem::{ApiResult, ClassicError, ClassicResult, Problem};

mod pointer;

/// Reads a JSON body of at most `limit` bytes.
///
/// # Errors
/// 415 unless the type is `application/json` or `…+json`; 413 over the limit; 400 `invalid_json` for what is no JSON; 400 `invalid_request`, with the
/// pointer of the field, for unknown fields (where the type denies them), missing ones and wrong types; 408 and 400 as [`BodyStream`].
pub async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
    limit: usize,
) -> ApiResult<T> {
    if !is_json(request) {
        return Err(Problem::new(Code::UnsupportedMediaType).detail("The body must be application/json"));
    }
    let limits = BodyLimits::up_to(limit as u64);
    limits.check_declared(request)?;
    let body = BodyStream::new(payload, limits).collect().await?;
    parse(&body)
}

/// Reads a JSON body as the classic API does: another type, or no body, counts as `{}`.
///
/// # Errors
/// 400 for malformed JSON and for what is not an object of this form; 413 over the limit; 408 and 400 as [`BodyStream`].
pub async fn lenient<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
    limit: usize,
) -> ClassicResult<T> {
    let limits = BodyLimits::up_to(limit as u64);
    limits.check_declared(request)?;
    let body = BodyStream::new(payload, limits).collect().await?;
    let text = if is_json(request) && !body.trim_ascii().is_empty() { &*body } else { b"{}" };
    let text = without_mark(text);
    // derived types read arrays as structs, field by field; the classic API takes objects only
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(ClassicError::bad_request("Invalid JSON"));
    }
    serde_json::from_slice(text).map_err(|error| {
        ClassicError::bad_request(if error.is_data() { "Invalid request" } else { "Invalid JSON" })
    })
}

/// Reads the query.
///
/// # Errors
/// 400 `invalid_request` for unknown parameters (where the type denies them) and values of the wrong form.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> ApiResult<T> {
    web::Query::<T>::from_query(request.query_string()).map(web::Query::into_inner).map_err(|error| {
        let reason = match &error {
            actix_web::error::QueryPayloadError::Deserialize(error) => error.to_string(),
            other => other.to_string(),
        };
        let problem =
            Problem::new(Code::InvalidRequest).detail(format!("The query cannot be read: {reason}"));
        match pointer::quoted_field(&reason) {
            Some((field, code)) => problem.field(format!("?{field}"), code, reason),
            None => problem,
        }
    })
}

/// Reads an id from the path. A malformed one is answered as an unknown one.
///
/// # Errors
/// 404 `not_found`.
pub fn path_id<Id: FromStr>(request: &HttpRequest, name: &str) -> ApiResult<Id> {
    request
        .match_info()
        .get(name)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Problem::new(Code::NotFound))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> ApiResult<T> {
    let text = without_mark(body);
    serde_json::from_slice(text).map_err(|error| {
        let whole = error.to_string();
        let reason = whole.rsplit_once(" at line ").map_or(&*whole, |(reason, _)| reason).to_owned();
        if !error.is_data() {
            let place = format!("{reason} (line {}, column {})", error.line(), error.column());
            return Problem::new(Code::InvalidJson).detail(format!("The body is not JSON: {place}"));
        }
        let (pointer, code) = pointer::locate(text, &error, &reason);
        let at = if pointer.is_empty() { String::new() } else { format!(" at {pointer}") };
        Problem::new(Code::InvalidRequest).detail(format!("{reason}{at}")).field(pointer, code, reason)
    })
}

/// RFC 8259, 8.1, lets a reader ignore a byte order mark, and some editors write one.
fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)
}

fn is_json(request: &HttpRequest) -> bool {
    let value =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    let suffix = kind.len().checked_sub(5).and_then(|at| kind.get(at..)).unwrap_or_default();
    kind.eq_ignore_ascii_case("application/json") || suffix.eq_ignore_ascii_case("+json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::FromRequest as _;
    use actix_web::test::TestRequest;
    use common::FileId;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Body {
        name: String,
        parent_id: Option<u32>,
        #[serde(default)]
        tags: Vec<String>,
    }

    async fn read(
        content_type: Option<&str>,
        body: &str,
        limit: usize,
    ) -> (HttpRequest, web::Payload, usize) {
        let mut request = TestRequest::post().set_payload(body.to_owned());
        if let Some(value) = content_type {
            request = request.insert_header((header::CONTENT_TYPE, value));
        }
        let (request, mut payload) = request.to_http_parts();
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        (request, payload, limit)
    }

    async fn v1(content_type: &str, body: &str) -> ApiResult<Body> {
        let (request, payload, limit) = read(Some(content_type), body, 100).await;
        json(&request, payload, limit).await
    }

    async fn classic(content_type: Option<&str>, body: &str) -> ClassicResult<serde_json::Value> {
        let (request, payload, limit) = read(content_type, body, 100).await;
        lenient(&request, payload, limit).await
    }

    #[actix_web::test]
    async fn json_of_any_json_type_is_read() {
        for kind in ["application/json", "APPLICATION/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert_eq!(v1(kind, "\u{feff}{\"name\":\"a\"}").await.unwrap().name, "a", "{kind}");
        }
        for kind in ["text/plain", "", "application/jsonp", "json"] {
            assert_eq!(
                v1(kind, "{\"name\":\"a\"}").await.unwrap_err().code(),
                Code::UnsupportedMediaType,
                "{kind}"
            );
        }
    }

    #[actix_web::test]
    async fn faults_are_named_with_their_place() {
        for (body, pointer, code) in [
            (r#"{"name":5}"#, "/name", "invalid"),
            (r#"{"name":"a","parentId":"x"}"#, "/parentId", "invalid"),
            (r#"{"name":"a","parentId":-1,"tags":[]}"#, "/parentId", "invalid"),
            (r#"{"name":"a","tags":["x","y",3]}"#, "/tags/2", "invalid"),
            (r#"{"name":"a","nope/~":1}"#, "/nope~1~0", "unknown"),
            (r#"{"parentId":1}"#, "/name", "missing"),
            (r#"{"name":"a","name":"b"}"#, "/name", "duplicate"),
            (r#"{"name":{"x":1}}"#, "/name", "invalid"),
            ("7", "", "invalid"),
        ] {
            let problem = v1("application/json", body).await.unwrap_err();
            assert_eq!(problem.code(), Code::InvalidRequest, "{body}");
            let [error] = problem.errors() else { panic!("{problem:?}") };
            assert_eq!((&*error.pointer, &*error.code), (pointer, code), "{body}: {}", error.detail);
        }
    }

    #[actix_web::test]
    async fn what_is_no_json_is_said_so() {
        for body in
            ["", "{", "{\"name\":\"a\"", "{name:1}", "{\"name\":\"a\"} x", "\u{1}", "{\"name\":\"\\ud800\"}"]
        {
            assert_eq!(v1("application/json", body).await.unwrap_err().code(), Code::InvalidJson, "{body}");
        }
        let long = format!("{{\"name\":\"{}\"}}", "a".repeat(100));
        assert_eq!(v1("application/json", &long).await.unwrap_err().code(), Code::TooLarge);
    }

    #[actix_web::test]
    async fn the_classic_api_takes_anything_else_for_an_empty_object() {
        let empty = serde_json::json!({});
        assert_eq!(classic(None, "").await.unwrap(), empty);
        assert_eq!(classic(Some("application/json"), " ").await.unwrap(), empty);
        assert_eq!(classic(Some("text/plain"), "{\"a\":1}").await.unwrap(), empty);
        assert_eq!(
            classic(Some("application/json"), "{\"a\":1}").await.unwrap(),
            serde_json::json!({"a": 1})
        );
        for body in ["{", "[]", "null", "\"x\"", "5"] {
            assert_eq!(
                classic(Some("application/json"), body).await.unwrap_err().status.as_u16(),
                400,
                "{body}"
            );
        }
        let (request, payload, _) = read(Some("application/json"), "[\"a\", 1, []]", 100).await;
        assert!(lenient::<Body>(&request, payload, 100).await.is_err());
    }

    #[test]
    fn queries_and_ids_are_read() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Query {
            limit: Option<u32>,
        }
        let with = |uri: &str| query::<Query>(&TestRequest::with_uri(uri).to_http_request());
        assert_eq!(with("/?limit=5").unwrap().limit, Some(5));
        assert_eq!(with("/").unwrap().limit, None);
        let unknown = with("/?x=5").unwrap_err();
        assert_eq!((unknown.code(), &*unknown.errors()[0].pointer), (Code::InvalidRequest, "?x"));
        assert_eq!(with("/?limit=x").unwrap_err().code(), Code::InvalidRequest);
        assert_eq!(with("/?limit=%ff").unwrap_err().code(), Code::InvalidRequest);

        let id = "5f1e8896c7ba06511e683b25";
        let request = TestRequest::default().param("id", id).to_http_request();
        assert_eq!(path_id::<FileId>(&request, "id").unwrap().to_string(), id);
        let request = TestRequest::default().param("id", "5f").to_http_request();
        assert_eq!(path_id::<FileId>(&request, "id").unwrap_err().code(), Code::NotFound);
    }
}
