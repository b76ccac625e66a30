//! Parts of contents.

use reqwest::{Method, StatusCode};

use crate::helpers::{child, content, noise};
use crate::support::{Answer, Client, Server, answer, id_of};

async fn range(user: &Client<'_>, id: &str, value: &str) -> Answer {
    user.get_with(&content(id), &[("range", value)]).await
}

#[track_caller]
fn expect_part(answer: &Answer, content_range: &str, bytes: &[u8]) {
    assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.header("content-range"), Some(content_range));
    assert_eq!(answer.header("content-length"), Some(&*bytes.len().to_string()));
    assert_eq!(answer.bytes, bytes);
}

#[actix_web::test]
async fn c034_c038_parts_are_exact() {
    let server = Server::start().await;
    let user = server.user("a");
    let five = user.file("five", "root", "abcde").await;
    expect_part(&range(&user, &five, "bytes=0-9").await, "bytes 0-4/5", b"abcde");
    expect_part(&range(&user, &five, "bytes=1-1").await, "bytes 1-1/5", b"b");
    expect_part(&range(&user, &five, "bytes=-4").await, "bytes 1-4/5", b"bcde");
    for value in ["bytes=5-", "bytes=9-10"] {
        let refused = range(&user, &five, value).await;
        refused.expect_problem(416, "range_not_satisfiable");
        assert_eq!(refused.header("content-range"), Some("bytes */5"));
    }
    for value in ["bytes=3-1", "bytes=x", "lines=1-2", "bytes=", "bytes=1-2-3"] {
        let whole = range(&user, &five, value).await;
        assert_eq!((whole.status, whole.text()), (StatusCode::OK, "abcde"), "{value}");
        assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    }
    let thousand = user.file("thousand", "root", noise(1000)).await;
    for value in ["bytes=-2000", "bytes=-18446744073709551616", "bytes=0-18446744073709551616"] {
        expect_part(&range(&user, &thousand, value).await, "bytes 0-999/1000", &noise(1000));
    }
}

#[actix_web::test]
async fn c037_an_empty_content_has_no_parts() {
    let server = Server::start().await;
    let user = server.user("a");
    let empty = user.file("empty", "root", "").await;
    let whole = range(&user, &empty, "bytes=-1").await;
    assert_eq!(
        (whole.status, whole.bytes.len(), whole.header("content-length")),
        (StatusCode::OK, 0, Some("0"))
    );
    for value in ["bytes=0-", "bytes=0-0"] {
        let refused = range(&user, &empty, value).await;
        refused.expect_problem(416, "range_not_satisfiable");
        assert_eq!(refused.header("content-range"), Some("bytes */0"));
    }
}

#[actix_web::test]
async fn parts_of_large_contents_are_exact() {
    let server = Server::start().await;
    let user = server.user("a");
    let size = 3_000_000_u64;
    let bytes = noise(size as usize);
    let id = user.file("large.mp4", "root", bytes.clone()).await;
    let places =
        [0, 1, 2, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 524_288, 1_234_567, size - 2, size - 1];
    for (number, start) in places.into_iter().enumerate() {
        for end in &places[number..] {
            let part = range(&user, &id, &format!("bytes={start}-{end}")).await;
            let expected = &bytes[start as usize..=*end as usize];
            expect_part(&part, &format!("bytes {start}-{end}/{size}"), expected);
        }
    }
    // C040: as players ask
    let two = range(&user, &id, "bytes=0-1").await;
    expect_part(&two, &format!("bytes 0-1/{size}"), &bytes[..2]);
    assert_eq!(two.header("accept-ranges"), Some("bytes"));
    expect_part(
        &range(&user, &id, "bytes=2999990-").await,
        "bytes 2999990-2999999/3000000",
        &bytes[2_999_990..],
    );
}

