//! Cursors: for their own query alone, and steady while a folder changes.

use std::collections::HashSet;

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Client, Server, names_of};

async fn next(user: &Client<'_>, folder: &str, query: &str) -> (Vec<String>, Option<String>) {
    let page = user.get(&format!("/api/v1/files/{folder}/children?{query}")).await.expect(StatusCode::OK);
    (names_of(&page), page["nextCursor"].as_str().map(str::to_owned))
}

#[actix_web::test]
async fn a_cursor_is_good_for_its_query_alone() {
    let server = Server::start().await;
    let user = server.user("a");
    let other_folder = user.folder("other", "root").await;
    for n in 0..4 {
        user.folder(&format!("f{n}"), "root").await;
        user.folder(&format!("f{n}"), &other_folder).await;
    }
    let (_, cursor) = next(&user, "root", "limit=2").await;
    let cursor = cursor.unwrap();
    let (names, _) = next(&user, "root", &format!("limit=1000&cursor={cursor}")).await;
    assert_eq!(names, ["f2", "f3", "other"], "the length of a page is no part of the query");

    let root = user.get("/api/v1/files/root").await.expect(StatusCode::OK)["id"].as_str().unwrap().to_owned();
    let (by_id, _) = next(&user, &root, &format!("cursor={cursor}")).await;
    assert_eq!(by_id, names, "the root is the same folder by its id");
    for query in ["sort=size", "order=desc", "type=folder", "type=file", "foldersFirst=false"] {
        let path = format!("/api/v1/files/root/children?{query}&cursor={cursor}");
        user.get(&path).await.expect_problem(400, "invalid_cursor");
    }
    let path = format!("/api/v1/files/{other_folder}/children?cursor={cursor}");
    user.get(&path).await.expect_problem(400, "invalid_cursor");
    server
        .user("b")
        .get(&format!("/api/v1/files/root/children?cursor={cursor}"))
        .await
        .expect_problem(400, "invalid_cursor");
    user.get(&format!("/api/v1/trash?cursor={cursor}")).await.expect_problem(400, "invalid_cursor");
    user.get(&format!("/api/v1/files/root/children?offset=1&cursor={cursor}"))
        .await
        .expect_problem(400, "invalid_request");
}

#[actix_web::test]
async fn an_altered_cursor_is_refused() {
    let server = Server::start().await;
    let user = server.user("a");
    for n in 0..3 {
        user.folder(&format!("f{n}"), "root").await;
    }
    let (_, cursor) = next(&user, "root", "limit=1").await;
    let cursor = cursor.unwrap();
    let mut altered: Vec<String> = (0..cursor.len())
        .map(|at| {
            let mut bytes = cursor.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        })
        .collect();
    altered.extend([
        "".into(),
        "x".into(),
        "%00".into(),
        format!("{cursor}="),
        format!("{cursor}A"),
        cursor[1..].to_owned(),
    ]);
    for wrong in altered {
        user.get(&format!("/api/v1/files/root/children?cursor={wrong}"))
            .await
            .expect_problem(400, "invalid_cursor");
    }
}

/// A small generator of its own, so that a failure can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        // Numerical Recipes' constants for a 64-bit congruential generator
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

#[actix_web::test]
async fn c091_a_walk_misses_nothing_that_stays_and_shows_nothing_twice() {
    let server = Server::start().await;
    let user = server.user("a");
    for seed in 0..6u64 {
        let mut dice = Dice(seed);
        let folder = user.folder(&format!("walk{seed}"), "root").await;
        let query = ["", "order=desc&", "foldersFirst=false&", "sort=modifiedAt&"][dice.below(4)];
        let mut ids = Vec::new();
        for n in 0..30 {
            ids.push((user.folder(&format!("n{n}"), &folder).await, format!("n{n}")));
        }
        let mut stays: HashSet<String> = ids.iter().map(|(_, name)| name.clone()).collect();
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        let mut fresh = 0;
        loop {
            let (names, after) = next(&user, &folder, &format!("{query}limit=4{cursor}")).await;
            seen.extend(names);
            let Some(after) = after else { break };
            cursor = format!("&cursor={after}");
            for _ in 0..dice.below(4) {
                if dice.below(2) == 0 {
                    let name = format!("n{}x{fresh}", dice.below(30));
                    fresh += 1;
                    user.folder(&name, &folder).await;
                } else if !ids.is_empty() {
                    // also the item at which the page ended may go
                    let (id, name) = ids.swap_remove(dice.below(ids.len()));
                    let for_good = if dice.below(2) == 0 { "?permanent=true" } else { "" };
                    user.delete(&format!("/api/v1/files/{id}{for_good}"))
                        .await
                        .expect(StatusCode::NO_CONTENT);
                    stays.remove(&name);
                }
            }
        }
        let unique: HashSet<_> = seen.iter().cloned().collect();
        assert_eq!(unique.len(), seen.len(), "seed {seed}: something twice in {seen:?}");
        assert!(stays.is_subset(&unique), "seed {seed}: {:?} are missing", stays.difference(&unique));
    }
}

#[actix_web::test]
async fn the_page_ends_where_its_last_item_was_even_if_that_moves_away() {
    let server = Server::start().await;
    let user = server.user("a");
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(user.folder(&format!("f{n}"), "root").await);
    }
    let (names, cursor) = next(&user, "root", "limit=2").await;
    assert_eq!(names, ["f0", "f1"]);
    user.patch(&format!("/api/v1/files/{}", ids[1]), json!({ "parentId": ids[0] }))
        .await
        .expect(StatusCode::OK);
    let (names, _) = next(&user, "root", &format!("limit=2&cursor={}", cursor.unwrap())).await;
    assert_eq!(names, ["f2", "f3"]);
}
