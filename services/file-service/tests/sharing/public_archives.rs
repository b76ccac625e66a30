//! Archives by a link.

use std::time::Duration;

use common::files::BlobStore as _;
use file_service::ArchiveSettings;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

use crate::public::{Tree, Visitor};
use crate::support::{Client, Server, answer, until};

#[actix_web::test]
async fn a_link_gives_what_is_below_it_in_one_download() {
    let server = Server::start().await;
    let owner = server.user("a");
    let tree = Tree::of(&owner).await;
    let visitor = Visitor::of(&server, &owner, &tree.top, json!({})).await;
    let all = visitor.get("/archive").await;
    assert_eq!(all.status, StatusCode::OK);
    assert_eq!(all.header("content-disposition"), Some("attachment; filename=\"top.zip\""));
    // the same as the owner's
    let own = owner.get(&format!("/api/v1/files/{}/archive", tree.top)).await;
    assert_eq!(all.bytes, own.bytes);
    let some = visitor.get(&format!("/archive?ids={},{}&format=tar", tree.file, tree.inner)).await;
    assert_eq!(some.header("content-disposition"), Some("attachment; filename=\"top.tar\""));
    for id in [&*tree.beside, "root", "nonsense"] {
        visitor.get(&format!("/archive?ids={id}")).await.expect_problem(404, "not_found");
    }
    for (role, status, code) in [("preview-only", 403, "forbidden"), ("dropper", 403, "forbidden")] {
        let visitor = Visitor::of(&server, &owner, &tree.top, json!({ "role": role })).await;
        visitor.get("/archive").await.expect_problem(status, code);
    }
}

#[actix_web::test]
async fn an_archive_is_one_download_of_a_link_and_can_be_gone_on_with() {
    let server = Server::start().await;
    let owner = server.user("a");
    let tree = Tree::of(&owner).await;
    let visitor = Visitor::of(&server, &owner, &tree.top, json!({"maxDownloads": 1})).await;
    let head = answer(visitor.request(Method::HEAD, "/archive")).await;
    assert_eq!(head.status, StatusCode::OK);
    let whole = visitor.get("/archive").await;
    let ticket = whole.header("x-download-ticket").unwrap();
    visitor.get("/archive").await.expect_problem(410, "link_exhausted");
    visitor.get(&format!("/content?id={}", tree.file)).await.expect_problem(410, "link_exhausted");
    let rest = visitor.request(Method::GET, "/archive").header("range", "bytes=50-");
    let rest = answer(rest.header("x-download-ticket", ticket)).await;
    assert_eq!(rest.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(rest.bytes, whole.bytes[50..]);
    // good for exactly this archive
    let other = visitor.request(Method::GET, &format!("/archive?ids={}", tree.file));
    answer(other.header("x-download-ticket", ticket)).await.expect_problem(410, "link_exhausted");
    let shown = owner.get(&format!("/api/v1/files/{}/links", tree.top)).await.expect(StatusCode::OK);
    let link = shown["items"].as_array().unwrap().iter().find(|link| link["id"] == *visitor.link).unwrap();
    assert_eq!(link["downloads"], 1);
}

/// So much that it does not fit into what systems keep for a connection whose client reads nothing.
const LARGE: usize = 64 * 1024 * 1024;

/// A folder with one large file: two entries of an archive.
async fn large_folder(owner: &Client<'_>) -> String {
    let folder = owner.folder("large", "root").await;
    owner.file("large.bin", &folder, vec![7; LARGE]).await;
    folder
}

/// The status of an answer whose body nobody reads.
async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.unwrap().status()
}

/// A server with room for one large folder of a visitor.
async fn narrow(of_one: impl FnOnce(&mut ArchiveSettings)) -> Server {
    Server::with(|settings| {
        settings.recheck_every = Duration::from_millis(20);
        of_one(&mut settings.archives);
    })
    .await
}

