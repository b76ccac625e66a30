//! Thumbnails, from the upload over what the worker does to what viewers get.

use std::time::Duration;

use common::jobs::Outbox as _;
use common::jobs::types::{THUMBNAILS, ThumbnailsData};
use common::{BlobKey, Clock as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::helpers::{child, content, noise};
use crate::support::{Answer, Client, Server, answer, id_of, user_id};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and so on";

/// The data of the jobs for thumbnails that were committed since the last call.
async fn jobs(server: &Server) -> Vec<ThumbnailsData> {
    let rows = server.store.lease_unsent(100, Duration::from_secs(3600), server.clock.now()).await.unwrap();
    let rows = rows.into_iter().filter(|row| row.job.kind == THUMBNAILS);
    rows.map(|row| serde_json::from_value(row.job.data).unwrap()).collect()
}

async fn picture(server: &Server, user: &Client<'_>, name: &str, bytes: &[u8]) -> (String, BlobKey) {
    let id = user.file(name, "root", bytes.to_vec()).await;
    let [job] = &jobs(server).await[..] else { panic!("one job") };
    assert_eq!((job.file_id.unwrap().to_string(), job.user_id), (id.clone(), Some(user.id)));
    (id, job.blob.unwrap())
}

fn thumbnail(file: &str, size: u32) -> String {
    format!("/api/v1/files/{file}/thumbnails/{size}")
}

async fn begin(server: &Server, file: &str, blob: Option<BlobKey>, user: &str) -> Value {
    let question = json!({"file": file, "blob": blob, "user": user_id(user).to_string()});
    answer(server.internal(Method::POST, "/internal/thumbnails/begin").json(&question))
        .await
        .expect(StatusCode::OK)
}

async fn put(server: &Server, blob: BlobKey, pictures: &[(u32, &[u8])]) -> Answer {
    let header: Vec<_> = pictures
        .iter()
        .map(|(size, bytes)| json!({"size": size, "mime": "image/png", "bytes": bytes.len()}))
        .collect();
    let mut body =
        serde_json::to_vec(&json!({"media": {"width": 40, "height": 30}, "pictures": header})).unwrap();
    body.push(b'\n');
    for (_, bytes) in pictures {
        body.extend_from_slice(bytes);
    }
    answer(server.internal(Method::PUT, &format!("/internal/blobs/{blob}/thumbnails")).body(body)).await
}

#[actix_web::test]
async fn a_picture_gets_its_thumbnails() {
    let server = Server::start().await;
    let user = server.user("a");
    for original in [PNG.to_vec(), [PNG, &noise(100_000)].concat()] {
        let (id, blob) = picture(&server, &user, &format!("{}.png", original.len()), &original).await;
        assert_eq!(user.show(&id).await["thumbnails"]["state"], "pending");
        let pending = user.get(&thumbnail(&id, 250)).await;
        assert_eq!(pending.header("retry-after"), Some("1"));
        assert_eq!(pending.expect(StatusCode::ACCEPTED), json!({"state": "pending"}));

        let work = begin(&server, &id, Some(blob), "a").await;
        assert_eq!(
            work,
            json!({"state": "wanted", "blob": blob, "size": original.len(), "mime": "image/png"})
        );
        assert_eq!(begin(&server, &id, None, "a").await, work);
        let read = answer(server.internal(Method::GET, &format!("/internal/blobs/{blob}"))).await;
        assert_eq!((read.status, read.bytes), (StatusCode::OK, original));

        let (small, large) = (noise(500), noise(40_000));
        let made = put(&server, blob, &[(100, &small), (500, &large)]).await;
        assert_eq!(made.status, StatusCode::NO_CONTENT);
        let file = user.show(&id).await;
        assert_eq!(
            (&file["thumbnails"]["state"], &file["media"]),
            (
                &json!("ready"),
                &json!({"width": 40, "height": 30, "takenAt": null, "camera": null, "durationMs": null})
            )
        );
        for (size, bytes) in [(100, &small), (500, &large)] {
            let got = user.get(&thumbnail(&id, size)).await;
            assert_eq!((got.status, &got.bytes[..]), (StatusCode::OK, &bytes[..]));
            assert_eq!(got.header("content-type"), Some("image/png"));
            assert_eq!(got.header("cache-control"), Some("private, no-cache"));
            let tag = got.header("etag").unwrap();
            // C046
            let same = user.get_with(&thumbnail(&id, size), &[("if-none-match", tag)]).await;
            assert_eq!((same.status, same.header("etag")), (StatusCode::NOT_MODIFIED, Some(tag)));
            let kept = user.get(&format!("{}?v=1", thumbnail(&id, size))).await;
            assert_eq!(kept.header("cache-control"), Some("private, max-age=86400, immutable"));
        }
        user.get(&thumbnail(&id, 250)).await.expect_problem(404, "no_thumbnail");
        // a second delivery changes nothing and leaves nothing
        let stored = server.stored().len();
        assert_eq!(begin(&server, &id, Some(blob), "a").await, json!({"state": "settled"}));
        assert_eq!(put(&server, blob, &[(500, &noise(50_000))]).await.status, StatusCode::NOT_FOUND);
        assert_eq!(server.stored().len(), stored);
        assert_eq!(user.get(&thumbnail(&id, 500)).await.bytes, large);
    }
}

#[actix_web::test]
async fn a_failure_is_shown_with_its_reason() {
    let server = Server::start().await;
    let user = server.user("a");
    let (id, blob) = picture(&server, &user, "a.png", PNG).await;
    let failed = server.internal(Method::POST, &format!("/internal/blobs/{blob}/thumbnails/failed"));
    let failed = answer(failed.json(&json!({"reason": "The picture is damaged"}))).await;
    assert_eq!(failed.status, StatusCode::NO_CONTENT);
    let file = user.show(&id).await;
    assert_eq!(
        file["thumbnails"],
        json!({"state": "failed", "sizes": [], "reason": "The picture is damaged"})
    );
    let none = user.get(&thumbnail(&id, 100)).await.expect_problem(404, "no_thumbnail");
    assert_eq!(none["detail"], "The picture is damaged");
    // a job that was given up or called off may be tried again, and then makes them
    assert_eq!(begin(&server, &id, Some(blob), "a").await["state"], "wanted");
    assert_eq!(put(&server, blob, &[(100, &b"small"[..])]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(user.show(&id).await["thumbnails"]["state"], "ready");
}

#[actix_web::test]
async fn what_is_no_picture_has_none() {
    let server = Server::start().await;
    let user = server.user("a");
    let text = user.file("a.txt", "root", "text").await;
    assert!(jobs(&server).await.is_empty());
    assert_eq!(user.show(&text).await["thumbnails"], json!({"state": "none", "sizes": [], "reason": null}));
    user.get(&thumbnail(&text, 100)).await.expect_problem(404, "no_thumbnail");
    user.get(&thumbnail(&text, 300)).await.expect_problem(404, "no_thumbnail");
    user.get(&thumbnail("root", 100)).await.expect_problem(409, "not_a_file");
    let (id, _) = picture(&server, &user, "a.png", PNG).await;
    server.user("b").get(&thumbnail(&id, 100)).await.expect_problem(404, "not_found");
    user.get(&format!("/api/v1/files/{id}/thumbnails/..%2F100")).await.expect_problem(404, "no_thumbnail");
}

#[actix_web::test]
async fn what_the_classic_api_calls_an_image_is_always_tried() {
    let server = Server::start().await;
    let user = server.user("a");
    let made = user
        .post("/files", json!({"name": "a.png", "type": "image", "data": "dGV4dA=="}))
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(jobs(&server).await.len(), 1);
    assert_eq!(user.show(&id_of(&made)).await["thumbnails"]["state"], "pending");
    // and as a plain file only if it is a picture
    user.post("/files", json!({"name": "b.png", "type": "file", "data": "dGV4dA=="}))
        .await
        .expect(StatusCode::CREATED);
    assert!(jobs(&server).await.is_empty());
}

#[actix_web::test]
async fn c154_a_job_that_comes_too_late_ends_quietly() {
    let server = Server::start().await;
    let user = server.user("a");
    let (id, old) = picture(&server, &user, "a.png", PNG).await;
    user.upload(&content(&id), [PNG, b"2"].concat()).await.expect(StatusCode::OK);
    let [job] = &jobs(&server).await[..] else { panic!("one job for the new content") };
    assert_eq!(begin(&server, &id, Some(old), "a").await, json!({"state": "settled"}));
    assert_eq!(begin(&server, &id, job.blob, "a").await["state"], "wanted");
    assert_eq!(begin(&server, &id, job.blob, "b").await, json!({"state": "fileNotFound"}));
    user.delete(&format!("/api/v1/files/{id}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(begin(&server, &id, job.blob, "a").await, json!({"state": "fileNotFound"}));
    let purge = server.internal(Method::POST, "/internal/files/purge").json(&json!({"node": id}));
    answer(purge).await.expect(StatusCode::OK);
    let late = put(&server, job.blob.unwrap(), &[(500, &noise(50_000))]).await;
    assert_eq!(late.status, StatusCode::NOT_FOUND);
    assert!(server.stored().is_empty());
    let gone = answer(server.internal(Method::GET, "/internal/blobs/00000000000000000000000000000000")).await;
    gone.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn the_worker_is_not_believed_everything() {
    let server = Server::start().await;
    let user = server.user("a");
    let (id, blob) = picture(&server, &user, "a.png", PNG).await;
    let path = format!("/internal/blobs/{blob}/thumbnails");
    for body in [
        "",
        "{}",
        "{}\n",
        "nonsense\n",
        r#"{"media":null,"pictures":[{"size":100,"mime":"image/png","bytes":9}]}"#,
    ] {
        answer(server.internal(Method::PUT, &path).body(body)).await.expect_problem(400, "invalid_request");
    }
    put(&server, blob, &[(500, &noise(50_000)), (300, b"x")]).await.expect_problem(400, "invalid_request");
    let html =
        b"{\"media\":null,\"pictures\":[{\"size\":100,\"mime\":\"text/html\",\"bytes\":1}]}\nx".to_vec();
    answer(server.internal(Method::PUT, &path).body(html)).await.expect_problem(400, "invalid_request");
    assert!(server.stored().is_empty());
    assert_eq!(user.show(&id).await["thumbnails"]["state"], "pending");
}

#[actix_web::test]
async fn internal_calls_want_a_service_token() {
    let server = Server::start().await;
    let user = server.user("a");
    let (_, blob) = picture(&server, &user, "a.png", PNG).await;
    user.upload(&child("root", "b", ""), "x").await.expect(StatusCode::CREATED);
    for (method, path) in [
        (Method::POST, "/internal/thumbnails/begin".to_owned()),
        (Method::GET, format!("/internal/blobs/{blob}")),
        (Method::PUT, format!("/internal/blobs/{blob}/thumbnails")),
        (Method::POST, format!("/internal/blobs/{blob}/thumbnails/failed")),
        (Method::POST, "/internal/files/purge".to_owned()),
        (Method::GET, format!("/internal/blobs/{blob}/range?start=0&len=1")),
        (Method::POST, format!("/internal/blobs/{blob}/media")),
        (Method::PUT, format!("/internal/blobs/{blob}/text")),
        (Method::POST, "/internal/maintenance/sweep-strays".to_owned()),
    ] {
        answer(server.request(method.clone(), &path)).await.expect_problem(401, "unauthorized");
        // nor does a user's token do
        answer(user.request(method.clone(), &path)).await.expect_problem(401, "unauthorized");
        answer(server.request(method, &path).bearer_auth(&user.token))
            .await
            .expect_problem(401, "unauthorized");
    }
}

#[actix_web::test]
async fn a_sound_gets_a_job_and_its_facts() {
    let server = Server::start().await;
    let user = server.user("a");
    let mut wav =
        b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1F\0\0\x80\x3E\0\0\x02\0\x10\0data\x80\x3E\0\0"
            .to_vec();
    wav.resize(44 + 16_000, 0);
    let id = user.file("a.wav", "root", wav.clone()).await;
    let jobs = server.store.lease_unsent(10, Duration::from_secs(60), server.clock.now()).await.unwrap();
    let job = jobs.into_iter().map(|row| row.job).find(|job| job.kind == "media-facts").unwrap();
    let blob = job.data["blob"].as_str().unwrap().to_owned();
    assert_eq!((&job.data["fileId"], &job.data["size"]), (&json!(id), &json!(16_044)));
    assert_eq!(user.show(&id).await["media"], Value::Null);
    let tag = user.show(&id).await["etag"].clone();

    let range = |range: &str| server.internal(Method::GET, &format!("/internal/blobs/{blob}/range?{range}"));
    assert_eq!(answer(range("start=8&len=4")).await.bytes, &wav[8..12]);
    assert_eq!(answer(range("start=16000&len=44")).await.bytes, &wav[16_000..]);
    for wrong in [
        "start=16000&len=45",
        "start=0&len=2000000",
        "start=18446744073709551615&len=1",
        "start=-1&len=1",
        "",
    ] {
        answer(range(wrong)).await.expect_problem(400, "invalid_request");
    }
    let unknown = "0".repeat(32);
    let gone = server.internal(Method::GET, &format!("/internal/blobs/{unknown}/range?start=0&len=1"));
    answer(gone).await.expect_problem(404, "not_found");

    let facts = |blob: &str, facts: Value| {
        server.internal(Method::POST, &format!("/internal/blobs/{blob}/media")).json(&facts)
    };
    let kept = json!({ "durationMs": 1000, "camera": "a\u{0}b", "takenAt": "<script>", "width": 5 });
    answer(facts(&blob, kept)).await.expect(StatusCode::NO_CONTENT);
    let shown = user.show(&id).await;
    assert_eq!(
        shown["media"],
        json!({ "width": null, "height": null, "takenAt": null, "camera": "a b", "durationMs": 1000 }),
        "what has no form is left out"
    );
    assert_ne!(shown["etag"], tag);
    answer(facts(&unknown, json!({}))).await.expect_problem(404, "not_found");
}
