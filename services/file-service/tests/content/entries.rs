//! What is in archives that were uploaded.

use std::io::{Cursor, Write as _};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::helpers::noise;
use crate::support::{Client, Server, keys};

fn entries(file: &str, query: &str) -> String {
    format!("/api/v1/files/{file}/entries{query}")
}

fn zip(count: usize) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for n in 0..count {
        zip.start_file(format!("{n:04} ä.txt"), stored).unwrap();
        zip.write_all(b"content").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

async fn paths(user: &Client<'_>, file: &str, limit: usize) -> Vec<String> {
    let (mut all, mut query) = (Vec::new(), format!("?limit={limit}"));
    loop {
        let page = user.get(&entries(file, &query)).await.expect(StatusCode::OK);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        all.extend(items.iter().map(|item| item["path"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextCursor"].as_str() else { return all };
        query = format!("?limit={limit}&cursor={next}");
    }
}

#[actix_web::test]
async fn an_archive_is_listed_as_it_was_made() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("Reise", "root").await;
    let day = user.folder("Tag 2", &folder).await;
    user.file("a.txt", &folder, "first").await;
    user.file("Ü.bin", &day, noise(600_000)).await;
    for format in ["zip", "tar"] {
        let made = user.get(&format!("/api/v1/files/{folder}/archive?format={format}")).await;
        // small ones stand in the store, this one among the blobs
        let file = user.file(&format!("trip.{format}"), "root", made.bytes.clone()).await;
        let page = user.get(&entries(&file, "")).await.expect(StatusCode::OK);
        assert_eq!(keys(&page), ["items", "nextCursor", "total"]);
        assert_eq!(page["nextCursor"], Value::Null);
        let first = &page["items"][0];
        assert_eq!(keys(first), ["encrypted", "modifiedAt", "packedSize", "path", "size", "type"]);
        assert_eq!((&first["path"], &first["type"]), (&json!("Reise"), &json!("folder")));
        let mut found = paths(&user, &file, 2).await;
        found.sort_unstable();
        assert_eq!(found, ["Reise", "Reise/Tag 2", "Reise/Tag 2/Ü.bin", "Reise/a.txt"]);
        let large = page["items"].as_array().unwrap().iter().find(|item| item["size"] == 600_000).unwrap();
        assert_eq!(large["path"], "Reise/Tag 2/Ü.bin");
        assert_eq!((&large["encrypted"], &large["type"]), (&json!(false), &json!("file")));
    }
}

#[actix_web::test]
async fn a_long_list_comes_in_pages_of_one_content() {
    let server = Server::start().await;
    let user = server.user("a");
    let file = user.file("many.zip", "root", zip(2500)).await;
    let found = paths(&user, &file, 1000).await;
    assert_eq!(found.len(), 2500);
    assert!(found.is_sorted());
    let page = user.get(&entries(&file, "")).await.expect(StatusCode::OK);
    assert_eq!((&page["total"], page["items"].as_array().map(Vec::len)), (&json!(2500), Some(100)));
    let cursor = page["nextCursor"].as_str().unwrap();
    let other = user.file("other.zip", "root", zip(2500)).await;
    user.get(&entries(&other, &format!("?cursor={cursor}"))).await.expect_problem(400, "invalid_cursor");
}

#[actix_web::test]
async fn what_cannot_be_listed_is_said_so() {
    let server = Server::start().await;
    let user = server.user("a");
    let mut cut = zip(3);
    cut.truncate(cut.len() - 30);
    let cut = user.file("cut.zip", "root", cut).await;
    user.get(&entries(&cut, "")).await.expect_problem(422, "unreadable_archive");
    let text = user.file("a.txt", "root", "text").await;
    user.get(&entries(&text, "")).await.expect_problem(415, "unsupported_media_type");
    let folder = user.folder("f", "root").await;
    user.get(&entries(&folder, "")).await.expect_problem(409, "not_a_file");
    let file = user.file("a.zip", "root", zip(3)).await;
    for query in ["?limit=0", "?limit=1001", "?other=1"] {
        user.get(&entries(&file, query)).await.expect_problem(400, "invalid_request");
    }
    server.user("b").get(&entries(&file, "")).await.expect_problem(404, "not_found");
}
