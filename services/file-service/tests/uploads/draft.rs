//! The draft of the IETF, on the same uploads.

use common::Sha256;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

use crate::helpers::{Tus as _, UPLOADS, address, content, file_id};
use crate::support::{Answer, Client, Server, answer, id_of};

fn creation(ann: &Client<'_>, query: &str, complete: &str) -> RequestBuilder {
    ann.request(Method::POST, &format!("{UPLOADS}{query}")).header("upload-complete", complete)
}

async fn append(ann: &Client<'_>, upload: &str, offset: usize, complete: &str, bytes: &[u8]) -> Answer {
    let request = ann
        .request(Method::PATCH, upload)
        .header("content-type", "application/partial-upload")
        .header("upload-offset", offset)
        .header("upload-complete", complete);
    answer(request.body(bytes.to_vec())).await
}

#[actix_web::test]
async fn an_upload_begins_empty_and_becomes_a_file() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let folder = ann.folder("docs", "root").await;
    let bytes = content(2_000_000);
    let query = format!("?name=a%20b.txt&folder={folder}&modifiedAt=2020-01-01T00:00:00Z");
    let made = answer(creation(&ann, &query, "?0").header("upload-draft-interop-version", "8")).await;
    made.expect(StatusCode::CREATED);
    assert_eq!((made.header("upload-complete"), made.header("upload-offset")), (Some("?0"), Some("0")));
    assert_eq!(made.header("upload-limit"), Some("max-age=604800"));
    let upload = address(&made);
    let more = append(&ann, &upload, 0, "?0", &bytes[..500_000]).await;
    assert_eq!(more.status, StatusCode::NO_CONTENT);
    assert_eq!((more.header("upload-complete"), more.header("upload-offset")), (Some("?0"), Some("500000")));
    for method in [Method::HEAD, Method::GET] {
        let asked = ann.request(method, &upload).header("upload-draft-interop-version", "8");
        let stands = answer(asked).await;
        assert_eq!(stands.status, StatusCode::NO_CONTENT);
        assert_eq!(
            (stands.header("upload-complete"), stands.header("upload-offset")),
            (Some("?0"), Some("500000"))
        );
        assert_eq!(stands.header("cache-control"), Some("no-store"));
        assert_eq!(stands.header("upload-length"), None);
    }
    let done = append(&ann, &upload, 500_000, "?1", &bytes[500_000..]).await;
    let file = done.expect(StatusCode::CREATED);
    assert_eq!((&file["name"], &file["parentId"]), (&json!("a b.txt"), &json!(folder)));
    assert_eq!(file["contentModifiedAt"], "2020-01-01T00:00:00.000Z");
    assert_eq!(file["sha256"], Sha256::of(&bytes).to_string());
    assert_eq!(done.header("upload-complete"), Some("?1"));
    assert_eq!(done.header("location"), Some(&*format!("../files/{}", id_of(&file))));
    assert_eq!(file_id(&done), id_of(&file));
    let stands = answer(ann.request(Method::HEAD, &upload)).await;
    assert_eq!(
        (stands.header("upload-complete"), stands.header("upload-length")),
        (Some("?1"), Some("2000000"))
    );
    let more = append(&ann, &upload, 2_000_000, "?1", b"x").await.expect_problem(400, "upload_complete");
    assert_eq!(more["type"], "https://iana.org/assignments/http-problem-types#completed-upload");
    // wherever it thinks that the upload stands: nothing more is taken
    append(&ann, &upload, 5, "?0", b"x").await.expect_problem(400, "upload_complete");
}

