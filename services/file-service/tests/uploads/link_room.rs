//! What uploads by a link take from its owner and from others who have it.

use std::time::Duration;

use http_kit::TrustedProxies;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::closed::clear_up;
use crate::helpers::{content, metadata};
use crate::links::{Visitor, dropper};
use crate::shared::{QUOTA, free, with_quota};
use crate::support::{Server, answer};

#[actix_web::test]
async fn an_upload_by_a_link_expires_as_others_do_once_it_has_bytes() {
    const HOUR: Duration = Duration::from_secs(3600);
    let server = with_quota().await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let visitor = Visitor::of(&server, &owner, &folder, dropper()).await;
    let upload = visitor.begin("x", 600_000).await;
    let empty = visitor.begin("empty", 600_000).await;
    let end = server.now() + HOUR;
    let expires = async |upload: &str| visitor.show(upload).await.expect(StatusCode::OK)["expiresAt"].clone();
    assert_eq!((expires(&upload).await, expires(&empty).await), (json!(end), json!(end)));
    server.clock.advance(HOUR / 2);
    visitor.send(&upload, 0, b"x").await.expect(StatusCode::NO_CONTENT);
    visitor.send(&empty, 0, b"").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(
        (expires(&upload).await, expires(&empty).await),
        (json!(server.now() + HOUR * 24 * 7), json!(end))
    );
    server.clock.advance(HOUR);
    visitor.show(&empty).await.expect_problem(404, "not_found");
    clear_up(&server).await;
    assert_eq!(free(&owner).await, QUOTA - 1);
    server.clock.advance(HOUR * 24 * 7);
    visitor.show(&upload).await.expect_problem(404, "not_found");
    clear_up(&server).await;
    assert_eq!(free(&owner).await, QUOTA);
}

#[actix_web::test]
async fn one_visitor_keeps_neither_room_nor_places_from_others() {
    let server = Server::with(|settings| {
        settings.default_quota_bytes = Some(QUOTA);
        settings.most_uploads_by_link = 4;
        settings.most_uploads_by_link_from_one = 2;
        settings.trusted_proxies = TrustedProxies::parse(["127.0.0.1"]).unwrap();
    })
    .await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let visitor = Visitor::of(&server, &owner, &folder, dropper()).await;
    let begin = async |address: &str, length: usize| {
        let made = visitor.tus(Method::POST, &visitor.uploads()).header("x-forwarded-for", address);
        let made = made.header("upload-metadata", metadata(&[("filename", "x")]));
        answer(made.header("upload-length", length)).await
    };
    // all room there is, by lengths alone
    let whole = QUOTA as usize;
    for _ in 0..2 {
        begin("203.0.113.7", whole).await.expect(StatusCode::CREATED);
    }
    begin("203.0.113.7", 1).await.expect_problem(409, "too_many");
    assert_eq!(free(&owner).await, QUOTA);
    // others begin and send, and find the room that what has come leaves
    let other = begin("203.0.113.8", whole).await;
    other.expect(StatusCode::CREATED);
    let other = visitor.address(&other);
    visitor.send(&other, 0, &content(400_000)).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(free(&owner).await, QUOTA - 400_000);
    owner.file("own", "root", content(500_000)).await;
    visitor.send(&other, 400_000, &content(600_000)).await.expect_problem(507, "quota_exceeded");
    begin("203.0.113.8", whole).await.expect_problem(507, "quota_exceeded");
    visitor.end(&other).await.expect(StatusCode::NO_CONTENT);
    let last = begin("203.0.113.9", 1).await;
    last.expect(StatusCode::CREATED);
    visitor.send(&visitor.address(&last), 0, b"x").await.expect(StatusCode::NO_CONTENT);
}
