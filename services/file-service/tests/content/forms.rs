//! Many files by one form.

use bytes::Bytes;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::helpers::{content, digest_field, head, noise, read_head};
use crate::support::{Answer, Client, Server, answer, id_of, until};

const INTO_ROOT: &str = "/api/v1/files/root/children";
const KIND: &str = "multipart/form-data; boundary=b";
const END: &[u8] = b"--b--\r\n";

/// A part that is a text.
fn text(name: &str, value: &str) -> Vec<u8> {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
}

/// A part that is a file, with more fields that end in a line break each.
fn file_with(name: &str, fields: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: text/html\r\n{fields}\r\n"
    );
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    file_with(name, "", content)
}

async fn send(user: &Client<'_>, path: &str, body: Vec<u8>) -> Answer {
    answer(user.request(Method::POST, path).header("content-type", KIND).body(body)).await
}

/// What came of each file of a form that is complete.
async fn results(user: &Client<'_>, path: &str, parts: &[Vec<u8>]) -> Vec<Value> {
    let answered = send(user, path, [parts.concat(), END.to_vec()].concat()).await.expect(StatusCode::OK);
    answered["results"].as_array().unwrap().clone()
}

/// The status of each, and its code.
fn outcomes(results: &[Value]) -> Vec<(u64, &str)> {
    results
        .iter()
        .map(|result| (result["status"].as_u64().unwrap(), result["code"].as_str().unwrap_or_default()))
        .collect()
}

#[actix_web::test]
async fn files_of_any_size_come_by_one_form() {
    let server = Server::start().await;
    let user = server.user("a");
    let sizes = [0, 1, 16_384, 16_385, 524_288, 3, 100_000];
    let contents: Vec<Bytes> = sizes.into_iter().map(noise).collect();
    let parts: Vec<_> =
        contents.iter().enumerate().map(|(at, bytes)| file(&format!("{at}.bin"), bytes)).collect();
    let made = results(&user, INTO_ROOT, &parts).await;
    assert_eq!(outcomes(&made), [(201, ""); 7]);
    for (at, (result, bytes)) in made.iter().zip(&contents).enumerate() {
        let file = &result["file"];
        assert_eq!(
            (&file["name"], &file["size"], &file["role"]),
            (&format!("{at}.bin").into(), &bytes.len().into(), &"manager".into())
        );
        let got = user.get(&content(&id_of(file))).await;
        assert_eq!((got.status, &got.bytes[..]), (StatusCode::OK, &bytes[..]));
    }
    assert_eq!(server.usage_of(&user).await.used_bytes, sizes.iter().sum::<usize>() as u64);
    assert_eq!(server.stored().len(), 3);
    assert!(server.temporary().is_empty());
}

#[actix_web::test]
async fn what_is_said_before_a_file_is_said_of_that_one() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("folder", "root").await;
    let name = "a \"quoted\" %22 name; 日本.txt";
    let made = results(
        &user,
        &format!("/api/v1/files/{folder}/children"),
        &[
            text("name", name),
            text("modifiedAt", "2001-02-03T04:05:06Z"),
            file("file", b"<html>"),
            file("other.txt", b"two"),
        ],
    )
    .await;
    assert_eq!(outcomes(&made), [(201, ""), (201, "")]);
    let [first, second] = &made[..] else { panic!("{made:?}") };
    assert_eq!(first["file"]["name"], name);
    assert_eq!(first["file"]["contentModifiedAt"], "2001-02-03T04:05:06.000Z");
    // what a part calls itself says nothing
    assert_eq!(second["file"]["mimeType"], "text/plain");
    assert_eq!(second["file"]["name"], "other.txt");
    assert_ne!(second["file"]["contentModifiedAt"], first["file"]["contentModifiedAt"]);
    assert_eq!(second["file"]["parentId"], folder);
}

