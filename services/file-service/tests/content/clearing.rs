//! Clearing up: each step by itself, as the worker asks for it.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::files::FileStore as _;
use common::{Clock as _, ReservationId, SpaceId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::helpers::{content, noise};
use crate::support::{Server, answer};

const DAY: Duration = Duration::from_secs(86_400);

async fn step(server: &Server, task: &str, cursor: Option<&str>) -> Value {
    let request = server.internal(Method::POST, &format!("/internal/maintenance/{task}"));
    answer(request.json(&json!({ "cursor": cursor }))).await.expect(StatusCode::OK)
}

/// All steps of a task; how much they changed.
async fn run(server: &Server, task: &str) -> u64 {
    let (mut cursor, mut changed) = (None, 0);
    for _ in 0..100 {
        let done = step(server, task, cursor.as_deref()).await;
        changed += done["changed"].as_u64().unwrap();
        if done["done"] == true {
            return changed;
        }
        cursor = done["cursor"].as_str().map(str::to_owned);
    }
    panic!("{task} does not come to its end");
}

/// Lets a file look as old as the service's clock says, less `age`.
fn age(server: &Server, path: &Path, age: Duration) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(server.clock.now().millis().unsigned_abs());
    fs::File::options().write(true).open(path).unwrap().set_modified(now - age).unwrap();
}

#[actix_web::test]
async fn what_is_deleted_goes_step_by_step_and_no_sooner() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("f", "root").await;
    for number in 0..5 {
        user.file(&number.to_string(), &folder, noise(50_000)).await;
    }
    let kept = user.file("kept", "root", noise(50_000)).await;
    user.delete(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(run(&server, "expire-trash").await, 0);
    server.clock.advance(30 * DAY);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(run(&server, "expire-trash").await, 1);
    user.get(&format!("/api/v1/files/{folder}")).await.expect_problem(404, "not_found");
    // the job of the deletion
    let purge = server.internal(Method::POST, "/internal/files/purge").json(&json!({ "node": folder }));
    assert_eq!(answer(purge).await.expect(StatusCode::OK)["done"], true);
    assert_eq!(server.usage_of(&user).await.used_bytes, 50_000);
    // blobs are left for a day, and the tombstone too
    assert_eq!(run(&server, "collect-blobs").await, 0);
    assert_eq!(run(&server, "purge-tombstones").await, 0);
    assert_eq!(server.stored().len(), 6);
    server.clock.advance(DAY + Duration::from_secs(1));
    run(&server, "purge-tombstones").await;
    assert!(server.store.list_tombstones(server.clock.now(), 10).await.unwrap().is_empty());
    assert_eq!(run(&server, "collect-blobs").await, 5);
    assert_eq!(server.stored().len(), 1);
    assert_eq!(user.get(&content(&kept)).await.bytes, noise(50_000));
    for task in ["expire-trash", "purge-tombstones", "collect-blobs", "sweep-reservations"] {
        assert_eq!(run(&server, task).await, 0, "{task}");
    }
}

