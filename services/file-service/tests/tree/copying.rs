//! Copies.

use std::time::Duration;

use common::jobs::{Outbox as _, types};
use common::{Clock as _, Timestamp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::wait::soon;

use crate::support::{Client, Server, answer, id_of, names_of, user_id};

async fn copy(user: &Client<'_>, id: &str, body: Value) -> crate::support::Answer {
    user.post(&format!("/api/v1/files/{id}/copy"), body).await
}

async fn used(user: &Client<'_>) -> u64 {
    user.get("/api/v1/usage").await.expect(StatusCode::OK)["usedBytes"].as_u64().unwrap()
}

#[actix_web::test]
async fn a_file_is_copied_without_its_bytes() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("f", "root").await;
    let content = "x".repeat(100_000);
    let put = user
        .request(Method::PUT, "/api/v1/files/root/children/a.txt/content?modifiedAt=1999-12-31T00:00:00Z");
    let original = answer(put.body(content.clone())).await.expect(StatusCode::CREATED);
    let file = id_of(&original);
    user.patch(&format!("/api/v1/files/{file}"), json!({"tags": ["kept"], "starred": true}))
        .await
        .expect(StatusCode::OK);
    user.put(&format!("/api/v1/files/{file}/public")).await.expect(StatusCode::OK);
    user.post(&format!("/api/v1/files/{file}/links"), json!({})).await.expect(StatusCode::CREATED);
    assert_eq!(server.blob_files(), 1);
    server.clock.advance(Duration::from_secs(60));
    let answered = copy(&user, &file, json!({"parentId": folder})).await;
    let made = answered.expect(StatusCode::CREATED);
    assert_eq!(answered.header("location"), Some(&*format!("../{}", id_of(&made))));
    assert_ne!(made["id"], original["id"]);
    assert_eq!((&made["name"], &made["parentId"]), (&json!("a.txt"), &json!(folder)));
    assert_eq!((&made["sha256"], &made["version"]), (&original["sha256"], &json!(1)));
    assert_eq!(made["contentModifiedAt"], "1999-12-31T00:00:00.000Z");
    assert_eq!(made["createdAt"], "2026-01-01T00:01:00.000Z");
    assert_eq!((&made["tags"], &made["starred"]), (&json!(["kept"]), &json!(false)));
    assert_eq!(
        (&made["isPublic"], &made["linked"], &made["shared"]),
        (&json!(false), &json!(false), &json!(false))
    );
    assert_eq!((server.blob_files(), used(&user).await), (1, 200_000), "counted twice, and there once");

    copy(&user, &file, json!({"parentId": folder})).await.expect_problem(409, "name_taken");
    copy(&user, &file, json!({})).await.expect_problem(409, "name_taken");
    let renamed = copy(&user, &file, json!({"onConflict": "rename"})).await.expect(StatusCode::CREATED);
    assert_eq!(renamed["name"], "a (2).txt");
    let named = copy(&user, &file, json!({"name": "b.txt"})).await.expect(StatusCode::CREATED);
    assert_eq!(named["name"], "b.txt");
    let other = user.file("c.txt", "root", "other").await;
    let replaced =
        copy(&user, &file, json!({"name": "c.txt", "onConflict": "replace"})).await.expect(StatusCode::OK);
    assert_eq!((&replaced["id"], &replaced["version"]), (&json!(other), &json!(2)));
    let onto_folder = json!({"name": "f", "onConflict": "replace"});
    copy(&user, &file, onto_folder).await.expect_problem(409, "name_taken");

    // each is its own: changing and deleting one leaves the others
    let put = user.request(Method::PUT, &format!("/api/v1/files/{file}/content")).body("changed");
    answer(put).await.expect(StatusCode::OK);
    user.delete(&format!("/api/v1/files/{file}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    let read = user.get(&format!("/api/v1/files/{}/content", id_of(&made))).await;
    assert_eq!(read.text(), content);

    for (body, status, code) in [
        (json!({"name": "a/b"}), 400, "invalid_name"),
        (json!({"onConflict": "merge"}), 400, "invalid_request"),
        (json!({"unknown": 1}), 400, "invalid_request"),
        (json!({"parentId": "5f1e8896c7ba06511e683b25"}), 404, "parent_not_found"),
        (json!({"parentId": other}), 409, "parent_not_folder"),
    ] {
        copy(&user, &other, body).await.expect_problem(status, code);
    }
    copy(&user, "root", json!({"name": "x"})).await.expect_problem(409, "root_is_fixed");
    copy(&user, &file, json!({})).await.expect_problem(404, "not_found");
    copy(&server.user("b"), &other, json!({})).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn a_small_folder_is_there_when_the_answer_comes() {
    let server = Server::start().await;
    let user = server.user("a");
    let top = user.folder("top", "root").await;
    let inner = user.folder("inner", &top).await;
    let empty = user.folder("empty", &inner).await;
    for name in ["1", "2", "3"] {
        user.file(name, &inner, "12345").await;
    }
    for into in [&top, &inner, &empty] {
        copy(&user, &top, json!({"parentId": into})).await.expect_problem(409, "would_make_cycle");
    }
    let made = copy(&user, &top, json!({"onConflict": "rename"})).await.expect(StatusCode::CREATED);
    assert_eq!((&made["name"], &made["childCount"]), (&json!("top (2)"), &json!(1)));
    let inside = user.get(&format!("/api/v1/files/{}/children", id_of(&made))).await.expect(StatusCode::OK);
    let inside = id_of(&inside["items"][0]);
    assert_eq!(user.names(&inside).await, ["empty", "1", "2", "3"]);
    assert_eq!(used(&user).await, 30);
    copy(&user, &top, json!({"name": "top (2)", "onConflict": "replace"}))
        .await
        .expect_problem(409, "name_taken");
}

/// A server whose requests do not wait for copies of folders.
async fn impatient() -> Server {
    Server::with(|settings| settings.copy_patience = Duration::ZERO).await
}

async fn step(server: &Server, operation: &str) -> Value {
    let request =
        server.internal(Method::POST, "/internal/files/copy").json(&json!({"operation": operation}));
    answer(request).await.expect(StatusCode::OK)
}

async fn finish(server: &Server, operation: &str) {
    for _ in 0..100 {
        if step(server, operation).await["done"] == true {
            return;
        }
    }
    panic!("a copy ends");
}

#[actix_web::test]
async fn a_large_folder_is_an_operation_that_goes_on_in_another_process() {
    let server = impatient().await;
    let user = server.user("a");
    let top = user.folder("top", "root").await;
    for name in 0..230 {
        user.file(&format!("{name}"), &top, "x").await;
    }
    let below = user.folder("below", &top).await;
    user.file("deep", &below, "x").await;
    let answered = copy(&user, &top, json!({"name": "copy"})).await;
    let operation = answered.expect(StatusCode::ACCEPTED);
    let id = id_of(&operation);
    assert_eq!(answered.header("location"), Some(&*format!("../../operations/{id}")));
    assert!(answered.header("retry-after").is_some());
    assert_eq!((&operation["state"], &operation["type"]), (&json!("running"), &json!("copy")));
    let jobs = server.store.lease_unsent(1000, Duration::from_secs(1), server.clock.now()).await.unwrap();
    let job = jobs.iter().find(|row| row.job.kind == types::COPY).expect("a job goes on with it");
    assert_eq!(job.job.data["operation"], json!(id));

    // one commit of it by this process, the rest by another that knows nothing but the store
    assert_eq!(step(&server, &id).await["changed"], 200);
    let path = format!("/api/v1/operations/{id}");
    let half = user.get(&path).await.expect(StatusCode::OK);
    assert_eq!(
        (&half["state"], &half["copied"], &half["endedAt"]),
        (&json!("running"), &json!(201), &json!(null))
    );
    server.user("b").get(&path).await.expect_problem(404, "not_found");
    // what comes to where it has not been yet is copied, and the copy may be moved about meanwhile
    server.clock.advance(Duration::from_millis(1));
    user.file("late", &top, "x").await;
    let copied = operation["fileId"].as_str().unwrap();
    user.patch(&format!("/api/v1/files/{copied}"), json!({"parentId": top})).await.expect(StatusCode::OK);
    finish(&server, &id).await;
    let done = user.get(&path).await.expect(StatusCode::OK);
    assert_eq!(
        (&done["state"], &done["copied"], &done["copiedBytes"]),
        (&json!("done"), &json!(234), &json!(232))
    );
    let list = user.get(&format!("/api/v1/files/{copied}/children?limit=1000")).await.expect(StatusCode::OK);
    assert_eq!(list["total"], 232);
    assert!(names_of(&list).contains(&"late".to_owned()));
    assert_eq!(used(&user).await, 232 * 2);
    assert_eq!(step(&server, &id).await["done"], true, "it may be asked again");
    assert_eq!(step(&server, "5f1e8896c7ba06511e683b25").await["done"], true);
}

/// When the job of a copy begins.
async fn job_begins(server: &Server, operation: &str) -> Option<Timestamp> {
    let jobs = server.store.lease_unsent(1000, Duration::from_secs(1), server.clock.now()).await.unwrap();
    let job = jobs.into_iter().find(|row| row.job.data["operation"] == operation).expect("it has a job");
    assert_eq!(job.job.kind, types::COPY);
    job.job.run_at
}

#[actix_web::test]
async fn a_large_folder_is_answered_as_soon_as_its_copy_has_begun() {
    let server = Server::with(|settings| settings.copy_awaited_entries = 4).await;
    let user = server.user("a");
    let top = user.folder("top", "root").await;
    let below = user.folder("below", &top).await;
    for name in ["1", "2", "3"] {
        user.file(name, &below, "x").await;
    }
    copy(&user, &top, json!({"name": "small"})).await.expect(StatusCode::CREATED);
    user.file("4", &below, "x").await;
    let operation = copy(&user, &top, json!({"name": "large"})).await.expect(StatusCode::ACCEPTED);
    assert_eq!(
        (&operation["state"], &operation["copied"], &operation["endedAt"]),
        (&json!("running"), &json!(1), &json!(null))
    );
    // what can be refused at once is refused at once
    copy(&user, &top, json!({"name": "large"})).await.expect_problem(409, "name_taken");
    copy(&user, &top, json!({"parentId": below})).await.expect_problem(409, "would_make_cycle");
    // it is worked at right away; the job, which nobody works in this test, comes later, for what is left then
    let id = id_of(&operation);
    let path = format!("/api/v1/operations/{id}");
    let done = soon(async {
        loop {
            let seen = user.get(&path).await.expect(StatusCode::OK);
            if seen["state"] != "running" {
                return seen;
            }
        }
    })
    .await;
    assert_eq!((&done["state"], &done["copied"]), (&json!("done"), &json!(6)));
    assert_eq!(job_begins(&server, &id).await, Some(server.clock.now() + Duration::from_secs(3)));
    let made = operation["fileId"].as_str().unwrap();
    assert_eq!(user.names(made).await, ["below"]);
}

#[actix_web::test]
async fn more_copies_than_a_process_works_at_are_left_to_their_jobs_from_the_start() {
    let server = Server::with(|settings| {
        settings.copy_awaited_entries = 0;
        settings.copies_unawaited = 0;
    })
    .await;
    let user = server.user("a");
    let top = user.folder("top", "root").await;
    user.file("1", &top, "x").await;
    let operation = copy(&user, &top, json!({"name": "copy"})).await.expect(StatusCode::ACCEPTED);
    let id = id_of(&operation);
    assert_eq!(job_begins(&server, &id).await, Some(server.clock.now()));
    assert_eq!(step(&server, &id).await["changed"], 1, "nobody else has worked at it");
    finish(&server, &id).await;
    assert_eq!(used(&user).await, 2);
}

#[actix_web::test]
async fn a_copy_that_cannot_be_completed_ends_in_the_trash() {
    let server = Server::with(|settings| {
        settings.copy_patience = Duration::ZERO;
        settings.default_quota_bytes = Some(45);
    })
    .await;
    let user = server.user("a");
    let top = user.folder("top", "root").await;
    let below = user.folder("below", &top).await;
    user.file("1", &top, "0123456789").await;
    user.file("2", &below, "0123456789012345").await;
    let operation = copy(&user, &top, json!({"name": "copy"})).await.expect(StatusCode::ACCEPTED);
    finish(&server, &id_of(&operation)).await;
    let path = format!("/api/v1/operations/{}", id_of(&operation));
    let failed = user.get(&path).await.expect(StatusCode::OK);
    assert_eq!((&failed["state"], &failed["code"]), (&json!("failed"), &json!("quota_exceeded")));
    assert_eq!(user.names("root").await, ["top"]);
    let trash = user.get("/api/v1/trash").await.expect(StatusCode::OK);
    assert_eq!((names_of(&trash), &trash["items"][0]["id"]), (vec!["copy".to_owned()], &failed["fileId"]));
    assert_eq!(used(&user).await, 26 + 10);
}

#[actix_web::test]
async fn a_copy_takes_no_more_than_who_began_it_may_take() {
    let server = impatient().await;
    let (owner, guest) = (server.user("a"), server.user("b"));
    let top = owner.folder("top", "root").await;
    let (open, closed) = (owner.folder("open", &top).await, owner.folder("closed", &top).await);
    owner.file("1", &open, "open").await;
    owner.file("2", &closed, "secret").await;
    let share = json!({"role": "viewer", "userId": user_id("b").to_string()});
    let share = owner.post(&format!("/api/v1/files/{top}/shares"), share).await.expect(StatusCode::CREATED);
    // reading is enough at the source, and adding is wanted at the target
    copy(&guest, &top, json!({"parentId": top, "name": "x"})).await.expect_problem(403, "forbidden");
    let operation = copy(&guest, &top, json!({})).await.expect(StatusCode::ACCEPTED);
    let id = id_of(&operation);
    assert_eq!(step(&server, &id).await["changed"], 2);
    // what is moved out of what was shared is no longer open to the guest
    let away = json!({"parentId": "root"});
    owner.patch(&format!("/api/v1/files/{closed}"), away).await.expect(StatusCode::OK);
    finish(&server, &id).await;
    let path = format!("/api/v1/operations/{id}");
    assert_eq!(guest.get(&path).await.expect(StatusCode::OK)["state"], "done");
    assert_eq!(used(&guest).await, 4, "in the guest's space, and the open part alone");
    let own = guest.get(&format!("/api/v1/files/{}", operation["fileId"].as_str().unwrap())).await;
    assert_eq!(own.expect(StatusCode::OK)["ownerId"], json!(guest.id.to_string()));

    // a right that ends, ends the copy
    let operation = copy(&guest, &top, json!({"name": "again"})).await.expect(StatusCode::ACCEPTED);
    owner.delete(&format!("/api/v1/shares/{}", id_of(&share))).await.expect(StatusCode::NO_CONTENT);
    finish(&server, &id_of(&operation)).await;
    let path = format!("/api/v1/operations/{}", id_of(&operation));
    let ended = guest.get(&path).await.expect(StatusCode::OK);
    assert_eq!((&ended["state"], &ended["code"]), (&json!("failed"), &json!("not_found")));
}

#[actix_web::test]
async fn what_is_moved_away_between_two_steps_is_not_copied() {
    let server = impatient().await;
    let user = server.user("a");
    let top = user.folder("top", "root").await;
    let (moved, within) = (user.folder("moved", &top).await, user.folder("within", &top).await);
    let below = user.folder("below", &moved).await;
    user.file("1", &moved, "1").await;
    user.file("2", &below, "22").await;
    user.file("3", &within, "333").await;
    let operation = copy(&user, &top, json!({"name": "copy"})).await.expect(StatusCode::ACCEPTED);
    let id = id_of(&operation);
    // both folders are made, and noted as what is to be copied next
    assert_eq!(step(&server, &id).await["changed"], 2);
    for (folder, to) in [(&moved, "root"), (&within, &*user.folder("inner", &top).await)] {
        let to = json!({ "parentId": to });
        user.patch(&format!("/api/v1/files/{folder}"), to).await.expect(StatusCode::OK);
    }
    user.file("later", &moved, "4444").await;
    finish(&server, &id).await;
    let done = user.get(&format!("/api/v1/operations/{id}")).await.expect(StatusCode::OK);
    assert_eq!((&done["state"], &done["copiedBytes"]), (&json!("done"), &json!(3)), "{done}");
    assert_eq!(used(&user).await, 1 + 2 + 3 + 4 + 3);
}

async fn give_up(server: &Server, operation: &str, called_off: bool) {
    let body = json!({"operation": operation, "calledOff": called_off});
    let request = server.internal(Method::POST, "/internal/files/copy/give-up").json(&body);
    assert_eq!(answer(request).await.status, StatusCode::NO_CONTENT);
}

/// It had neither ended nor been cleaned up.
#[actix_web::test]
async fn a_copy_whose_job_is_over_ends_in_the_trash() {
    let server = impatient().await;
    let user = server.user("a");
    let top = user.folder("top", "root").await;
    let below = user.folder("below", &top).await;
    user.file("1", &top, "12345").await;
    user.file("2", &below, "12345").await;
    for (called_off, code) in [(true, "called_off"), (false, "unavailable")] {
        let operation = copy(&user, &top, json!({"name": "copy"})).await.expect(StatusCode::ACCEPTED);
        let (id, made) = (id_of(&operation), operation["fileId"].clone());
        assert_eq!(step(&server, &id).await["changed"], 2);
        // also if it is said twice
        for _ in 0..2 {
            give_up(&server, &id, called_off).await;
        }
        let failed = user.get(&format!("/api/v1/operations/{id}")).await.expect(StatusCode::OK);
        assert_eq!((&failed["state"], &failed["code"]), (&json!("failed"), &json!(code)));
        assert!(failed["endedAt"].is_string());
        assert_eq!(user.names("root").await, ["top"]);
        let trash = user.get("/api/v1/trash").await.expect(StatusCode::OK);
        assert!(trash["items"].as_array().unwrap().iter().any(|item| item["id"] == made), "{trash}");
        assert_eq!(step(&server, &id).await["done"], true, "nothing more of it is copied");
    }
    // one that had come to its end is done, and stays so
    let operation = copy(&user, &top, json!({"name": "whole"})).await.expect(StatusCode::ACCEPTED);
    let id = id_of(&operation);
    finish(&server, &id).await;
    give_up(&server, &id, true).await;
    let done = user.get(&format!("/api/v1/operations/{id}")).await.expect(StatusCode::OK);
    assert_eq!(done["state"], "done");
    assert_eq!(user.names("root").await, ["top", "whole"]);
    give_up(&server, "5f1e8896c7ba06511e683b25", true).await;
}
