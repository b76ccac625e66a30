//! Bytes count when their checksum holds, and not before.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Crc32, Sha256};
use reqwest::{Method, RequestBuilder, StatusCode};

use crate::helpers::{Tus as _, UPLOADS, address, content, file_id, half_sent, metadata};
use crate::support::{Answer, Server, answer, until};

fn crc32(bytes: &[u8]) -> Crc32 {
    let mut hasher = common::digest::Hasher::default();
    hasher.update(bytes);
    hasher.finish().2
}

fn sha1(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

#[actix_web::test]
async fn a_wrong_checksum_leaves_the_offset_where_it_was() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let bytes = content(1_500_000);
    let upload = ann.begin("file", bytes.len()).await;
    let patch = async |offset: usize, bytes: &[u8], checksum: String| {
        let request = ann
            .tus(Method::PATCH, &upload)
            .header("upload-offset", offset)
            .header("upload-checksum", checksum);
        answer(request.header("content-type", "application/offset+octet-stream").body(bytes.to_vec())).await
    };
    let (parts, mut offset) = (bytes.chunks(500_000), 0);
    for (part, algorithm) in parts.zip(["sha1", "sha256", "crc32"]) {
        let right = match algorithm {
            "sha1" => sha1(part),
            "sha256" => Sha256::of(part).0.to_vec(),
            _ => crc32(part).0.to_be_bytes().to_vec(),
        };
        let mut wrong = right.clone();
        wrong[0] ^= 1;
        let refused = patch(offset, part, format!("{algorithm} {}", STANDARD.encode(&wrong))).await;
        refused.expect_problem(460, "checksum_mismatch");
        assert_eq!(refused.header("tus-resumable"), Some("1.0.0"));
        assert_eq!(ann.offset(&upload).await, offset);
        let taken = patch(offset, part, format!("{algorithm} {}", STANDARD.encode(&right))).await;
        assert_eq!(taken.status, StatusCode::NO_CONTENT, "{algorithm}");
        offset += part.len();
    }
    let file = file_id(&ann.stands(&upload).await);
    assert_eq!(ann.content_of(&file).await, bytes);
}

#[actix_web::test]
async fn checksums_that_cannot_be_read_are_refused() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let upload = ann.begin("file", 3).await;
    for wrong in
        ["md5 kAFQmDzST7DWlj99KOF/cg==", "sha1", "sha1 !", "sha1 AAAA", "SHA1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0="]
    {
        let request =
            ann.tus(Method::PATCH, &upload).header("upload-offset", 0).header("upload-checksum", wrong);
        let request = request.header("content-type", "application/offset+octet-stream").body("abc");
        answer(request).await.expect_problem(400, "invalid_request");
    }
    assert_eq!(ann.offset(&upload).await, 0);
}

#[actix_web::test]
async fn half_of_a_checked_request_counts_nothing() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let bytes = content(2_000_000);
    let upload = ann.begin("file", bytes.len()).await;
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nHost: test\r\nX-Token: {}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nUpload-Checksum: sha1 {}\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: {}\r\n\r\n",
        ann.token,
        STANDARD.encode(sha1(&bytes)),
        bytes.len()
    );
    let mut stream = server.send_raw(head.as_bytes()).await;
    tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes[..1_000_000]).await.unwrap();
    drop(stream);
    assert_eq!(ann.offset(&upload).await, 0);
    // the broken request may be taken in only now, and is let go of then
    let done = ann.send_when_free(&upload, 0, &bytes).await;
    assert_eq!(ann.content_of(&file_id(&done)).await, bytes);
}

