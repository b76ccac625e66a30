//! Several files in one download.

use std::io::{Cursor, Read as _};

use common::files::BlobStore as _;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::helpers::noise;
use crate::support::{Answer, Client, Server, answer};

pub(crate) fn archive(node: &str) -> String {
    format!("/api/v1/files/{node}/archive")
}

/// Names and contents; a folder's name ends in a slash.
pub(crate) fn unzipped(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut read = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let count = read.len();
    let entry = |index| {
        let mut entry = read.by_index(index).unwrap();
        let mut content = Vec::new();
        // checks the CRC-32
        entry.read_to_end(&mut content).unwrap();
        (entry.name().to_owned(), content)
    };
    (0..count).map(entry).collect()
}

fn untarred(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut read = tar::Archive::new(bytes);
    let entry = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), content)
    };
    read.entries().unwrap().map(entry).collect()
}

/// `Reise / {a.txt, leer /, Tag 2 / {a.txt, Ü.bin}, Tag 10 / }`
pub(crate) async fn journey(user: &Client<'_>) -> String {
    let top = user.folder("Reise", "root").await;
    user.file("a.txt", &top, "first").await;
    user.folder("leer", &top).await;
    user.folder("Tag 10", &top).await;
    let day = user.folder("Tag 2", &top).await;
    user.file("a.txt", &day, "second").await;
    // too large for the store
    user.file("Ü.bin", &day, noise(600_000)).await;
    top
}

pub(crate) fn expected() -> Vec<(String, Vec<u8>)> {
    let entry = |name: &str, content: &[u8]| (name.to_owned(), content.to_vec());
    vec![
        entry("Reise/", b""),
        entry("Reise/a.txt", b"first"),
        entry("Reise/leer/", b""),
        entry("Reise/Tag 2/", b""),
        entry("Reise/Tag 10/", b""),
        entry("Reise/Tag 2/a.txt", b"second"),
        entry("Reise/Tag 2/Ü.bin", &noise(600_000)),
    ]
}

fn expect_archive(answer: &Answer, media_type: &str) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some(media_type));
    assert_eq!(answer.header("content-length"), Some(&*answer.bytes.len().to_string()));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[actix_web::test]
async fn a_folder_is_one_download_in_either_form() {
    let server = Server::start().await;
    let user = server.user("a");
    let top = journey(&user).await;
    let zip = user.get(&archive(&top)).await;
    expect_archive(&zip, "application/zip");
    assert_eq!(zip.header("content-disposition"), Some("attachment; filename=\"Reise.zip\""));
    assert_eq!(unzipped(&zip.bytes), expected());
    let tar = user.get(&format!("{}?format=tar", archive(&top))).await;
    expect_archive(&tar, "application/x-tar");
    assert_eq!(tar.header("content-disposition"), Some("attachment; filename=\"Reise.tar\""));
    assert_eq!(untarred(&tar.bytes), expected());
    assert_ne!(zip.header("etag"), tar.header("etag"));
    // all that somebody has stands at the top
    let all = user.get(&archive("root")).await;
    assert_eq!(all.header("content-disposition"), Some("attachment; filename=\"files.zip\""));
    assert_eq!(unzipped(&all.bytes), expected());
    let head = answer(user.request(Method::HEAD, &archive(&top))).await;
    assert_eq!(head.header("content-length"), zip.header("content-length"));
    assert_eq!(head.header("etag"), zip.header("etag"));
    user.get(&format!("{}?format=rar", archive(&top))).await.expect_problem(400, "invalid_request");
}

#[actix_web::test]
async fn an_archive_can_be_gone_on_with_while_nothing_changes() {
    let server = Server::start().await;
    let user = server.user("a");
    let top = journey(&user).await;
    let whole = user.get(&archive(&top)).await;
    let (etag, len) = (whole.header("etag").unwrap().to_owned(), whole.bytes.len());
    for start in [1, 29, 45, 700, 300_000, len - 400, len - 1] {
        let fields = [("range", &*format!("bytes={start}-")), ("if-range", &etag)];
        let part = user.get_with(&archive(&top), &fields).await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.header("content-range"), Some(&*format!("bytes {start}-{}/{len}", len - 1)));
        assert!(part.bytes == whole.bytes[start..], "from {start}");
    }
    let part = user.get_with(&archive(&top), &[("range", "bytes=100-299")]).await;
    assert_eq!(part.bytes, whole.bytes[100..300]);
    let beyond = user.get_with(&archive(&top), &[("range", "bytes=99999999-")]).await;
    beyond.expect_problem(416, "range_not_satisfiable");
    assert_eq!(beyond.header("content-range"), Some(&*format!("bytes */{len}")));
    let same = user.get_with(&archive(&top), &[("if-none-match", &etag)]).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    user.file("new", &top, "!").await;
    // another archive now: all of it
    let fields = [("range", "bytes=1000-"), ("if-range", &*etag)];
    let other = user.get_with(&archive(&top), &fields).await;
    assert_eq!(other.status, StatusCode::OK);
    assert_eq!(unzipped(&other.bytes).len(), expected().len() + 1);
    let failed = user.get_with(&archive(&top), &[("if-match", &etag)]).await;
    failed.expect_problem(412, "precondition_failed");
}

