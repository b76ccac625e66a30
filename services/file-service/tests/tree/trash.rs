//! The trash.

use std::time::Duration;

use common::files::{FileStore as _, NewFolder, NodeError, NodeName};
use common::jobs::{Outbox as _, types};
use common::{Clock as _, FileId};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Server, answer, id_of, names_of, until};

#[actix_web::test]
async fn what_is_trashed_is_gone_from_its_folder_and_listed_there() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("docs", "root").await;
    let inner = user.file("inner.txt", &folder, "x").await;
    let file = user.file("a.txt", "root", "x").await;
    for id in [&folder, &file] {
        user.delete(&format!("/api/v1/files/{id}")).await.expect(StatusCode::NO_CONTENT);
        server.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(user.names("root").await, [""; 0]);
    let trash = user.get("/api/v1/trash").await.expect(StatusCode::OK);
    assert_eq!(names_of(&trash), ["a.txt", "docs"], "newest first, and not what lies inside");
    assert_eq!((&trash["total"], &trash["nextCursor"]), (&json!(2), &json!(null)));
    assert_eq!(trash["items"][1]["trashedAt"], "2026-01-01T00:00:00.000Z");
    let usage = user.get("/api/v1/usage").await.expect(StatusCode::OK);
    assert_eq!(
        (&usage["trashCount"], &usage["fileCount"], &usage["usedBytes"]),
        (&json!(2), &json!(3), &json!(2))
    );

    // it can be looked at and no more
    for id in [&folder, &file, &inner] {
        user.get(&format!("/api/v1/files/{id}")).await.expect(StatusCode::OK);
        user.patch(&format!("/api/v1/files/{id}"), json!({"name": "x"}))
            .await
            .expect_problem(404, "not_found");
        user.get(&format!("/api/v1/files/{id}/children")).await.expect_problem(404, "not_found");
        // repeating is harmless
        user.delete(&format!("/api/v1/files/{id}")).await.expect(StatusCode::NO_CONTENT);
    }
    user.post(&format!("/api/v1/files/{inner}/restore"), json!({})).await.expect_problem(409, "not_in_trash");
    user.delete("/api/v1/files/root").await.expect_problem(409, "root_is_fixed");
    user.delete("/api/v1/files/root?permanent=true").await.expect_problem(409, "root_is_fixed");
}

#[actix_web::test]
async fn the_root_is_fixed_by_its_id_too() {
    let server = Server::start().await;
    let user = server.user("a");
    let root = id_of(&user.get("/api/v1/files/root").await.expect(StatusCode::OK));
    user.delete(&format!("/api/v1/files/{root}")).await.expect_problem(409, "root_is_fixed");
    user.delete(&format!("/api/v1/files/{root}?permanent=true")).await.expect_problem(409, "root_is_fixed");
    user.post(&format!("/api/v1/files/{root}/restore"), json!({})).await.expect_problem(409, "not_in_trash");
}

