//! Two requests at one upload.

use std::sync::Arc;

use file_service::FileSettings;
use reqwest::{Method, StatusCode};
use tokio::io::AsyncReadExt as _;

use crate::helpers::{Tus as _, content, file_id, half_sent};
use crate::support::{Server, answer};

#[actix_web::test]
async fn a_frozen_request_leaves_for_a_new_one() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let bytes = content(8_000_000);
    let upload = ann.begin("file", bytes.len()).await;
    // no end, no more bytes, the connection stays open
    let mut frozen = half_sent(&server, &ann, &upload, (0, bytes.len()), &bytes[..4_000_000]).await;
    let offset = ann.offset(&upload).await;
    assert!(offset > 0 && offset <= 4_000_000, "{offset}");
    let done = ann.send(&upload, offset, &bytes[offset..]).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.content_of(&file_id(&done)).await, bytes);
    // and it was told
    let mut told = String::new();
    let mut buffer = [0; 1024];
    while !told.contains("\r\n") {
        let count = frozen.read(&mut buffer).await.unwrap();
        assert!(count > 0, "{told}");
        told.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    assert!(told.starts_with("HTTP/1.1 423"), "{told}");
}

#[actix_web::test]
async fn a_request_to_another_replica_takes_over() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let bytes = content(8_000_000);
    let upload = ann.begin("file", bytes.len()).await;
    let _frozen = half_sent(&server, &ann, &upload, (0, bytes.len()), &bytes[..4_000_000]).await;
    let (other, drain) = server.replica(FileSettings::default());
    #[expect(clippy::disallowed_methods, reason = "a client as any program has it")]
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = |method: Method| {
        client
            .request(method, format!("{other}{upload}"))
            .header("x-token", &ann.token)
            .header("tus-resumable", "1.0.0")
    };
    let stands = answer(request(Method::HEAD)).await;
    assert_eq!(stands.status, StatusCode::OK);
    let offset: usize = stands.header("upload-offset").unwrap().parse().unwrap();
    assert!(offset > 0 && offset <= 4_000_000, "{offset}");
    let patch = request(Method::PATCH)
        .header("upload-offset", offset)
        .header("content-type", "application/offset+octet-stream")
        .body(bytes[offset..].to_vec());
    let done = answer(patch).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.content_of(&file_id(&done)).await, bytes);
    drain.stop.cancel();
}

#[actix_web::test]
async fn of_many_at_one_offset_none_is_mixed_with_another() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let size = 3_000_000;
    let upload = ann.begin("file", size).await;
    let contents: Vec<Arc<Vec<u8>>> =
        (1..=4).map(|seed| Arc::new(testkit::blob_store::bytes(seed, size).to_vec())).collect();
    let sent = contents.iter().map(|bytes| ann.send(&upload, 0, bytes));
    let sent = futures_util::future::join_all(sent).await;
    for answer in &sent {
        assert!([204, 409, 423].contains(&answer.status.as_u16()), "{answer:?}");
    }
    // go on with one of them, whoever has begun
    let mut offset = ann.offset(&upload).await;
    if offset < size {
        ann.send(&upload, offset, &contents[0][offset..]).await;
        offset = ann.offset(&upload).await;
    }
    assert_eq!(offset, size);
    let stored = ann.content_of(&file_id(&ann.stands(&upload).await)).await;
    let is_pure = |bytes: &[u8]| {
        // what one began another may have gone on with, from where the first had left
        let same = stored.iter().zip(bytes).take_while(|(one, two)| one == two).count();
        contents.iter().any(|other| stored[same..] == other[same..])
    };
    assert!(contents.iter().any(|bytes| is_pure(bytes)), "bytes of several requests are mixed");
    assert_eq!(ann.names("root").await, ["file"]);
}

#[actix_web::test]
async fn an_upload_is_ended_while_bytes_come() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let bytes = content(4_000_000);
    let upload = ann.begin("file", bytes.len()).await;
    let _frozen = half_sent(&server, &ann, &upload, (0, bytes.len()), &bytes[..2_000_000]).await;
    assert_eq!(ann.delete(&upload).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.stands(&upload).await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.dir.path().join("blobs/partial").read_dir().unwrap().count(), 0);
}