#[actix_web::test]
async fn a_selection_stands_side_by_side_with_names_of_its_own() {
    let server = Server::start().await;
    let user = server.user("a");
    let (one, two) = (user.folder("one", "root").await, user.folder("two", "root").await);
    let first = user.file("a.txt", &one, "1").await;
    let second = user.file("a.txt", &two, "2").await;
    let beside = user.file("b.txt", &one, "3").await;
    let many = user.get(&format!("/api/v1/archives?ids={first},{second},{first},{two}")).await;
    expect_archive(&many, "application/zip");
    assert_eq!(many.header("content-disposition"), Some("attachment; filename=\"files.zip\""));
    let named = |name: &str, content: &str| (name.to_owned(), content.as_bytes().to_vec());
    let expected = [named("a.txt", "1"), named("a (2).txt", "2"), named("two/", ""), named("two/a.txt", "2")];
    assert_eq!(unzipped(&many.bytes), expected);
    let posted = user.post("/api/v1/archives", json!({"ids": [first, second, two]})).await;
    assert_eq!(posted.bytes, many.bytes);
    let tar = user.post("/api/v1/archives", json!({"ids": [first, beside], "format": "tar"})).await;
    assert_eq!(tar.header("content-disposition"), Some("attachment; filename=\"one.tar\""));
    assert_eq!(untarred(&tar.bytes), [named("a.txt", "1"), named("b.txt", "3")]);

    for path in ["/api/v1/archives?ids=", "/api/v1/archives"] {
        user.get(path).await.expect_problem(400, "invalid_request");
    }
    user.post("/api/v1/archives", json!({"ids": []})).await.expect_problem(400, "invalid_request");
    let too_many = vec![first.clone(); 10_001];
    user.post("/api/v1/archives", json!({"ids": too_many})).await.expect_problem(400, "invalid_request");
    user.get("/api/v1/archives?ids=nonsense").await.expect_problem(404, "not_found");
    user.delete(&format!("/api/v1/files/{second}")).await.expect(StatusCode::NO_CONTENT);
    user.get(&format!("/api/v1/archives?ids={first},{second}")).await.expect_problem(404, "not_found");
    // what is in the trash is in no archive
    let left = user.get(&archive(&two)).await;
    assert_eq!(unzipped(&left.bytes), [named("two/", "")]);
}

#[actix_web::test]
async fn an_archive_opens_no_more_than_its_reader_may_read() {
    let server = Server::start().await;
    let (owner, stranger) = (server.user("a"), server.user("b"));
    let top = journey(&owner).await;
    stranger.get(&archive(&top)).await.expect_problem(404, "not_found");
    stranger.get(&format!("/api/v1/archives?ids={top}")).await.expect_problem(404, "not_found");
    // a folder that is open to everybody is open by itself, and not what is in it
    owner.put(&format!("/api/v1/files/{top}/public")).await;
    stranger.get(&archive(&top)).await.expect_problem(404, "not_found");
    let nobody = answer(server.request(Method::GET, &archive(&top))).await;
    nobody.expect_problem(401, "unauthorized");
}

#[actix_web::test]
async fn many_small_files_are_one_download() {
    let server = Server::start().await;
    let user = server.user("a");
    let top = user.folder("many", "root").await;
    // more than a page of the list
    for number in 0..1001 {
        user.file(&format!("{number}.txt"), &top, number.to_string()).await;
    }
    let zip = user.get(&archive(&top)).await;
    let found = unzipped(&zip.bytes);
    assert_eq!(found.len(), 1002);
    for (number, (name, content)) in found.iter().skip(1).enumerate() {
        assert_eq!((&**name, &**content), (&*format!("many/{number}.txt"), number.to_string().as_bytes()));
    }
}

/// Contents of each kind side by side: none, in the metadata store, in the blob store and read together with others, and too large for that.
const SIZES: [usize; 7] = [0, 1, 100, 5_000, 20_000, 70_000, 300_000];