#[actix_web::test]
async fn several_parts_come_in_one_answer() {
    let server = Server::start().await;
    let user = server.user("a");
    for size in [1_000, 2_000_000] {
        let bytes = noise(size);
        let id = user.file(&size.to_string(), "root", bytes.clone()).await;
        let answer = range(&user, &id, &format!("bytes=0-9,{}-,500-599", size - 5)).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(answer.header("content-length"), Some(&*answer.bytes.len().to_string()));
        let kind = answer.header("content-type").unwrap();
        let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
        let mut expected = Vec::new();
        for (start, end) in [(0, 10), (size - 5, size), (500, 600)] {
            expected.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
            expected.extend_from_slice(b"Content-Type: application/octet-stream\r\n");
            expected.extend_from_slice(
                format!("Content-Range: bytes {start}-{}/{size}\r\n\r\n", end - 1).as_bytes(),
            );
            expected.extend_from_slice(&bytes[start..end]);
        }
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert_eq!(answer.bytes, expected);
        // those that touch are one
        let one = range(&user, &id, "bytes=0-4,5-9").await;
        expect_part(&one, &format!("bytes 0-9/{size}"), &bytes[..10]);
        // what is beyond the end is left out
        let one = range(&user, &id, &format!("bytes=0-4,{size}-")).await;
        expect_part(&one, &format!("bytes 0-4/{size}"), &bytes[..5]);
    }
}

#[actix_web::test]
async fn c047_a_part_of_another_version_is_the_whole() {
    let server = Server::start().await;
    let user = server.user("a");
    let (old, new) = (noise(100_000), noise(100_001));
    let id = user.file("a", "root", old.clone()).await;
    let first = range(&user, &id, "bytes=0-49999").await;
    let tag = first.header("etag").unwrap().to_owned();
    let date = first.header("last-modified").unwrap().to_owned();
    let rest = async |condition: &str| {
        user.get_with(&content(&id), &[("range", "bytes=50000-"), ("if-range", condition)]).await
    };
    expect_part(&rest(&tag).await, "bytes 50000-99999/100000", &old[50_000..]);
    // a date is no proof, even of what is still there
    let whole = rest(&date).await;
    assert_eq!((whole.status, &whole.bytes[..]), (StatusCode::OK, &old[..]));
    // the other one is of the same moment: the clock stands still
    user.upload(&content(&id), new.clone()).await.expect(StatusCode::OK);
    for condition in [&*tag, &*date, "W/\"x\"", "nonsense"] {
        let whole = rest(condition).await;
        assert_eq!((whole.status, &whole.bytes[..]), (StatusCode::OK, &new[..]), "{condition}");
    }
    let part = [("range", "bytes=50000-"), ("if-unmodified-since", &*date)];
    user.get_with(&content(&id), &part).await.expect_problem(412, "precondition_failed");
}

#[actix_web::test]
async fn head_says_what_get_would() {
    let server = Server::start().await;
    let user = server.user("a");
    for size in [0, 100, 1_000_000] {
        let file = user
            .upload(&child("root", &format!("{size}.txt"), ""), noise(size))
            .await
            .expect(StatusCode::CREATED);
        let path = content(&id_of(&file));
        let (get, head) = (user.get(&path).await, answer(user.request(Method::HEAD, &path)).await);
        assert_eq!(head.status, StatusCode::OK);
        assert!(head.bytes.is_empty());
        for name in [
            "content-length",
            "content-type",
            "etag",
            "last-modified",
            "accept-ranges",
            "repr-digest",
            "content-disposition",
            "content-security-policy",
            "cache-control",
            "x-content-type-options",
        ] {
            assert!(get.header(name).is_some(), "{name}");
            assert_eq!(get.header(name), head.header(name), "{name}");
        }
        let ranged = answer(user.request(Method::HEAD, &path).header("range", "bytes=0-1")).await;
        assert_eq!(
            (ranged.status, ranged.header("content-length")),
            (StatusCode::OK, Some(&*size.to_string()))
        );
    }
}