#[actix_web::test]
async fn a_visitor_who_reads_nothing_takes_no_room_from_others_and_loses_it_with_the_link() {
    let server = narrow(|archives| archives.of_address = 3).await;
    let owner = server.user("a");
    let folder = large_folder(&owner).await;
    let (one, other) = (
        Visitor::of(&server, &owner, &folder, json!({})).await,
        Visitor::of(&server, &owner, &folder, json!({})).await,
    );
    let held = one.request(Method::GET, "/archive").send().await.unwrap();
    assert_eq!(held.status(), StatusCode::OK);
    for visitor in [&one, &other] {
        visitor.get("/archive").await.expect_problem(503, "unavailable");
    }
    let own = owner.request(Method::GET, &format!("/api/v1/files/{folder}/archive"));
    assert_eq!(status(own).await, StatusCode::OK, "whoever has an account has a share of their own");
    owner.delete(&format!("/api/v1/links/{}", one.link)).await.expect(StatusCode::NO_CONTENT);
    until("the room is given back", async || {
        status(other.request(Method::GET, "/archive")).await == StatusCode::OK
    })
    .await;
    drop(held);
}

#[actix_web::test]
async fn an_archive_is_given_up_whose_client_takes_nothing() {
    let give_up_after = Duration::from_millis(200);
    let server = narrow(|archives| (archives.of_link, archives.give_up_after) = (3, give_up_after)).await;
    let owner = server.user("a");
    let folder = large_folder(&owner).await;
    let visitor = Visitor::of(&server, &owner, &folder, json!({})).await;
    let held = visitor.request(Method::GET, "/archive").send().await.unwrap();
    until("the room is given back", async || {
        status(visitor.request(Method::GET, "/archive")).await == StatusCode::OK
    })
    .await;
    assert!(held.bytes().await.is_err(), "it is not cut short quietly");
}

#[actix_web::test]
async fn a_link_that_is_used_up_is_refused_before_an_archive_is_planned() {
    let server = narrow(|archives| archives.of_visitors = 3).await;
    let owner = server.user("a");
    let folder = large_folder(&owner).await;
    let visitor = Visitor::of(&server, &owner, &folder, json!({"maxDownloads": 1})).await;
    let held = visitor.request(Method::GET, "/archive").send().await.unwrap();
    let ticket = held.headers()["x-download-ticket"].to_str().unwrap().to_owned();
    // there is no room to plan another one, so that it shows what is planned
    let with = |ticket: &str| visitor.request(Method::GET, "/archive").header("x-download-ticket", ticket);
    visitor.get("/archive").await.expect_problem(410, "link_exhausted");
    answer(with("forged")).await.expect_problem(410, "link_exhausted");
    assert_eq!(status(visitor.request(Method::HEAD, "/archive")).await, StatusCode::GONE);
    answer(with(&ticket)).await.expect_problem(503, "unavailable");
    drop(held);
}

#[actix_web::test]
async fn what_cannot_be_read_is_no_download() {
    let server = Server::start().await;
    let owner = server.user("a");
    let folder = owner.folder("f", "root").await;
    let file = owner.file("a.bin", &folder, vec![7; 600_000]).await;
    let visitor = Visitor::of(&server, &owner, &folder, json!({"maxDownloads": 1})).await;
    let content = format!("/content?id={file}");
    let blob = server.blob_of(&file).await;
    server.blobs.delete(blob).await.unwrap();
    for path in ["/archive", "/archive?format=tar", &content] {
        visitor.get(path).await.expect_problem(500, "internal");
        let part = visitor.request(Method::GET, path).header("range", "bytes=300000-");
        answer(part).await.expect_problem(500, "internal");
    }
    let several = visitor.request(Method::GET, &content).header("range", "bytes=0-9,300000-300009");
    answer(several).await.expect_problem(500, "internal");
    assert_eq!(visitor.get("").await.expect(StatusCode::OK)["downloadsLeft"], 1);
    owner.file("b.bin", &folder, vec![8; 600_000]).await;
    owner.delete(&format!("/api/v1/files/{file}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(visitor.get("/archive").await.status, StatusCode::OK);
    assert_eq!(visitor.get("").await.expect(StatusCode::OK)["downloadsLeft"], 0);
}