#[actix_web::test]
async fn small_and_large_contents_stand_in_their_order_wherever_they_are() {
    // some of them in the metadata store, and none
    for inline_bytes in [16 * 1024, 0] {
        let server = Server::with(|settings| settings.inline_bytes = inline_bytes).await;
        let user = server.user("a");
        let top = user.folder("top", "root").await;
        let mut expected = vec![("top/".to_owned(), Vec::new())];
        // more small ones one after another than are read together
        let sizes = SIZES.into_iter().cycle().take(35).chain([9_000; 30]).chain([40; 30]);
        for (number, size) in sizes.enumerate() {
            let name = format!("{number}.bin");
            user.file(&name, &top, noise(size)).await;
            expected.push((format!("top/{name}"), noise(size).to_vec()));
        }
        let zip = user.get(&archive(&top)).await;
        expect_archive(&zip, "application/zip");
        assert!(unzipped(&zip.bytes) == expected, "with up to {inline_bytes} bytes in the metadata store");
        let tar = user.get(&format!("{}?format=tar", archive(&top))).await;
        assert!(untarred(&tar.bytes) == expected, "with up to {inline_bytes} bytes in the metadata store");
        // a part may begin and end in the midst of what is read together
        let len = zip.bytes.len();
        for (start, end) in
            [(500, 3_000), (20_000, 90_000), (len - 200_000, len - 1_000), (len - 700_000, len)]
        {
            let range = format!("bytes={start}-{}", end - 1);
            let part = user.get_with(&archive(&top), &[("range", &*range)]).await;
            assert!(part.bytes == zip.bytes[start..end], "{range} of {len}");
        }
    }
}

/// What is read together is sent as far as it can be read, and not further.
#[actix_web::test]
async fn one_lost_content_among_small_ones_breaks_the_archive_off_where_it_stands() {
    let server = Server::start().await;
    let user = server.user("a");
    let top = user.folder("top", "root").await;
    user.file("0.bin", &top, noise(8_000_000)).await;
    let mut files = Vec::new();
    for number in 1..40 {
        // one of them is not in the metadata store
        let size = if number == 20 { 20_000 } else { 100 };
        files.push(user.file(&format!("{number}.bin"), &top, noise(size)).await);
    }
    let whole = user.get(&archive(&top)).await.bytes;
    let lost = &files[19];
    server.blobs.delete(server.blob_of(lost).await).await.unwrap();
    let mut broken = user.request(Method::GET, &archive(&top)).send().await.unwrap();
    assert_eq!(broken.status(), StatusCode::OK);
    let mut received = Vec::new();
    let error = loop {
        match broken.chunk().await {
            Ok(Some(piece)) => received.extend_from_slice(&piece),
            Ok(None) => panic!("a clean end after {} bytes", received.len()),
            Err(error) => break error,
        }
    };
    assert!(!received.is_empty() && whole.starts_with(&received), "{} bytes: {error}", received.len());
    // the local headers and contents of those before it, at most: 20,000 bytes and what is behind them are missing
    assert!(received.len() + 20_000 < whole.len(), "{} of {}", received.len(), whole.len());
    // what stands before it can be had, and where it is the first nothing is begun
    let before = user.get_with(&archive(&top), &[("range", "bytes=0-8000999")]).await;
    assert!(before.bytes == whole[..8_001_000]);
    let first = format!("/api/v1/archives?ids={lost},{}", files[0]);
    user.get(&first).await.expect_problem(500, "internal");
}

#[actix_web::test]
async fn c103_an_archive_whose_last_content_is_missing_breaks_off_instead_of_being_cut_short() {
    let server = Server::start().await;
    let user = server.user("a");
    let top = user.folder("top", "root").await;
    let size = 8_000_000;
    user.file("1.bin", &top, noise(size)).await;
    let last = user.file("2.bin", &top, noise(300_000)).await;
    server.blobs.delete(server.blob_of(&last).await).await.unwrap();
    for format in ["zip", "tar"] {
        let path = format!("{}?format={format}", archive(&top));
        let mut broken = user.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(broken.status(), StatusCode::OK);
        let mut received = 0;
        let error = loop {
            match broken.chunk().await {
                Ok(Some(piece)) => received += piece.len(),
                Ok(None) => panic!("a clean end after {received} bytes"),
                Err(error) => break error,
            }
        };
        assert!(0 < received && received < size + 300_000, "{received}: {error}");
    }
    // where it is the first, nothing is begun
    user.get(&format!("/api/v1/archives?ids={last}")).await.expect_problem(500, "internal");
}

#[actix_web::test]
async fn c106_ten_thousand_ids_are_taken_and_one_of_somebody_else_is_not() {
    let server = Server::start().await;
    let (user, other) = (server.user("a"), server.user("b"));
    let mine = [user.file("a.txt", "root", "1").await, user.file("b.txt", "root", "2").await];
    let mut ids: Vec<_> = mine.iter().cycle().take(10_000).cloned().collect();
    let taken = user.post("/api/v1/archives", json!({ "ids": ids })).await;
    assert_eq!(taken.status, StatusCode::OK, "{}", String::from_utf8_lossy(&taken.bytes));
    let named = |name: &str, content: &str| (name.to_owned(), content.as_bytes().to_vec());
    assert_eq!(unzipped(&taken.bytes), [named("a.txt", "1"), named("b.txt", "2")]);
    ids[9_999] = other.file("c.txt", "root", "theirs").await;
    user.post("/api/v1/archives", json!({ "ids": ids })).await.expect_problem(404, "not_found");
}
