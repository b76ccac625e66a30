//! What is being sent, or received, when a right ends.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Client, Server, answer, id_of};

const MIB: usize = 1024 * 1024;

/// One that looks before every piece that it sends.
async fn watchful() -> Server {
    Server::with(|settings| settings.recheck_every = Duration::ZERO).await
}

/// Reads until the body ends or breaks off; how much came, and whether all of it did.
async fn drain(response: reqwest::Response) -> (usize, bool) {
    let mut body = response.bytes_stream();
    let mut received = 0;
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => received += piece.len(),
            Err(_) => return (received, false),
        }
    }
    (received, true)
}

/// So much that it does not fit into what systems keep for a connection.
const LARGE: usize = 64 * MIB;

#[actix_web::test]
async fn a_download_ends_soon_after_its_link() {
    let server = watchful().await;
    let owner = server.user("a");
    let file = owner.file("large", "root", vec![7; LARGE]).await;
    let made =
        owner.post(&format!("/api/v1/files/{file}/links"), json!({})).await.expect(StatusCode::CREATED);
    let path = format!("/api/v1/public/{}/content", made["token"].as_str().unwrap());
    let open = async || server.request(Method::GET, &path).send().await.unwrap();
    // undisturbed it comes whole
    assert_eq!(drain(open().await).await, (LARGE, true));
    let under_way = open().await;
    owner.delete(&format!("/api/v1/links/{}", id_of(&made))).await.expect(StatusCode::NO_CONTENT);
    let (received, whole) = drain(under_way).await;
    assert!(!whole && received < LARGE, "{received}");
}

#[actix_web::test]
async fn a_download_ends_soon_after_its_link_has_another_password() {
    let server = watchful().await;
    let owner = server.user("a");
    let file = owner.file("large", "root", vec![7; LARGE]).await;
    let links = format!("/api/v1/files/{file}/links");
    let made = owner.post(&links, json!({"password": "the first one"})).await.expect(StatusCode::CREATED);
    let link = format!("/api/v1/links/{}", id_of(&made));
    let path = format!("/api/v1/public/{}/content", made["token"].as_str().unwrap());
    let open = async |password| {
        server.request(Method::GET, &path).header("x-link-password", password).send().await.unwrap()
    };
    let under_way = open("the first one").await;
    owner.patch(&link, json!({"password": "the second one"})).await.expect(StatusCode::OK);
    let (received, whole) = drain(under_way).await;
    assert!(!whole && received < LARGE, "{received}");
    // one that is open to all in the end takes nothing away
    let under_way = open("the second one").await;
    owner.patch(&link, json!({"password": null})).await.expect(StatusCode::OK);
    assert_eq!(drain(under_way).await, (LARGE, true));
}

#[actix_web::test]
async fn a_download_ends_soon_after_its_share_and_the_owners_goes_on() {
    let server = watchful().await;
    let (owner, b) = (server.user("a"), server.user("b"));
    let file = owner.file("large", "root", vec![7; LARGE]).await;
    let body = json!({"userId": b.id, "role": "viewer"});
    let share =
        id_of(&owner.post(&format!("/api/v1/files/{file}/shares"), body).await.expect(StatusCode::CREATED));
    let path = format!("/api/v1/files/{file}/content");
    let (theirs, own) = (
        b.request(Method::GET, &path).send().await.unwrap(),
        owner.request(Method::GET, &path).send().await.unwrap(),
    );
    owner.delete(&format!("/api/v1/shares/{share}")).await.expect(StatusCode::NO_CONTENT);
    let (received, whole) = drain(theirs).await;
    assert!(!whole && received < LARGE, "{received}");
    assert_eq!(drain(own).await, (LARGE, true));
    b.get(&path).await.expect_problem(404, "not_found");
}

/// Paths to 64 MiB each: of a file, of its one version, and of archives with it.
async fn ways_to_much(owner: &Client<'_>) -> (String, Vec<String>) {
    let folder = owner.folder("f", "root").await;
    let file = owner.file("large", &folder, vec![7; LARGE]).await;
    let ways = vec![
        format!("/api/v1/files/{file}/content"),
        format!("/files/{file}/data"),
        format!("/api/v1/files/{file}/versions/1/content"),
        format!("/api/v1/files/{folder}/archive"),
        format!("/api/v1/archives?ids={file}&format=tar"),
    ];
    (folder, ways)
}

