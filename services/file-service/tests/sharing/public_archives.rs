//! Archives by a link.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::public::{Tree, Visitor};
use crate::support::{Server, answer};

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
