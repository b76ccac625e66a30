//! Conditions on reading.

use reqwest::StatusCode;
use serde_json::json;

use crate::helpers::{child, content, noise};
use crate::support::{Server, id_of};

#[actix_web::test]
async fn c043_contents_of_one_size_and_second_differ() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.file("a", "root", "version one").await;
    let first = user.get(&content(&id)).await;
    let tag = first.header("etag").unwrap();
    let same = user.get_with(&content(&id), &[("if-none-match", tag)]).await;
    assert_eq!((same.status, same.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    for name in ["etag", "last-modified", "cache-control"] {
        assert_eq!(same.header(name), first.header(name), "{name}");
    }
    // the clock stands still meanwhile
    user.upload(&content(&id), "version two").await.expect(StatusCode::OK);
    let second = user.get_with(&content(&id), &[("if-none-match", tag)]).await;
    assert_eq!((second.status, second.text()), (StatusCode::OK, "version two"));
    assert_ne!(second.header("etag"), Some(tag));
    // what was there before is the same again
    user.upload(&content(&id), "version one").await.expect(StatusCode::OK);
    assert_eq!(user.get(&content(&id)).await.header("etag"), Some(tag));
}

#[actix_web::test]
async fn a_date_that_the_client_chose_hides_no_other_content() {
    let server = Server::start().await;
    let user = server.user("a");
    let (old, late) = ("2001-02-03T04:05:06Z", "2030-01-01T00:00:00Z");
    let dated = |at: &str| child("root", "a", &format!("?onConflict=replace&modifiedAt={at}"));
    let id = id_of(&user.upload(&dated(late), "first").await.expect(StatusCode::CREATED));
    let date = user.get(&content(&id)).await.header("last-modified").unwrap().to_owned();
    assert_eq!(date, "Tue, 01 Jan 2030 00:00:00 GMT");
    let since = async || user.get_with(&content(&id), &[("if-modified-since", &*date)]).await;
    // as long as it has been nothing else, the date says enough
    assert_eq!(since().await.status, StatusCode::NOT_MODIFIED);
    for (at, text) in [(old, "older"), (late, "of the same date")] {
        user.upload(&dated(at), text).await.expect(StatusCode::OK);
        let other = since().await;
        assert_eq!((other.status, other.text()), (StatusCode::OK, text));
    }
    // what was there before it is older by its date, and newer to whoever has the other
    user.post(&format!("/api/v1/files/{id}/versions/2/restore"), json!({})).await.expect(StatusCode::OK);
    let restored = since().await;
    assert_eq!((restored.status, restored.text()), (StatusCode::OK, "older"));
    // what a version was made of is never anything else
    let version = format!("/api/v1/files/{id}/versions/1/content");
    let first = user.get_with(&version, &[("if-modified-since", &date)]).await;
    assert_eq!(first.status, StatusCode::NOT_MODIFIED);
}

#[actix_web::test]
async fn conditions_are_weighed_in_their_order() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.file("a", "root", noise(20_000)).await;
    let first = user.get(&content(&id)).await;
    let (tag, date) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
    let before = "Sat, 01 Jan 2000 00:00:00 GMT";
    for (fields, status) in [
        (vec![("if-none-match", "\"x\"")], 200),
        (vec![("if-none-match", "*")], 304),
        (vec![("if-none-match", "\"x\""), ("if-modified-since", date)], 200),
        (vec![("if-modified-since", date)], 304),
        (vec![("if-modified-since", before)], 200),
        (vec![("if-unmodified-since", date)], 200),
        (vec![("if-unmodified-since", before)], 412),
        (vec![("if-match", tag), ("if-unmodified-since", before)], 200),
        (vec![("if-match", "\"x\"")], 412),
        (vec![("if-match", "\"x\""), ("range", "bytes=0-0")], 412),
        (vec![("if-match", tag), ("if-none-match", tag)], 304),
        (vec![("if-none-match", tag), ("range", "bytes=0-0")], 304),
        (vec![("if-match", tag), ("range", "bytes=0-0")], 206),
    ] {
        let answer = user.get_with(&content(&id), &fields).await;
        assert_eq!(answer.status.as_u16(), status, "{fields:?}");
    }
}

#[actix_web::test]
async fn the_trash_can_be_read_and_strangers_cannot() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("f", "root").await;
    let id = user.file("a", &folder, noise(20_000)).await;
    user.delete(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(user.get(&content(&id)).await.bytes, noise(20_000));
    user.upload(&content(&id), "x").await.expect_problem(404, "not_found");
    user.delete(&format!("/api/v1/files/{folder}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    user.get(&content(&id)).await.expect_problem(404, "not_found");
    user.get(&content("root")).await.expect_problem(409, "not_a_file");
}