#[actix_web::test]
async fn an_archive_ends_soon_after_its_link() {
    let server = watchful().await;
    let owner = server.user("a");
    let (folder, _) = ways_to_much(&owner).await;
    let links = format!("/api/v1/files/{folder}/links");
    let made = owner.post(&links, json!({})).await.expect(StatusCode::CREATED);
    let path = format!("/api/v1/public/{}/archive", made["token"].as_str().unwrap());
    let open = async || server.request(Method::GET, &path).send().await.unwrap();
    // undisturbed it comes whole
    let whole = open().await;
    let length = usize::try_from(whole.content_length().unwrap()).unwrap();
    assert_eq!(drain(whole).await, (length, true));
    let under_way = open().await;
    owner.delete(&format!("/api/v1/links/{}", id_of(&made))).await.expect(StatusCode::NO_CONTENT);
    let (received, whole) = drain(under_way).await;
    assert!(!whole && 0 < received && received < length, "{received}");
}

#[actix_web::test]
async fn what_an_owner_downloads_ends_soon_after_their_credential() {
    let server = watchful().await;
    let owner = server.user("a");
    let (_, ways) = ways_to_much(&owner).await;
    for path in ways {
        let open = async || owner.request(Method::GET, &path).send().await.unwrap();
        // where nobody can say whether it has ended, it has not
        let under_way = open().await;
        assert_eq!(under_way.status(), StatusCode::OK, "{path}");
        server.auth_outage.store(true, Ordering::SeqCst);
        assert!(drain(under_way).await.1, "{path}");
        server.auth_outage.store(false, Ordering::SeqCst);
        let under_way = open().await;
        server.end_token_of(&owner);
        let (received, whole) = drain(under_way).await;
        assert!(!whole && received < LARGE, "{path}: {received}");
        server.ended.lock().unwrap().clear();
    }
}

/// A body of which the test sends one piece after another.
fn piecewise() -> (tokio::sync::mpsc::Sender<Result<bytes::Bytes, std::io::Error>>, reqwest::Body) {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let body = futures_util::stream::unfold(receiver, async |mut receiver| {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    });
    (sender, reqwest::Body::wrap_stream(body))
}

#[actix_web::test]
async fn what_arrives_after_the_credential_has_ended_is_not_kept() {
    let server = watchful().await;
    let owner = server.user("a");
    let file = owner.file("a", "root", "before").await;
    let made = owner.request(Method::POST, "/api/v1/uploads").header("tus-resumable", "1.0.0");
    let made = answer(made.header("upload-length", "11").header("upload-metadata", "filename Yg==")).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let upload = format!("/api/v1/{}", made.header("location").unwrap());
    let requests = [
        owner.request(Method::PUT, "/api/v1/files/root/children/late/content"),
        owner.request(Method::PUT, &format!("/api/v1/files/{file}/content")),
        owner
            .request(Method::PATCH, &upload)
            .header("tus-resumable", "1.0.0")
            .header("upload-offset", "0")
            .header("content-type", "application/offset+octet-stream"),
    ];
    for request in requests {
        let (sender, body) = piecewise();
        let sent = answer(request.body(body));
        let end = async {
            sender.send(Ok(bytes::Bytes::from_static(b"first"))).await.unwrap();
            // the second is taken when the first has left, and the third when the second has
            sender.send(Ok(bytes::Bytes::from_static(b"sec"))).await.unwrap();
            server.end_token_of(&owner);
            sender.send(Ok(bytes::Bytes::from_static(b"ond"))).await.ok();
            drop(sender);
        };
        let (answered, ()) = tokio::join!(sent, end);
        answered.expect_problem(401, "unauthorized");
        server.ended.lock().unwrap().clear();
    }
    assert_eq!(owner.names("root").await, ["a"]);
    assert_eq!(owner.get(&format!("/api/v1/files/{file}/content")).await.text(), "before");
    // the upload itself is there to be gone on with by another credential
    let head = answer(owner.request(Method::HEAD, &upload).header("tus-resumable", "1.0.0")).await;
    assert_eq!(head.status, StatusCode::OK);
}

#[actix_web::test]
async fn what_arrives_after_the_right_has_ended_is_not_kept() {
    let server = watchful().await;
    let owner = server.user("a");
    let folder = owner.folder("f", "root").await;
    let made = owner
        .post(&format!("/api/v1/files/{folder}/links"), json!({"role": "dropper"}))
        .await
        .expect(StatusCode::CREATED);
    let path = format!("/api/v1/public/{}/children/late/content", made["token"].as_str().unwrap());
    let (sender, body) = piecewise();
    let upload = answer(server.request(Method::PUT, &path).body(body));
    let revoke = async {
        // more than lies between both ends: so the file is being received
        for _ in 0..16 {
            sender.send(Ok(bytes::Bytes::from_static(&[b'x'; 1 << 20]))).await.unwrap();
        }
        owner.delete(&format!("/api/v1/links/{}", id_of(&made))).await.expect(StatusCode::NO_CONTENT);
        drop(sender);
    };
    let (answered, ()) = tokio::join!(upload, revoke);
    answered.expect_problem(404, "parent_not_found");
    assert!(owner.names(&folder).await.is_empty());
}