#[actix_web::test]
async fn the_whole_is_checked_at_the_end() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let bytes = content(50_000);
    for (name, digest, status) in [
        ("right", Sha256::of(&bytes), StatusCode::NO_CONTENT),
        ("wrong", Sha256::of(b"x"), StatusCode::BAD_REQUEST),
    ] {
        let made = ann
            .tus(Method::POST, UPLOADS)
            .header("upload-length", bytes.len())
            .header("repr-digest", digest.to_field())
            .header("upload-metadata", metadata(&[("filename", name)]));
        let upload = address(&answer(made).await);
        ann.send(&upload, 0, &bytes[..20_000]).await;
        let sent = ann.send(&upload, 20_000, &bytes[20_000..]).await;
        assert_eq!(sent.status, status, "{name}");
    }
    assert_eq!(ann.names("root").await, ["right"]);
}

#[actix_web::test]
async fn digests_that_are_not_checked_are_accepted_and_told_of() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let own = Sha256::of(b"abc").to_field();
    let other = "sha-512=:AAAA:";
    let wanted = Some("sha-256=10");
    for (number, (repr, content, expected)) in [
        (&*own, &*own, (None, None)),
        (other, &*own, (wanted, None)),
        (&*own, other, (None, wanted)),
        (other, other, (wanted, wanted)),
    ]
    .into_iter()
    .enumerate()
    {
        let wants = |answer: &Answer| {
            let field = |name| answer.header(name).map(str::to_owned);
            (field("want-repr-digest"), field("want-content-digest"))
        };
        let expected = (expected.0.map(str::to_owned), expected.1.map(str::to_owned));
        let with =
            |request: RequestBuilder| request.header("repr-digest", repr).header("content-digest", content);
        let created = |name: &str| {
            ann.tus(Method::POST, UPLOADS)
                .header("upload-length", 3)
                .header("upload-metadata", metadata(&[("filename", &*format!("{name} {number}"))]))
        };
        let bytes = "application/offset+octet-stream";
        let at_once = answer(with(created("a")).header("content-type", bytes).body("abc")).await;
        assert_eq!((at_once.status, wants(&at_once)), (StatusCode::CREATED, expected.clone()));
        // of no bytes nothing is read that is said of them
        let begun = answer(with(created("b"))).await;
        assert_eq!((begun.status, wants(&begun)), (StatusCode::CREATED, (expected.0.clone(), None)));
        let patch = ann.tus(Method::PATCH, &address(&begun)).header("upload-offset", 0);
        let appended = answer(with(patch.header("content-type", bytes)).body("abc")).await;
        assert_eq!((appended.status, wants(&appended)), (StatusCode::NO_CONTENT, expected.clone()));
        assert_eq!(ann.content_of(&file_id(&appended)).await, b"abc");

        let draft = |name: &str, complete: &str| {
            ann.request(Method::POST, &format!("{UPLOADS}?name={name}{number}"))
                .header("upload-complete", complete)
        };
        let at_once = answer(with(draft("c", "?1")).body("abc")).await;
        assert_eq!((at_once.status, wants(&at_once)), (StatusCode::CREATED, expected.clone()));
        let begun = answer(draft("d", "?0")).await;
        assert_eq!((begun.status, wants(&begun)), (StatusCode::CREATED, (None, None)));
        let patch = ann.request(Method::PATCH, &address(&begun)).header("upload-offset", 0);
        let patch =
            patch.header("upload-complete", "?1").header("content-type", "application/partial-upload");
        let appended = answer(with(patch).body("abc")).await;
        assert_eq!((appended.status, wants(&appended)), (StatusCode::CREATED, expected));
    }
}

#[actix_web::test]
async fn a_broken_request_leaves_what_came() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let bytes = content(10_000_000);
    let upload = ann.begin("file", bytes.len()).await;
    let stream = half_sent(&server, &ann, &upload, (0, bytes.len()), &bytes[..5_000_000]).await;
    drop(stream);
    let mut offset = 0;
    until("the bytes are there", async || {
        offset = ann.offset(&upload).await;
        offset > 0
    })
    .await;
    assert!(offset <= 5_000_000, "{offset}");
    let done = ann.send(&upload, offset, &bytes[offset..]).await;
    assert_eq!(ann.content_of(&file_id(&done)).await, bytes);
}