#[actix_web::test]
async fn everything_may_come_in_one_request() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let bytes = content(70_000);
    let made = creation(&ann, "", "?1")
        .header("content-disposition", "attachment; filename*=UTF-8''%C3%A4.bin")
        .header("content-digest", Sha256::of(&bytes).to_field())
        .header("repr-digest", Sha256::of(&bytes).to_field());
    let made = answer(made.body(bytes.clone())).await;
    let file = made.expect(StatusCode::CREATED);
    assert_eq!((&file["name"], &file["size"]), (&json!("ä.bin"), &json!(70_000)));
    assert_eq!((made.header("upload-complete"), made.header("upload-offset")), (Some("?1"), Some("70000")));
    assert_eq!(made.header("location"), Some(&*format!("files/{}", id_of(&file))));
    // new content for it
    let again = answer(creation(&ann, "?name=%C3%A4.bin&onConflict=replace", "?1").body("new")).await;
    assert_eq!(again.expect(StatusCode::OK)["version"], 2);
    assert_eq!(ann.content_of(&id_of(&file)).await, b"new");
    // nothing is a file too
    let empty = answer(creation(&ann, "?name=empty", "?1")).await.expect(StatusCode::CREATED);
    assert_eq!(empty["size"], 0);
}

#[actix_web::test]
async fn lengths_must_agree() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let made = answer(creation(&ann, "?name=file", "?0").header("upload-length", 10).body("123")).await;
    let upload = address(&made);
    assert_eq!((made.header("upload-offset"), made.header("upload-length")), (Some("3"), Some("10")));
    let unlike = append(&ann, &upload, 3, "?1", b"456").await.expect_problem(400, "upload_length");
    assert_eq!(unlike["type"], "https://iana.org/assignments/http-problem-types#inconsistent-upload-length");
    let request = ann.request(Method::PATCH, &upload).header("content-type", "application/partial-upload");
    let request =
        request.header("upload-offset", 3).header("upload-complete", "?0").header("upload-length", 11);
    answer(request.body("4")).await.expect_problem(400, "upload_length");
    // all bytes, and the client has not said so
    let more = append(&ann, &upload, 3, "?0", b"4567890").await;
    assert_eq!((more.status, more.header("upload-complete")), (StatusCode::NO_CONTENT, Some("?0")));
    let done = append(&ann, &upload, 10, "?1", b"").await.expect(StatusCode::CREATED);
    assert_eq!(ann.content_of(&id_of(&done)).await, b"1234567890");
}

#[actix_web::test]
async fn wrong_requests_change_nothing() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let upload = address(&answer(creation(&ann, "?name=file", "?0").body("12345")).await);
    let offset = append(&ann, &upload, 3, "?0", b"x").await;
    let problem = offset.expect_problem(409, "upload_offset");
    assert_eq!((&problem["expected-offset"], &problem["provided-offset"]), (&json!(5), &json!(3)));
    assert_eq!((offset.header("upload-offset"), offset.header("upload-complete")), (Some("5"), Some("?0")));
    append(&ann, &upload, 5, "yes", b"x").await.expect_problem(400, "invalid_request");
    let missing = ann.request(Method::PATCH, &upload).header("content-type", "application/partial-upload");
    answer(missing.header("upload-offset", 5).body("x")).await.expect_problem(400, "invalid_request");
    let typed =
        ann.request(Method::PATCH, &upload).header("upload-complete", "?0").header("upload-offset", 5);
    answer(typed.header("content-type", "text/plain").body("x"))
        .await
        .expect_problem(415, "unsupported_media_type");
    let digest = ann
        .request(Method::PATCH, &upload)
        .header("content-type", "application/partial-upload")
        .header("upload-offset", 5)
        .header("upload-complete", "?0")
        .header("content-digest", Sha256::of(b"y").to_field());
    answer(digest.body("x")).await.expect_problem(460, "checksum_mismatch");
    answer(creation(&ann, "", "?0")).await.expect_problem(400, "invalid_request");
    answer(creation(&ann, "?name=x&color=red", "?0")).await.expect_problem(400, "invalid_request");
    let stands = answer(ann.request(Method::HEAD, &upload)).await;
    assert_eq!(stands.header("upload-offset"), Some("5"));
    assert_eq!(ann.delete(&upload).await.status, StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn both_protocols_go_on_with_one_upload() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let upload = ann.begin("file", 9).await;
    assert_eq!(append(&ann, &upload, 0, "?0", b"123").await.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.send(&upload, 3, b"456").await.header("upload-offset"), Some("6"));
    let done = append(&ann, &upload, 6, "?1", b"789").await.expect(StatusCode::CREATED);
    assert_eq!(ann.content_of(&id_of(&done)).await, b"123456789");
}
