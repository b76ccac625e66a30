//! A client of tus, by hand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, RequestBuilder, StatusCode};
use tokio::io::AsyncWriteExt as _;

use crate::support::{Answer, Client, Server, answer, until};

pub(crate) const UPLOADS: &str = "/api/v1/uploads";

/// `Upload-Metadata` of these keys and values.
pub(crate) fn metadata(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<_> =
        pairs.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
    pairs.join(",")
}

/// Bytes that do not repeat soon.
pub(crate) fn content(len: usize) -> Vec<u8> {
    testkit::blob_store::bytes(1, len).to_vec()
}

pub(crate) trait Tus {
    fn tus(&self, method: Method, path: &str) -> RequestBuilder;
    /// Creates an upload of a file; its address.
    async fn begin(&self, name: &str, length: usize) -> String;
    async fn send(&self, upload: &str, offset: usize, bytes: &[u8]) -> Answer;
    /// The same, again for as long as another request holds the upload.
    async fn send_when_free(&self, upload: &str, offset: usize, bytes: &[u8]) -> Answer;
    async fn stands(&self, upload: &str) -> Answer;
    /// Where the upload stands.
    async fn offset(&self, upload: &str) -> usize;
    async fn content_of(&self, file: &str) -> Vec<u8>;
}

impl Tus for Client<'_> {
    fn tus(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header("tus-resumable", "1.0.0")
    }

    async fn begin(&self, name: &str, length: usize) -> String {
        let made = self
            .tus(Method::POST, UPLOADS)
            .header("upload-length", length)
            .header("upload-metadata", metadata(&[("filename", name)]));
        let made = answer(made).await;
        made.expect(StatusCode::CREATED);
        address(&made)
    }

    async fn send(&self, upload: &str, offset: usize, bytes: &[u8]) -> Answer {
        let request = self
            .tus(Method::PATCH, upload)
            .header("upload-offset", offset)
            .header("content-type", "application/offset+octet-stream");
        answer(request.body(bytes.to_vec())).await
    }

    async fn send_when_free(&self, upload: &str, offset: usize, bytes: &[u8]) -> Answer {
        let mut sent = None;
        until("nobody else holds the upload", async || {
            let answer = self.send(upload, offset, bytes).await;
            let is_free = answer.status != StatusCode::LOCKED;
            sent = Some(answer);
            is_free
        })
        .await;
        sent.expect("it was sent")
    }

    async fn stands(&self, upload: &str) -> Answer {
        answer(self.tus(Method::HEAD, upload)).await
    }

    async fn offset(&self, upload: &str) -> usize {
        let stands = self.stands(upload).await;
        assert_eq!(stands.status, StatusCode::OK);
        stands.header("upload-offset").unwrap().parse().unwrap()
    }

    async fn content_of(&self, file: &str) -> Vec<u8> {
        let read = self.get(&format!("/api/v1/files/{file}/content")).await;
        assert_eq!(read.status, StatusCode::OK, "{}", read.text());
        read.bytes
    }
}

/// The address of an upload that was created by a request to [`UPLOADS`].
pub(crate) fn address(made: &Answer) -> String {
    let location = made.header("location").unwrap_or_else(|| panic!("no address: {made:?}"));
    assert!(location.starts_with("uploads/"), "{location}");
    format!("/api/v1/{location}")
}

/// The file that an answer names.
pub(crate) fn file_id(answer: &Answer) -> String {
    answer.header("file-id").unwrap_or_else(|| panic!("no file: {answer:?}")).to_owned()
}

/// Sends the head of a PATCH that announces `announced` bytes, and these of them, and waits until the server has written some: before that,
/// whoever asks for the offset ends the request with nothing. The connection stays open.
pub(crate) async fn half_sent(
    server: &Server,
    client: &Client<'_>,
    upload: &str,
    (offset, announced): (usize, usize),
    bytes: &[u8],
) -> tokio::net::TcpStream {
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nHost: test\r\nX-Token: {}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: {announced}\r\n\r\n",
        client.token
    );
    let mut stream = server.send_raw(head.as_bytes()).await;
    stream.write_all(bytes).await.unwrap();
    stream.flush().await.unwrap();
    let folder = server.dir.path().join("blobs/partial");
    until("bytes are written", async || {
        let mut files = folder.read_dir().unwrap();
        files.any(|entry| entry.unwrap().metadata().is_ok_and(|facts| facts.len() > 0))
    })
    .await;
    stream
}
