//! How tests speak to a service.

use common::UserId;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use testkit::answer::{Answer, answer};

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