#[actix_web::test]
async fn each_file_of_a_form_succeeds_or_fails_by_itself() {
    let server = Server::with(|settings| settings.max_upload_bytes = Some(100_000)).await;
    let user = server.user("a");
    let taken = user.file("taken", "root", "before").await;
    let good = format!("Repr-Digest: {}\r\n", digest_field(b"good"));
    let parts = [
        file("1", b"one"),
        file("taken", &noise(50_000)),
        file("a/b", b"three"),
        file_with("digest", &good, b"bad"),
        file_with("digest", &good, b"good"),
        file_with("wrong", "Content-Digest: nonsense\r\n", b"x"),
        file("large", &noise(100_001)),
        [text("name", ""), file("named", b"x")].concat(),
        [text("modifiedAt", "+010000-01-01T00:00:00.000Z"), file("late", b"x")].concat(),
        [text("name", &"x".repeat(5_000)), file("long", b"x")].concat(),
        file("9", b"nine"),
    ];
    let made = results(&user, INTO_ROOT, &parts).await;
    assert_eq!(
        outcomes(&made),
        [
            (201, ""),
            (409, "name_taken"),
            (400, "invalid_name"),
            (400, "digest_mismatch"),
            (201, ""),
            (400, "invalid_request"),
            (413, "too_large"),
            (400, "invalid_name"),
            (400, "invalid_request"),
            (400, "invalid_request"),
            (201, ""),
        ]
    );
    assert_eq!(made[1]["existingId"], taken);
    assert!(made[1]["file"].is_null() && made[0]["detail"].is_null());
    assert_eq!(user.names("root").await, ["1", "9", "digest", "taken"]);
    assert_eq!(user.get(&content(&taken)).await.text(), "before");
    until("nothing else is left", async || server.stored().is_empty() && server.temporary().is_empty()).await;
}

#[actix_web::test]
async fn a_form_is_told_of_digests_that_are_not_checked() {
    let server = Server::start().await;
    let user = server.user("a");
    let good = format!("Repr-Digest: {}\r\n", digest_field(b"good"));
    let other = "sha-512=:AAAA:\r\n";
    for (number, (fields, expected)) in [
        (["", &*good], (None, None)),
        (["", &*format!("Repr-Digest: {other}")], (Some("sha-256=10"), None)),
        ([&*format!("Content-Digest: {other}"), &*good], (None, Some("sha-256=10"))),
    ]
    .into_iter()
    .enumerate()
    {
        let mut parts: Vec<_> = (0..)
            .zip(fields)
            .map(|(at, fields)| file_with(&format!("{number} {at}"), fields, b"good"))
            .collect();
        parts.push(END.to_vec());
        let made = send(&user, INTO_ROOT, parts.concat()).await;
        assert_eq!(made.expect(StatusCode::OK)["results"].as_array().unwrap().len(), 2);
        assert_eq!(
            (made.header("want-repr-digest"), made.header("want-content-digest")),
            expected,
            "{fields:?}"
        );
    }
}

