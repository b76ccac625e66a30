//! What the tests of contents share.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use common::Sha256;
use common::files::{FileStore as _, Usage};
use common::jobs::Outbox as _;
use futures_util::stream;
use reqwest::{Body, Method, StatusCode};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::support::{Answer, Client, Server, answer, segment, until};

/// Bytes in which no two places are alike.
pub(crate) fn noise(len: usize) -> Bytes {
    testkit::blob_store::bytes(len as u64 + 1, len)
}

/// The path that uploads a file of this name.
pub(crate) fn child(folder: &str, name: &str, query: &str) -> String {
    format!("/api/v1/files/{folder}/children/{}/content{query}", segment(name))
}

pub(crate) fn content(file: &str) -> String {
    format!("/api/v1/files/{file}/content")
}

/// A body whose length is not announced.
pub(crate) fn chunked(content: Bytes) -> Body {
    let pieces: Vec<_> =
        content.chunks(30_000).map(|piece| Ok::<_, std::io::Error>(content.slice_ref(piece))).collect();
    Body::wrap_stream(stream::iter(pieces))
}

impl Client<'_> {
    pub(crate) async fn upload(&self, path: &str, content: impl Into<Body>) -> Answer {
        answer(self.request(Method::PUT, path).body(content)).await
    }

    pub(crate) async fn upload_with(
        &self,
        path: &str,
        content: impl Into<Body>,
        fields: &[(&str, &str)],
    ) -> Answer {
        let request = fields
            .iter()
            .fold(self.request(Method::PUT, path), |request, (name, value)| request.header(*name, *value));
        answer(request.body(content)).await
    }

    pub(crate) async fn get_with(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = fields
            .iter()
            .fold(self.request(Method::GET, path), |request, (name, value)| request.header(*name, *value));
        answer(request).await
    }

    pub(crate) async fn show(&self, file: &str) -> Value {
        self.get(&format!("/api/v1/files/{file}")).await.expect(StatusCode::OK)
    }

    /// The file of this name in the root, if there is one.
    pub(crate) async fn child_named(&self, name: &str) -> Option<Value> {
        let list = self.get("/api/v1/files/root/children?limit=1000").await.expect(StatusCode::OK);
        list["items"].as_array().unwrap().iter().find(|item| item["name"] == name).cloned()
    }
}

/// The head of a request on a connection of its own, with `fields` that end in a line break each.
pub(crate) fn head(user: &Client<'_>, method: &str, path: &str, fields: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: test\r\nX-Token: {}\r\n{fields}\r\n", user.token)
}

/// Reads until the end of an answer's head; its status, and all that was read.
pub(crate) async fn read_head(stream: &mut TcpStream) -> (u16, String) {
    let mut read = Vec::new();
    let ended = async {
        let mut buffer = [0; 4096];
        while !read.windows(4).any(|window| window == b"\r\n\r\n") {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => read.extend_from_slice(&buffer[..count]),
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), ended).await.expect("an answer comes");
    let text = String::from_utf8_lossy(&read).into_owned();
    let status = text.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, text)
}

pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

impl Server {
    /// Blobs on the disk.
    pub(crate) fn stored(&self) -> Vec<PathBuf> {
        files_below(&self.dir.path().join("blobs").join("blobs"))
    }

    /// Files on the disk that no upload has finished.
    pub(crate) fn temporary(&self) -> Vec<PathBuf> {
        files_below(&self.dir.path().join("blobs").join("tmp"))
    }

    pub(crate) async fn usage_of(&self, user: &Client<'_>) -> Usage {
        let root = user.show("root").await;
        self.store.usage(root["spaceId"].as_str().unwrap().parse().unwrap()).await.unwrap()
    }

    pub(crate) async fn set_quota_of(&self, user: &Client<'_>, bytes: u64) {
        let root = user.show("root").await;
        self.store.set_quota(root["spaceId"].as_str().unwrap().parse().unwrap(), Some(bytes)).await.unwrap();
    }

    /// Waits until nothing of an upload is left: no entry, no blob, no quota, no job, no temporary file.
    pub(crate) async fn nothing_is_left(&self, user: &Client<'_>) {
        until("nothing is left", async || {
            let usage = self.usage_of(user).await;
            usage.used_bytes == 0
                && usage.reserved_bytes == 0
                && usage.node_count == 0
                && self.stored().is_empty()
                && self.temporary().is_empty()
        })
        .await;
        assert_eq!(self.store.depth().await.unwrap(), 0);
        assert!(user.names("root").await.is_empty());
    }
}

pub(crate) fn digest_field(content: &[u8]) -> String {
    Sha256::of(content).to_field()
}
