//! Quotas, under races and for uploads of every kind.

use futures_util::future::join_all;
use reqwest::StatusCode;

use crate::helpers::{child, chunked, content, head, noise, read_head};
use crate::support::{Server, id_of, until};

#[actix_web::test]
async fn c071_of_fifty_at_once_exactly_ten_fit() {
    // inline, and as blobs with a reservation each
    for size in [10_000, 40_000] {
        let server = Server::start().await;
        let user = server.user("a");
        server.set_quota_of(&user, 10 * size as u64 + 5_000).await;
        let uploads = (0..50).map(|number| {
            let (user, body) = (user.clone(), noise(size));
            async move {
                let path = child("root", &number.to_string(), "");
                if number % 2 == 0 {
                    user.upload(&path, body).await
                } else {
                    user.upload(&path, chunked(body)).await
                }
            }
        });
        let answers = join_all(uploads).await;
        let made = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
        for answer in answers.iter().filter(|answer| answer.status != StatusCode::CREATED) {
            answer.expect_problem(507, "quota_exceeded");
        }
        // a chunked upload takes no more than it has, but for a moment two may stand in each other's way
        assert!(made <= 10, "{made}");
        until("reservations are given back", async || server.usage_of(&user).await.reserved_bytes == 0).await;
        let mut made = made;
        for number in 50..60 {
            let path = child("root", &number.to_string(), "");
            made += usize::from(user.upload(&path, noise(size)).await.status == StatusCode::CREATED);
        }
        assert_eq!(made, 10);
        assert_eq!(server.usage_of(&user).await.used_bytes, 10 * size as u64);
        until("no stray is left", async || server.stored().len() == if size > 16_384 { 10 } else { 0 }).await;
    }
}

#[actix_web::test]
async fn of_uploads_with_a_length_ten_fit_at_the_first_try() {
    let server = Server::start().await;
    let user = server.user("a");
    server.set_quota_of(&user, 405_000).await;
    let paths: Vec<_> = (0..50).map(|number| child("root", &number.to_string(), "")).collect();
    let answers = join_all(paths.iter().map(|path| user.upload(path, noise(40_000)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count(), 10);
    assert_eq!(server.usage_of(&user).await.used_bytes, 400_000);
}

#[actix_web::test]
async fn c073_what_exceeds_the_quota_is_refused_before_it_is_sent() {
    let server = Server::start().await;
    let user = server.user("a");
    server.set_quota_of(&user, 100_000).await;
    let id = user.file("a", "root", noise(50_000)).await;
    for path in [child("root", "b", ""), content(&id)] {
        let mut stream =
            server.send_raw(head(&user, "PUT", &path, "Content-Length: 50001\r\n").as_bytes()).await;
        let (status, text) = read_head(&mut stream).await;
        assert_eq!(status, 507, "{text}");
    }
    user.upload(&child("root", "b", ""), noise(50_000)).await.expect(StatusCode::CREATED);
    user.upload(&child("root", "c", ""), "x").await.expect_problem(507, "quota_exceeded");
    user.upload(&child("root", "empty", ""), "").await.expect(StatusCode::CREATED);
}

#[actix_web::test]
async fn an_upload_of_unknown_length_may_fill_the_space_to_the_last_byte() {
    let server = Server::start().await;
    let user = server.user("a");
    server.set_quota_of(&user, 1_000_000).await;
    user.upload(&child("root", "over", ""), chunked(noise(1_000_001)))
        .await
        .expect_problem(507, "quota_exceeded");
    server.nothing_is_left(&user).await;
    user.upload(&child("root", "fits", ""), chunked(noise(1_000_000))).await.expect(StatusCode::CREATED);
    let usage = server.usage_of(&user).await;
    assert_eq!((usage.used_bytes, usage.reserved_bytes), (1_000_000, 0));
}

#[actix_web::test]
async fn c070_uploads_under_way_count() {
    let server = Server::start().await;
    let user = server.user("a");
    server.set_quota_of(&user, 4_500_000).await;
    let request = head(&user, "PUT", &child("root", "first", ""), "Content-Length: 4200000\r\n");
    let stream = server.send_raw(request.as_bytes()).await;
    until("it has its room", async || server.usage_of(&user).await.reserved_bytes == 4_200_000).await;
    user.upload(&child("root", "second", ""), noise(4_200_000)).await.expect_problem(507, "quota_exceeded");
    user.upload(&child("root", "third", ""), chunked(noise(4_200_000)))
        .await
        .expect_problem(507, "quota_exceeded");
    drop(stream);
    server.nothing_is_left(&user).await;
    user.upload(&child("root", "second", ""), noise(4_200_000)).await.expect(StatusCode::CREATED);
}

#[actix_web::test]
async fn c076_usage_is_the_sum_of_what_exists() {
    let server = Server::with(|settings| settings.keep_versions = 1).await;
    let user = server.user("a");
    server.set_quota_of(&user, 100_000_000).await;
    let mut expected = 0;
    for round in 0..60_usize {
        let size = 1 + round * 997 % 60_000;
        let id = user.file(&format!("{round}"), "root", noise(size)).await;
        expected += size as u64;
        match round % 5 {
            // kept
            0 => {}
            // replaced, the old one is kept
            1 => {
                user.upload(&content(&id), noise(size / 2)).await.expect(StatusCode::OK);
                expected += size as u64 / 2;
            }
            // trashed, which still counts
            2 => {
                user.delete(&format!("/api/v1/files/{id}")).await.expect(StatusCode::NO_CONTENT);
            }
            // purged
            3 => {
                user.delete(&format!("/api/v1/files/{id}?permanent=true"))
                    .await
                    .expect(StatusCode::NO_CONTENT);
                let purge = server.internal(reqwest::Method::POST, "/internal/files/purge");
                let purge = purge.json(&serde_json::json!({ "node": id }));
                assert_eq!(crate::support::answer(purge).await.expect(StatusCode::OK)["done"], true);
                expected -= size as u64;
            }
            // replaced in vain, and an upload that is given up
            _ => {
                user.upload_with(
                    &content(&id),
                    noise(50_000),
                    &[("repr-digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")],
                )
                .await
                .expect_problem(400, "digest_mismatch");
                let request = head(&user, "PUT", &child("root", "given up", ""), "Content-Length: 70000\r\n");
                drop(server.send_raw(request.as_bytes()).await);
            }
        }
    }
    until("what was given up is given back", async || {
        let usage = server.usage_of(&user).await;
        usage.reserved_bytes == 0 && usage.used_bytes == expected
    })
    .await;
    let told = user.get("/api/v1/usage").await.expect(StatusCode::OK);
    assert_eq!(told["usedBytes"], expected);
    let one = user.child_named("0").await.unwrap();
    assert_eq!(user.get(&content(&id_of(&one))).await.bytes.len() as u64, one["size"].as_u64().unwrap());
}