#[actix_web::test]
async fn of_two_files_with_one_name_the_first_is_first() {
    let server = Server::start().await;
    let user = server.user("a");
    let parts = [
        file("a.txt", b"one"),
        file("b.txt", &noise(20_000)),
        file("a.txt", b"two"),
        file("a.txt", b"three"),
    ];
    let made = results(&user, INTO_ROOT, &parts).await;
    assert_eq!(outcomes(&made), [(201, ""), (201, ""), (409, "name_taken"), (409, "name_taken")]);
    let first = id_of(&made[0]["file"]);
    assert_eq!(made[3]["existingId"], first);
    let renamed = results(&user, &format!("{INTO_ROOT}?onConflict=rename"), &parts).await;
    let names: Vec<_> = renamed.iter().map(|result| result["file"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a (2).txt", "b (2).txt", "a (3).txt", "a (4).txt"]);
    let replaced = results(&user, &format!("{INTO_ROOT}?onConflict=replace"), &parts).await;
    assert_eq!(outcomes(&replaced), [(200, ""); 4]);
    assert_eq!(user.get(&content(&first)).await.text(), "three");
    assert_eq!(user.show(&first).await["version"], 4);
}

#[actix_web::test]
async fn a_form_that_breaks_off_keeps_what_had_come() {
    let whole = [file("1", b"one"), file("2", &noise(40_000))].concat();
    let third = file("3", &noise(60_000));
    // in the content of the third, in its head, and before the end of the form
    for sent in [&third[..30_000], &third[..40], &third[..5]] {
        let server = Server::start().await;
        let user = server.user("a");
        let answered = send(&user, INTO_ROOT, [&whole, sent].concat()).await.expect(StatusCode::OK);
        let results = answered["results"].as_array().unwrap();
        assert_eq!(outcomes(results), [(201, ""), (201, ""), (400, "incomplete_body")], "{answered}");
        assert_eq!(user.names("root").await, ["1", "2"]);
        until("nothing of the third is left", async || {
            server.stored().len() == 1 && server.temporary().is_empty()
        })
        .await;
        assert_eq!(server.usage_of(&user).await.used_bytes, 40_003);
    }
}

#[actix_web::test]
async fn a_client_that_goes_away_amid_a_form_leaves_whole_files_alone() {
    let server = Server::start().await;
    let user = server.user("a");
    let sent =
        [file("1", b"one"), file("2", &noise(40_000)), file("3", &noise(9_000_000))[..4_000_000].to_vec()]
            .concat();
    let fields = format!("Content-Type: {KIND}\r\nContent-Length: 10000000\r\n");
    let mut stream = server.send_raw(head(&user, "POST", INTO_ROOT, &fields).as_bytes()).await;
    stream.write_all(&sent).await.unwrap();
    until("two are there", async || user.names("root").await == ["1", "2"]).await;
    until("the third is on its way", async || !server.temporary().is_empty()).await;
    drop(stream);
    until("the third has gone", async || server.temporary().is_empty() && server.stored().len() == 1).await;
    assert_eq!(user.names("root").await, ["1", "2"]);
    assert_eq!(server.usage_of(&user).await.used_bytes, 40_003);
}

#[actix_web::test]
async fn a_form_that_stalls_is_ended() {
    let server =
        Server::with(|settings| settings.upload_pace.chunk_deadline = std::time::Duration::from_millis(200))
            .await;
    let user = server.user("a");
    let fields = format!("Content-Type: {KIND}\r\nContent-Length: 1000000\r\n");
    let mut stream = server.send_raw(head(&user, "POST", INTO_ROOT, &fields).as_bytes()).await;
    let (status, text) = read_head(&mut stream).await;
    assert_eq!(status, 408, "{text}");
    // what had come is told, and why there is no more
    let mut stream = server.send_raw(head(&user, "POST", INTO_ROOT, &fields).as_bytes()).await;
    stream.write_all(&[file("1", b"one"), file("2", b"two")[..90].to_vec()].concat()).await.unwrap();
    let (status, text) = read_head(&mut stream).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(user.names("root").await, ["1"]);
}

#[actix_web::test]
async fn what_is_no_form_with_files_is_refused() {
    let server = Server::start().await;
    let user = server.user("a");
    for (kind, status, code) in [
        ("application/json", 415, "unsupported_media_type"),
        ("multipart/mixed; boundary=b", 415, "unsupported_media_type"),
        ("multipart/form-data", 400, "invalid_request"),
        ("multipart/form-data; boundary=other", 400, "incomplete_body"),
    ] {
        let body = [file("a", b"x"), END.to_vec()].concat();
        let refused = user.request(Method::POST, INTO_ROOT).header("content-type", kind).body(body);
        answer(refused).await.expect_problem(status, code);
    }
    for body in [
        END.to_vec(),
        [text("name", "a"), END.to_vec()].concat(),
        [text("path", "a"), file("a", b"x"), END.to_vec()].concat(),
        b"--b\r\nX: y\r\n\r\nno name\r\n--b--\r\n".to_vec(),
        [b"--b\r\nX: ".to_vec(), vec![b'x'; 200_000]].concat(),
    ] {
        send(&user, INTO_ROOT, body).await.expect_problem(400, "invalid_request");
    }
    let one = [file("a", b"x"), END.to_vec()].concat();
    send(&user, &format!("{INTO_ROOT}?unknown=1"), one.clone()).await.expect_problem(400, "invalid_request");
    let nowhere = "/api/v1/files/5f1e8896c7ba06511e683b25/children";
    send(&user, nowhere, one.clone()).await.expect_problem(404, "parent_not_found");
    let folder = user.folder("folder", "root").await;
    let of_other = format!("/api/v1/files/{folder}/children");
    send(&server.user("b"), &of_other, one.clone()).await.expect_problem(404, "parent_not_found");
    let id = user.file("file", "root", "x").await;
    send(&user, &format!("/api/v1/files/{id}/children"), one).await.expect_problem(409, "parent_not_folder");
    assert_eq!(user.names("root").await, ["folder", "file"]);
}

#[actix_web::test]
async fn a_form_has_a_thousand_files_at_most() {
    let server = Server::start().await;
    let user = server.user("a");
    let parts: Vec<_> = (0..1_001).map(|at| file(&format!("{at}"), b"x")).collect();
    let made = results(&user, INTO_ROOT, &parts).await;
    assert_eq!(made.len(), 1_001);
    assert!(made[..1_000].iter().all(|result| result["status"] == 201));
    assert_eq!(outcomes(&made[1_000..]), [(400, "invalid_request")]);
    assert_eq!(server.usage_of(&user).await.node_count, 1_000);
}

#[actix_web::test]
async fn files_of_a_form_take_no_room_that_they_do_not_need() {
    // more than is set aside at once for one whose length is not known, and room for each
    let (size, count) = (20_000, 420);
    let server = Server::start().await;
    let user = server.user("a");
    server.set_quota_of(&user, (size * count) as u64).await;
    let parts: Vec<_> = (0..count).map(|at| file(&format!("{at}"), &noise(size))).collect();
    let forms = parts.chunks(count / 3).map(|parts| results(&user, INTO_ROOT, parts));
    let made: Vec<_> = join_all(forms).await.concat();
    let refused: Vec<_> = outcomes(&made).into_iter().filter(|outcome| *outcome != (201, "")).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(server.usage_of(&user).await.used_bytes, (size * count) as u64);
}

#[actix_web::test]
async fn a_file_of_a_form_is_there_before_the_next_one_comes() {
    let server = Server::start().await;
    let user = server.user("a");
    user.file("taken", "root", "before").await;
    let fields = format!("Content-Type: {KIND}\r\nContent-Length: 1000000\r\n");
    let path = format!("{INTO_ROOT}?onConflict=replace");
    let mut stream = server.send_raw(head(&user, "POST", &path, &fields).as_bytes()).await;
    // up to the head of the next part, and no further
    stream.write_all(&[file("taken", b"after"), b"--b\r\nContent-Disp".to_vec()].concat()).await.unwrap();
    until("it is there", async || user.child_named("taken").await.is_some_and(|file| file["version"] == 2))
        .await;
}

#[actix_web::test]
async fn files_of_a_form_stay_within_the_quota() {
    for size in [10_000, 40_000] {
        let server = Server::start().await;
        let user = server.user("a");
        server.set_quota_of(&user, 10 * size as u64 + 5_000).await;
        let parts: Vec<_> = (0..50).map(|at| file(&format!("{at}"), &noise(size))).collect();
        let made = results(&user, INTO_ROOT, &parts).await;
        let fitted = made.iter().filter(|result| result["status"] == 201).count();
        assert!(made.iter().all(|result| result["status"] == 201 || result["code"] == "quota_exceeded"));
        assert_eq!(fitted, 10, "one after the other, none stands in the way of another one");
        until("nothing is set aside", async || server.usage_of(&user).await.reserved_bytes == 0).await;
        assert_eq!(server.usage_of(&user).await.used_bytes, 10 * size as u64);
    }
}
