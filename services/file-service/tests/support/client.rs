//! How tests speak to a service.

use common::UserId;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::Server;

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Client<'s> {
    pub(super) server: &'s Server,
    pub(crate) token: String,
    pub(crate) id: UserId,
}

impl Client<'_> {
    /// A request with the credential.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.server.request(method, path).header("x-token", &self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn put(&self, path: &str) -> Answer {
        answer(self.request(Method::PUT, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        answer(self.request(Method::PATCH, path).json(&body)).await
    }

    /// Makes a folder; its id.
    pub(crate) async fn folder(&self, name: &str, parent: &str) -> String {
        let made = self.post("/api/v1/files", json!({ "name": name, "parentId": parent })).await;
        id_of(&made.expect(StatusCode::CREATED))
    }

    /// Uploads a file by the v1 API; its id.
    pub(crate) async fn file(&self, name: &str, parent: &str, content: impl Into<reqwest::Body>) -> String {
        let path = format!("/api/v1/files/{parent}/children/{}/content", segment(name));
        let made = answer(self.request(Method::PUT, &path).body(content)).await;
        id_of(&made.expect(StatusCode::CREATED))
    }

    /// Names of what is in a folder, in the list's own order.
    pub(crate) async fn names(&self, folder: &str) -> Vec<String> {
        let list =
            self.get(&format!("/api/v1/files/{folder}/children?limit=1000")).await.expect(StatusCode::OK);
        names_of(&list)
    }
}

/// The `id` of an answer.
#[track_caller]
pub(crate) fn id_of(body: &Value) -> String {
    body["id"].as_str().unwrap_or_else(|| panic!("no id in {body}")).to_owned()
}

/// The names in a list.
pub(crate) fn names_of(list: &Value) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

/// A name as a segment of a path: every byte that is no letter or digit is encoded.
pub(crate) fn segment(name: &str) -> String {
    name.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

/// What came back, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// The body as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    /// The body as JSON, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        if self.bytes.is_empty() { Value::Null } else { serde_json::from_slice(&self.bytes).unwrap() }
    }

    /// The answer is a problem with this status and code.
    #[track_caller]
    pub(crate) fn expect_problem(&self, status: u16, code: &str) -> Value {
        let body = self.expect(StatusCode::from_u16(status).unwrap());
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(body["error"], body["detail"]);
        assert!(body["requestId"].is_string());
        body
    }

    /// The answer is a classic error with this status and message, and nothing else.
    #[track_caller]
    pub(crate) fn expect_classic(&self, status: u16, message: &str) {
        let body = self.expect(StatusCode::from_u16(status).unwrap());
        assert_eq!(body, json!({ "error": message }));
        assert_eq!(self.header("content-type"), Some("application/json"));
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Sends a request and reads the answer.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, bytes: response.bytes().await.unwrap().to_vec() }
}

/// The members of an object, sorted.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