#[actix_web::test]
async fn what_was_brought_back_does_not_expire() {
    let server = Server::start().await;
    let user = server.user("a");
    let file = user.file("a", "root", "x").await;
    user.delete(&format!("/api/v1/files/{file}")).await.expect(StatusCode::NO_CONTENT);
    server.clock.advance(31 * DAY);
    user.post(&format!("/api/v1/files/{file}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(run(&server, "expire-trash").await, 0);
    assert_eq!(user.get(&content(&file)).await.text(), "x");
}

#[actix_web::test]
async fn strays_are_swept_and_nothing_else() {
    let server = Server::start().await;
    let user = server.user("a");
    let file = user.file("a", "root", noise(50_000)).await;
    let root = server.dir.path().join("blobs");
    for path in server.stored() {
        age(&server, &path, 9 * DAY);
    }
    let stray = |number: u64| {
        let name = format!("{number:032x}");
        let folder = root.join("blobs").join(&name[..2]);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(&name[2..]);
        fs::write(&path, b"stray").unwrap();
        path
    };
    let (old, young) = (stray(7), stray(8));
    age(&server, &old, 2 * DAY);
    age(&server, &young, DAY / 2);
    let (left, fresh) = (root.join("tmp").join("left"), root.join("tmp").join("fresh"));
    for (path, days) in [(&left, 2), (&fresh, 0)] {
        fs::write(path, b"half").unwrap();
        age(&server, path, days * DAY);
    }
    assert_eq!(run(&server, "sweep-strays").await, 2);
    assert!(!old.exists() && !left.exists() && young.exists() && fresh.exists());
    assert_eq!(run(&server, "sweep-strays").await, 0);
    assert_eq!(user.get(&content(&file)).await.bytes, noise(50_000));
}

#[actix_web::test]
async fn a_large_disk_is_swept_in_steps() {
    let server = Server::start().await;
    let root = server.dir.path().join("blobs").join("blobs");
    for number in 0..1_200_u128 {
        let name = format!("{:032x}", number << 117);
        let folder = root.join(&name[..2]);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(&name[2..]), b"").unwrap();
        age(&server, &folder.join(&name[2..]), 2 * DAY);
    }
    let first = step(&server, "sweep-strays", None).await;
    assert_eq!((&first["done"], &first["changed"]), (&json!(false), &json!(500)));
    // a step that is repeated does what is left
    assert_eq!(run(&server, "sweep-strays").await, 700);
    assert!(server.stored().is_empty());
    let wrong =
        server.internal(Method::POST, "/internal/maintenance/sweep-strays").json(&json!({"cursor": "x"}));
    answer(wrong).await.expect_problem(400, "invalid_cursor");
    let unknown = server.internal(Method::POST, "/internal/maintenance/everything").json(&json!({}));
    answer(unknown).await.expect_problem(404, "not_found");
}

/// Whoever asks for a step gives up after a minute, and would ask for the same again.
#[actix_web::test]
async fn slow_stores_make_steps_of_upkeep_smaller_and_not_longer() {
    let server = Server::start().await;
    let user = server.user("a");
    for number in 0..6 {
        let file = user.file(&number.to_string(), "root", noise(50_000 + number)).await;
        user.delete(&format!("/api/v1/files/{file}")).await.expect(StatusCode::NO_CONTENT);
    }
    server.clock.advance(31 * DAY);
    // each thing that is done takes a second
    server.clock.tick(Duration::from_secs(1));
    let in_steps = async |task: &str| {
        let first = step(&server, task, None).await;
        assert_eq!((&first["done"], &first["changed"]), (&json!(false), &json!(2)), "{task}");
        run(&server, task).await
    };
    assert_eq!(in_steps("expire-trash").await, 4);
    server.clock.advance(2 * DAY);
    in_steps("purge-tombstones").await;
    assert!(server.store.list_tombstones(server.clock.now(), 10).await.unwrap().is_empty());
    server.clock.advance(2 * DAY);
    assert_eq!(in_steps("collect-blobs").await, 4);
    assert!(server.stored().is_empty());
    let root = server.dir.path().join("blobs").join("blobs");
    for number in 0..6_u128 {
        let name = format!("{:032x}", number << 120);
        let folder = root.join(&name[..2]);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(&name[2..]), b"stray").unwrap();
        age(&server, &folder.join(&name[2..]), 2 * DAY);
    }
    assert_eq!(in_steps("sweep-strays").await, 4);
    assert!(server.stored().is_empty());
}

#[actix_web::test]
async fn reservations_of_lost_uploads_expire() {
    let server = Server::start().await;
    let user = server.user("a");
    server.set_quota_of(&user, 100_000).await;
    let space: SpaceId = user.show("root").await["spaceId"].as_str().unwrap().parse().unwrap();
    let until = server.clock.now() + Duration::from_secs(3600);
    // as an upload leaves it whose process was killed
    server.store.reserve(space, ReservationId::from_bytes([7; 12]), 90_000, until).await.unwrap();
    assert_eq!(run(&server, "sweep-reservations").await, 0);
    server.clock.advance(Duration::from_secs(3601));
    assert_eq!(run(&server, "sweep-reservations").await, 1);
    assert_eq!(server.usage_of(&user).await.reserved_bytes, 0);
}
