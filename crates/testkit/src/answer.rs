//! What a service under test answered.

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// What came back, read whole.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The body as text.
    ///
    /// # Panics
    /// If it is none.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    /// The body as JSON, null if it is empty.
    ///
    /// # Panics
    /// If the status is another one.
    #[track_caller]
    pub fn expect(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        if self.bytes.is_empty() { Value::Null } else { serde_json::from_slice(&self.bytes).unwrap() }
    }

    /// The problem document.
    ///
    /// # Panics
    /// If it is none, or has another status or code.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, code: &str) -> Value {
        let body = self.expect(StatusCode::from_u16(status).unwrap());
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(body["error"], body["detail"]);
        assert!(body["requestId"].is_string());
        body
    }

    /// Nothing, for an error of the classic API.
    ///
    /// # Panics
    /// If it has another status or message, or says anything else.
    #[track_caller]
    pub fn expect_classic(&self, status: u16, message: &str) {
        let body = self.expect(StatusCode::from_u16(status).unwrap());
        assert_eq!(body, json!({ "error": message }));
        assert_eq!(self.header("content-type"), Some("application/json"));
    }

    /// A header field, if it is there.
    ///
    /// # Panics
    /// If it is no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Sends a request and reads the answer.
///
/// # Panics
/// If none comes.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, bytes: response.bytes().await.unwrap().to_vec() }
}

/// The members of an object, sorted.
///
/// # Panics
/// If it is none.
pub fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