#[actix_web::test]
async fn c086_what_is_restored_is_in_one_place_and_counted_once() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("docs", "root").await;
    let file = user.file("a.txt", &folder, "12345").await;
    let before = user.get("/api/v1/usage").await.expect(StatusCode::OK);
    user.delete(&format!("/api/v1/files/{file}")).await.expect(StatusCode::NO_CONTENT);
    let restored =
        user.post(&format!("/api/v1/files/{file}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!((&restored["name"], &restored["parentId"]), (&json!("a.txt"), &json!(folder)));
    assert_eq!(restored["trashedAt"], json!(null));
    assert_eq!(user.names(&folder).await, ["a.txt"]);
    let trash = user.get("/api/v1/trash").await.expect(StatusCode::OK);
    assert_eq!((names_of(&trash).len(), &trash["total"]), (0, &json!(0)));
    assert_eq!(user.get("/api/v1/usage").await.expect(StatusCode::OK), before);
    user.post(&format!("/api/v1/files/{file}/restore"), json!({})).await.expect_problem(409, "not_in_trash");
}

#[actix_web::test]
async fn c083_both_stay_when_the_name_was_taken_meanwhile() {
    let server = Server::start().await;
    let user = server.user("a");
    let old = user.folder("d", "root").await;
    user.file("old.txt", &old, "old").await;
    user.delete(&format!("/api/v1/files/{old}")).await.expect(StatusCode::NO_CONTENT);
    let new = user.folder("d", "root").await;
    user.file("new.txt", &new, "new").await;
    let restored = user.post(&format!("/api/v1/files/{old}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(restored["name"], "d (2)");
    assert_eq!(user.names("root").await, ["d", "d (2)"]);
    assert_eq!(user.names(&old).await, ["old.txt"]);
    assert_eq!(user.names(&new).await, ["new.txt"]);
}

#[actix_web::test]
async fn c082_what_lay_in_a_deleted_folder_is_gone_with_it_and_says_so() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("f1", "root").await;
    let x = user.file("x", &folder, "x").await;
    user.delete(&format!("/api/v1/files/{x}")).await.expect(StatusCode::NO_CONTENT);
    user.delete(&format!("/api/v1/files/{folder}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    user.post(&format!("/api/v1/files/{x}/restore"), json!({})).await.expect_problem(404, "not_found");
    assert_eq!(names_of(&user.get("/api/v1/trash").await.expect(StatusCode::OK)), [""; 0]);

    // a folder that is only in the trash: the answer names the place
    let folder = user.folder("f2", "root").await;
    let y = user.file("y", &folder, "y").await;
    for id in [&y, &folder] {
        user.delete(&format!("/api/v1/files/{id}")).await.expect(StatusCode::NO_CONTENT);
    }
    let restored = user.post(&format!("/api/v1/files/{y}/restore"), json!({})).await.expect(StatusCode::OK);
    let root = user.get("/api/v1/files/root").await.expect(StatusCode::OK);
    assert_eq!(restored["parentId"], root["id"]);
    assert_eq!(user.names("root").await, ["y"]);
}

#[actix_web::test]
async fn c085_a_tree_that_was_trashed_piece_by_piece_comes_back() {
    let server = Server::start().await;
    let user = server.user("a");
    let a = user.folder("a", "root").await;
    let (a1, a2) = (user.folder("a1", &a).await, user.folder("a2", &a).await);
    let (b1, b2) = (user.file("b1", &a1, "1").await, user.file("b2", &a2, "2").await);
    for order in [
        [&a1, &b1, &a2, &b2],
        [&a2, &a1, &b1, &b2],
        [&b1, &a1, &b2, &a2],
        [&b2, &b1, &a1, &a2],
        [&b1, &a2, &b2, &a1],
    ] {
        for id in [&b1, &a1, &b2, &a2] {
            user.delete(&format!("/api/v1/files/{id}")).await.expect(StatusCode::NO_CONTENT);
            server.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(user.names(&a).await, [""; 0]);
        for id in order {
            user.post(&format!("/api/v1/files/{id}/restore"), json!({})).await.expect(StatusCode::OK);
        }
        assert_eq!(user.names(&a).await, ["a1", "a2"]);
        assert_eq!(user.names(&a1).await, ["b1"]);
        assert_eq!(user.names(&a2).await, ["b2"]);
        assert_eq!(user.names("root").await, ["a"]);
    }
    // each answer names the place
    for id in [&b1, &a1] {
        user.delete(&format!("/api/v1/files/{id}")).await.expect(StatusCode::NO_CONTENT);
    }
    let restored = user.post(&format!("/api/v1/files/{b1}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(restored["parentId"], json!(a));
    assert_eq!(user.names(&a).await, ["a2", "b1"]);
    let restored = user.post(&format!("/api/v1/files/{a1}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(restored["childCount"], json!(1), "what has returned is counted");
    assert_eq!(user.names(&a).await, ["a1", "a2"]);
    assert_eq!(user.names(&a1).await, ["b1"]);
}

#[actix_web::test]
async fn a_file_returns_by_undoing_too_and_not_once_it_was_moved() {
    let server = Server::start().await;
    let user = server.user("a");
    let (a, other) = (user.folder("a", "root").await, user.folder("other", "root").await);
    let b = user.folder("b", &a).await;
    let (x, y) = (user.file("x", &b, "1").await, user.file("y", &b, "2").await);
    let mut trashed = Vec::new();
    for id in [&x, &y, &b] {
        let done = user.delete(&format!("/api/v1/files/{id}")).await;
        trashed.push(done.header("operation-id").unwrap().to_owned());
    }
    let undo = async |operation: &str| {
        user.post(&format!("/api/v1/operations/{operation}/undo"), json!({})).await.expect(StatusCode::OK);
    };
    for operation in &trashed[..2] {
        undo(operation).await;
    }
    assert_eq!(user.names(&a).await, ["x", "y"]);
    user.patch(&format!("/api/v1/files/{y}"), json!({ "parentId": other })).await.expect(StatusCode::OK);
    undo(&trashed[2]).await;
    assert_eq!(user.names(&a).await, ["b"]);
    assert_eq!(user.names(&b).await, ["x"]);
    assert_eq!(user.names(&other).await, ["y"]);
}

#[actix_web::test]
async fn c016_a_name_means_what_has_it_now() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("x", "root").await;
    user.file("inside.txt", &folder, "old").await;
    user.delete(&format!("/api/v1/files/{folder}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    let file = user.file("x", "root", "content").await;
    let shown = user.get(&format!("/api/v1/files/{file}")).await.expect(StatusCode::OK);
    assert_eq!(
        (&shown["type"], &shown["size"], &shown["childCount"]),
        (&json!("file"), &json!(7), &json!(null))
    );
    user.get(&format!("/api/v1/files/{file}/children")).await.expect_problem(409, "not_a_folder");
    user.delete(&format!("/api/v1/files/{file}")).await.expect(StatusCode::NO_CONTENT);
    let folder = user.folder("x", "root").await;
    let shown = user.get(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::OK);
    assert_eq!(
        (&shown["type"], &shown["size"], &shown["childCount"]),
        (&json!("folder"), &json!(null), &json!(0))
    );
    assert_eq!(user.names(&folder).await, [""; 0]);
}

#[actix_web::test]
async fn deleting_for_good_leaves_a_job_and_nothing_to_see() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("docs", "root").await;
    let inner = user.file("inner.txt", &folder, "x").await;
    let deleted = answer(
        user.request(Method::DELETE, &format!("/api/v1/files/{folder}?permanent=true"))
            .header("x-request-id", "req-7"),
    )
    .await;
    deleted.expect(StatusCode::NO_CONTENT);
    for id in [&folder, &inner] {
        user.get(&format!("/api/v1/files/{id}")).await.expect_problem(404, "not_found");
        user.delete(&format!("/api/v1/files/{id}")).await.expect_problem(404, "not_found");
        user.delete(&format!("/api/v1/files/{id}?permanent=true")).await.expect_problem(404, "not_found");
        user.post(&format!("/api/v1/files/{id}/restore"), json!({})).await.expect_problem(404, "not_found");
    }
    assert_eq!(names_of(&user.get("/api/v1/trash").await.expect(StatusCode::OK)), [""; 0]);
    let rows = server.store.lease_unsent(10, Duration::from_secs(1), server.clock.now()).await.unwrap();
    let purge: Vec<_> = rows.iter().filter(|row| row.job.kind == types::PURGE).collect();
    assert_eq!(purge.len(), 1);
    assert_eq!(purge[0].job.data, json!({ "node": folder }));
    assert_eq!(purge[0].job.user, Some(user.id));
    assert_eq!(purge[0].job.request_id.as_deref(), Some("req-7"));
}

#[actix_web::test]
async fn the_trash_is_emptied_and_only_that() {
    let server = Server::with(|settings| settings.default_quota_bytes = Some(1 << 20)).await;
    let (user, other) = (server.user("a"), server.user("b"));
    let keep = user.folder("keep", "root").await;
    let theirs = other.folder("theirs", "root").await;
    other.delete(&format!("/api/v1/files/{theirs}")).await.expect(StatusCode::NO_CONTENT);
    let mut ids = Vec::new();
    for n in 0..30 {
        let id = user.folder(&format!("f{n}"), &keep).await;
        user.delete(&format!("/api/v1/files/{id}")).await.expect(StatusCode::NO_CONTENT);
        ids.push(id);
    }
    let emptied = user.delete("/api/v1/trash").await;
    assert_eq!((emptied.status, emptied.bytes.len()), (StatusCode::ACCEPTED, 0));
    let trash = user.get("/api/v1/trash").await.expect(StatusCode::OK);
    assert_eq!((names_of(&trash).len(), &trash["total"]), (0, &json!(0)));
    for id in &ids {
        user.get(&format!("/api/v1/files/{id}")).await.expect_problem(404, "not_found");
    }
    assert_eq!(user.names("root").await, ["keep"]);
    assert_eq!(names_of(&other.get("/api/v1/trash").await.expect(StatusCode::OK)), ["theirs"]);
    // empty already: the same answer
    user.delete("/api/v1/trash").await.expect(StatusCode::ACCEPTED);
    server.service.finish_background().await;
}

#[actix_web::test]
async fn a_large_trash_is_emptied_page_by_page() {
    let server = Server::start().await;
    let user = server.user("a");
    let root = FileId::parse(&id_of(&user.get("/api/v1/files/root").await.expect(StatusCode::OK))).unwrap();
    let at = server.clock.now();
    // more than two steps, many of the same millisecond
    futures_util::future::join_all((0..1200).map(|n| {
        let (store, id, by) = (&server.store, server.ids.next(), user.id);
        let name = NodeName::parse(&format!("n{n}")).unwrap();
        async move {
            let folder = NewFolder {
                id,
                parent: root,
                name,
                rename_if_taken: false,
                classic_type: None,
                public: false,
                by,
                via: None,
                at,
            };
            store.create_folder(&folder).await.unwrap();
            store.trash(id, None, by, at + Duration::from_millis(n % 3)).await.unwrap();
        }
    }))
    .await;
    server.clock.advance(Duration::from_millis(1));
    user.delete("/api/v1/trash").await.expect(StatusCode::ACCEPTED);
    // what was trashed after the request stays: here the third that lies in the future
    until("the trash holds only what came later", async || {
        let usage = user.get("/api/v1/usage").await.expect(StatusCode::OK);
        usage["trashCount"] == 400
    })
    .await;
    assert_eq!(server.store.depth().await.unwrap(), 800, "a job for each tombstone");
    server.clock.advance(Duration::from_millis(1));
    user.delete("/api/v1/trash").await.expect(StatusCode::ACCEPTED);
    server.service.finish_background().await;
    assert_eq!(user.get("/api/v1/trash").await.expect(StatusCode::OK)["total"], 0);
    user.get("/api/v1/files/root").await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn what_was_restored_since_it_was_seen_is_not_deleted() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.folder("docs", "root").await;
    user.delete(&format!("/api/v1/files/{id}")).await.expect(StatusCode::NO_CONTENT);
    let file = FileId::parse(&id).unwrap();
    let seen = server.store.find_path(file).await.unwrap().unwrap().node.revision;
    user.post(&format!("/api/v1/files/{id}/restore"), json!({})).await.expect(StatusCode::OK);
    // what emptying does with each node that it saw
    let late = server.store.delete(file, Some(seen), None, server.clock.now(), &[]).await;
    assert!(matches!(late, Err(NodeError::Changed)), "{late:?}");
    assert_eq!(user.names("root").await, ["docs"]);
}

#[actix_web::test]
async fn the_trash_is_listed_page_by_page() {
    let server = Server::start().await;
    let user = server.user("a");
    let mut expected = Vec::new();
    for n in 0..7 {
        let id = user.folder(&format!("f{n}"), "root").await;
        user.delete(&format!("/api/v1/files/{id}")).await.expect(StatusCode::NO_CONTENT);
        expected.insert(0, format!("f{n}"));
        if n % 2 == 0 {
            server.clock.advance(Duration::from_secs(1));
        }
    }
    let (mut names, mut path) = (Vec::new(), "/api/v1/trash?limit=3".to_owned());
    loop {
        let page = user.get(&path).await.expect(StatusCode::OK);
        assert_eq!(page["total"], 7);
        names.extend(names_of(&page));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/api/v1/trash?limit=3&cursor={cursor}");
    }
    assert_eq!(names, expected);
    let cursor = path.rsplit_once('=').unwrap().1;
    server
        .user("b")
        .get(&format!("/api/v1/trash?cursor={cursor}"))
        .await
        .expect_problem(400, "invalid_cursor");
    user.get(&format!("/api/v1/trash?cursor={cursor}x")).await.expect_problem(400, "invalid_cursor");
    user.get(&format!("/api/v1/files/root/children?cursor={cursor}"))
        .await
        .expect_problem(400, "invalid_cursor");
    for limit in ["0", "1001", "-1", "x"] {
        user.get(&format!("/api/v1/trash?limit={limit}")).await.expect_problem(400, "invalid_request");
    }
}
