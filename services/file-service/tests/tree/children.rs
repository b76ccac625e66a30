//! Lists of what is in a folder.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Client, Server, names_of};

async fn list(user: &Client<'_>, folder: &str, query: &str) -> Value {
    user.get(&format!("/api/v1/files/{folder}/children?{query}")).await.expect(StatusCode::OK)
}

/// Two folders and four files whose names, sizes, times and types all sort differently.
async fn mixed(server: &Server, user: &Client<'_>) -> String {
    let folder = user.folder("mixed", "root").await;
    for (name, content) in [
        ("img10.txt", Some("1")),
        ("sub2", None),
        ("IMG2.txt", Some("333")),
        ("zeta.html", Some("<!doctype html><p>22")),
        ("Sub10", None),
        ("alpha", Some("")),
    ] {
        server.clock.advance(Duration::from_secs(1));
        match content {
            Some(content) => user.file(name, &folder, content).await,
            None => user.folder(name, &folder).await,
        };
    }
    folder
}

#[actix_web::test]
async fn folders_come_first_and_numbers_count_by_value() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = mixed(&server, &user).await;
    for (query, expected) in [
        ("", ["sub2", "Sub10", "alpha", "IMG2.txt", "img10.txt", "zeta.html"]),
        (
            "sort=name&order=asc&foldersFirst=true",
            ["sub2", "Sub10", "alpha", "IMG2.txt", "img10.txt", "zeta.html"],
        ),
        ("order=desc", ["Sub10", "sub2", "zeta.html", "img10.txt", "IMG2.txt", "alpha"]),
        ("foldersFirst=false", ["alpha", "IMG2.txt", "img10.txt", "sub2", "Sub10", "zeta.html"]),
        ("sort=modifiedAt", ["sub2", "Sub10", "img10.txt", "IMG2.txt", "zeta.html", "alpha"]),
        (
            "sort=modifiedAt&foldersFirst=false",
            ["img10.txt", "sub2", "IMG2.txt", "zeta.html", "Sub10", "alpha"],
        ),
        (
            "sort=modifiedAt&order=desc&foldersFirst=false",
            ["alpha", "Sub10", "zeta.html", "IMG2.txt", "sub2", "img10.txt"],
        ),
        ("sort=size&type=file&order=asc", ["alpha", "img10.txt", "IMG2.txt", "zeta.html", "", ""]),
        ("sort=size&type=file&order=desc", ["zeta.html", "IMG2.txt", "img10.txt", "alpha", "", ""]),
        ("type=folder", ["sub2", "Sub10", "", "", "", ""]),
        ("type=file", ["alpha", "IMG2.txt", "img10.txt", "zeta.html", "", ""]),
    ] {
        let expected: Vec<_> = expected.into_iter().filter(|name| !name.is_empty()).collect();
        let page = list(&user, &folder, query).await;
        assert_eq!(names_of(&page), expected, "{query}");
        assert_eq!(page["total"], expected.len(), "{query}");
        assert_eq!(page["nextCursor"], json!(null), "{query}");
    }
    let by_type = list(&user, &folder, "sort=type").await;
    let types: Vec<_> =
        by_type["items"].as_array().unwrap().iter().map(|item| item["mimeType"].as_str()).collect();
    assert!(types[..2].iter().all(Option::is_none) && types[2..].is_sorted(), "{types:?}");
}

#[actix_web::test]
async fn an_item_of_a_list_is_the_file_itself() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.file("a.txt", "root", "x").await;
    let page = list(&user, "root", "").await;
    assert_eq!(page["items"][0], user.get(&format!("/api/v1/files/{id}")).await.expect(StatusCode::OK));
}

#[actix_web::test]
async fn pages_follow_one_another_in_every_order() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = mixed(&server, &user).await;
    for sort in ["name", "size", "modifiedAt", "type"] {
        for order in ["asc", "desc"] {
            for first in ["true", "false"] {
                let query = format!("sort={sort}&order={order}&foldersFirst={first}");
                let whole = names_of(&list(&user, &folder, &query).await);
                let (mut names, mut cursor) = (Vec::new(), String::new());
                loop {
                    let page = list(&user, &folder, &format!("{query}&limit=1{cursor}")).await;
                    assert_eq!(page["total"], 6);
                    names.extend(names_of(&page));
                    let Some(next) = page["nextCursor"].as_str() else { break };
                    cursor = format!("&cursor={next}");
                }
                assert_eq!(names, whole, "{query}");
                for offset in 0..=7 {
                    let page = list(&user, &folder, &format!("{query}&offset={offset}&limit=2")).await;
                    assert_eq!(
                        names_of(&page),
                        whole[offset.min(6)..(offset + 2).min(6)],
                        "{query} {offset}"
                    );
                    assert_eq!(page["total"], 6);
                }
            }
        }
    }
}

#[actix_web::test]
async fn queries_that_cannot_be_answered_are_refused() {
    let server = Server::start().await;
    let user = server.user("a");
    for query in [
        "sort=colour",
        "order=up",
        "type=image",
        "foldersFirst=maybe",
        "limit=0",
        "limit=1001",
        "limit=x",
        "offset=-1",
        "unknown=1",
    ] {
        user.get(&format!("/api/v1/files/root/children?{query}"))
            .await
            .expect_problem(400, "invalid_request");
    }
    let file = user.file("a.txt", "root", "x").await;
    user.get(&format!("/api/v1/files/{file}/children")).await.expect_problem(409, "not_a_folder");
    for id in ["5f1e8896c7ba06511e683b25", "x", "ROOT"] {
        user.get(&format!("/api/v1/files/{id}/children")).await.expect_problem(404, "not_found");
    }
}
