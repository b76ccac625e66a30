//! Search over real HTTP: what is found, by whom, and what becomes of hostile questions.

use std::time::Duration;

use common::Clock as _;
use common::jobs::Outbox as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Client, Server, address, answer, id_of, keys, segment, user_id};

async fn search(user: &Client<'_>, query: &str) -> Value {
    user.get(&format!("/api/v1/search?{query}")).await.expect(StatusCode::OK)
}

fn names(found: &Value) -> Vec<&str> {
    let items = found["items"].as_array().unwrap().iter();
    items.map(|item| item["file"]["name"].as_str().unwrap()).collect()
}

async fn found(user: &Client<'_>, text: &str) -> Vec<String> {
    let found = search(user, &format!("q={}", segment(text))).await;
    names(&found).into_iter().map(str::to_owned).collect()
}

/// What a worker does: puts the text of a file's content into the index.
async fn read_text(server: &Server, file: &str, text: &str) {
    let blob = server.blob_of(file).await;
    let put = server.internal(Method::PUT, &format!("/internal/blobs/{blob}/text"));
    answer(put.body(text.to_owned())).await.expect(StatusCode::NO_CONTENT);
}

async fn share(owner: &Client<'_>, file: &str, with: &str) -> String {
    let body = json!({"address": address(with), "role": "viewer"});
    id_of(&owner.post(&format!("/api/v1/files/{file}/shares"), body).await.expect(StatusCode::CREATED))
}

#[actix_web::test]
async fn a_result_says_where_it_is_and_by_what_it_was_found() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("Müller", "root").await;
    let file = user.file("notes.txt", &folder, "x").await;
    read_text(&server, &file, "Many lines\nbefore 𝄞 the\tNeedle stands, and after it").await;
    let result = search(&user, "q=needle").await;
    assert_eq!(keys(&result), ["incomplete", "items", "nextCursor"]);
    assert_eq!(result["incomplete"], false);
    let item = &result["items"][0];
    assert_eq!(keys(item), ["excerpt", "file", "match", "path"]);
    assert_eq!(item["file"], user.get(&format!("/api/v1/files/{file}")).await.expect(StatusCode::OK));
    let path: Vec<&Value> = item["path"].as_array().unwrap().iter().map(|step| &step["name"]).collect();
    assert_eq!(path, ["", "Müller"]);
    assert_eq!(item["match"], "text");
    let (excerpt, mark) = (&item["excerpt"]["text"], &item["excerpt"]["marks"][0]);
    assert_eq!(excerpt, "Many lines before 𝄞 the Needle stands, and after it");
    let units: Vec<u16> = excerpt.as_str().unwrap().encode_utf16().collect();
    let marked = usize::try_from(mark["start"].as_u64().unwrap()).unwrap()
        ..usize::try_from(mark["end"].as_u64().unwrap()).unwrap();
    assert_eq!(String::from_utf16(&units[marked]).unwrap(), "Needle");

    let by_name = &search(&user, "q=MULLER").await["items"][0];
    assert_eq!((&by_name["match"], &by_name["excerpt"]), (&json!("name"), &Value::Null));
    user.patch(&format!("/api/v1/files/{file}"), json!({"tags": ["Needlework"], "starred": true}))
        .await
        .expect(StatusCode::OK);
    let by_tag = &search(&user, "q=needle").await["items"][0];
    assert_eq!((&by_tag["match"], &by_tag["file"]["starred"]), (&json!("tag"), &json!(true)));
}

#[actix_web::test]
async fn what_is_found_is_what_may_be_seen() {
    let server = Server::start().await;
    let (owner, b) = (server.user("a"), server.user("b"));
    let above = owner.folder("secret", "root").await;
    let top = owner.folder("secret shared", &above).await;
    let inner = owner.folder("inner", &top).await;
    let file = owner.file("secret.txt", &inner, "x").await;
    owner.file("secret beside.txt", &above, "x").await;
    b.file("my secret.txt", "root", "x").await;
    read_text(&server, &file, "the hidden words").await;
    assert_eq!(found(&owner, "secret").await.len(), 4);
    assert_eq!(found(&b, "secret").await, ["my secret.txt"]);
    assert!(found(&b, "hidden").await.is_empty());

    let given = share(&owner, &top, "b").await;
    let mut seen = found(&b, "secret").await;
    seen.sort_unstable();
    assert_eq!(seen, ["my secret.txt", "secret shared", "secret.txt"]);
    let result = search(&b, "q=hidden").await;
    assert_eq!(names(&result), ["secret.txt"]);
    let path: Vec<&Value> =
        result["items"][0]["path"].as_array().unwrap().iter().map(|step| &step["name"]).collect();
    assert_eq!(path, ["secret shared", "inner"], "what is above stays unknown");
    assert_eq!(result["items"][0]["file"]["role"], "viewer");
    let shared = search(&b, "q=secret%20shared").await;
    assert_eq!(
        (&shared["items"][0]["path"], &shared["items"][0]["file"]["parentId"]),
        (&json!([]), &Value::Null)
    );
    b.get(&format!("/api/v1/search?q=secret&under={above}")).await.expect_problem(404, "not_found");
    assert_eq!(names(&search(&b, &format!("q=secret&under={top}")).await), ["secret.txt"]);

    // what is moved out, trashed and no longer shared is gone on the next request, and comes back
    let place = format!("/api/v1/files/{file}");
    owner.patch(&place, json!({"parentId": above})).await.expect(StatusCode::OK);
    assert!(found(&b, "hidden").await.is_empty());
    owner.patch(&place, json!({"parentId": inner, "name": "renamed.txt"})).await.expect(StatusCode::OK);
    assert_eq!(found(&b, "hidden").await, ["renamed.txt"]);
    assert_eq!(found(&b, "renam").await, ["renamed.txt"]);
    owner.delete(&format!("/api/v1/files/{inner}")).await.expect(StatusCode::NO_CONTENT);
    for user in [&owner, &b] {
        assert!(found(user, "hidden").await.is_empty(), "a folder above it is in the trash");
        assert!(found(user, "inner").await.is_empty());
    }
    owner.post(&format!("/api/v1/files/{inner}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(found(&b, "hidden").await, ["renamed.txt"]);
    owner.delete(&format!("/api/v1/shares/{given}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(found(&b, "secret").await, ["my secret.txt"]);
    assert!(found(&b, "hidden").await.is_empty());
}

#[actix_web::test]
async fn what_a_closed_account_shared_is_not_looked_through() {
    let server = Server::start().await;
    let (owner, guest) = (server.user("a"), server.user("b"));
    let top = owner.folder("top", "root").await;
    let part = owner.folder("part", &top).await;
    for number in 0..100 {
        owner.file(&format!("word {number}"), &part, "").await;
    }
    // more than a search looks at for one page
    for number in 0..30 {
        let to = json!({"parentId": top, "name": format!("part {number}")});
        owner.post(&format!("/api/v1/files/{part}/copy"), to).await.expect(StatusCode::CREATED);
    }
    share(&owner, &top, "b").await;
    let page = search(&guest, "q=word&limit=2").await;
    assert_eq!(names(&page).len(), 2);
    server.closed.lock().unwrap().insert(user_id("a"));
    let page = search(&guest, "q=word").await;
    assert_eq!((names(&page).len(), &page["nextCursor"]), (0, &Value::Null), "nor told how much there is");
}

#[actix_web::test]
async fn a_page_is_full_although_much_that_is_newer_lies_in_the_trash() {
    let server = Server::start().await;
    let user = server.user("a");
    for number in 0..3 {
        user.file(&format!("word {number}"), "root", "x").await;
    }
    server.clock.advance(Duration::from_secs(1));
    let top = user.folder("top", "root").await;
    let inner = user.folder("inner", &top).await;
    for number in 0..60 {
        user.file(&format!("word {number}"), &inner, "x").await;
    }
    user.delete(&format!("/api/v1/files/{top}")).await.expect(StatusCode::NO_CONTENT);
    let mut query = "q=word&limit=2".to_owned();
    for (count, is_last) in [(2, false), (1, true)] {
        let page = search(&user, &query).await;
        assert_eq!((names(&page).len(), page["nextCursor"].is_null()), (count, is_last));
        query = format!("q=word&limit=2&cursor={}", page["nextCursor"].as_str().unwrap_or_default());
    }
}

#[actix_web::test]
async fn questions_are_filtered_and_paged() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("word", "root").await;
    for number in 0..5 {
        server.clock.advance(Duration::from_secs(1));
        user.file(&format!("word {number}.csv"), &folder, "x".repeat(number)).await;
    }
    server.clock.advance(Duration::from_secs(1));
    let trashed = user.file("word trashed", "root", "x").await;
    user.delete(&format!("/api/v1/files/{trashed}")).await.expect(StatusCode::NO_CONTENT);
    let all = search(&user, "q=word").await;
    let newest_first = ["word 4.csv", "word 3.csv", "word 2.csv", "word 1.csv", "word 0.csv", "word"];
    assert_eq!((names(&all), &all["nextCursor"]), (newest_first.to_vec(), &Value::Null));
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = search(&user, &format!("q=word&limit=2{cursor}")).await;
        assert!(page["items"].as_array().unwrap().len() <= 2);
        paged.extend(names(&page).into_iter().map(str::to_owned));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, newest_first);
    user.get(&format!("/api/v1/search?q=other{cursor}")).await.expect_problem(400, "invalid_cursor");
    server
        .user("b")
        .get(&format!("/api/v1/search?q=word{cursor}"))
        .await
        .expect_problem(400, "invalid_cursor");

    let at = all["items"][2]["file"]["modifiedAt"].as_str().unwrap();
    for (filter, expected) in [
        ("type=folder".to_owned(), &["word"][..]),
        ("mime=text/csv&minSize=3".to_owned(), &["word 4.csv", "word 3.csv"]),
        ("mime=text/&maxSize=1&minSize=1".to_owned(), &["word 1.csv"]),
        ("mime=image/".to_owned(), &[]),
        (format!("from={at}&maxSize=3"), &["word 3.csv", "word 2.csv"]),
        (format!("to={at}"), &["word 1.csv", "word 0.csv", "word"]),
        (format!("under={folder}&limit=1"), &["word 4.csv"]),
        ("under=root&type=folder".to_owned(), &["word"]),
        ("tag=none".to_owned(), &[]),
    ] {
        assert_eq!(names(&search(&user, &format!("q=word&{filter}")).await), expected, "{filter}");
    }
}

#[actix_web::test]
async fn hostile_questions_get_an_answer_or_a_clear_error() {
    let server = Server::start().await;
    let user = server.user("a");
    user.file("plain NEAR \"quoted\" (odd).txt", "root", "x").await;
    for text in
        ["NEAR", "\"quoted\"", "odd)", "plain AND", "name:plain", "pl*", "^plain", "plain -quoted", "{plain}"]
    {
        let expected = usize::from(!text.contains("AND") && !text.contains("name"));
        assert_eq!(found(&user, text).await.len(), expected, "{text}");
    }
    for text in
        ["", "   ", "\"", "***", "()", "-", "'; DROP TABLE nodes", "%_", "$where", "\u{0}", "🙂", "\u{202e}"]
    {
        assert!(found(&user, text).await.is_empty(), "{text}");
    }
    let long = "x".repeat(10_000);
    for query in [
        format!("q={long}"),
        format!("q={}", segment(&"é ".repeat(129))),
        "q=x&limit=0".to_owned(),
        "q=x&limit=1001".to_owned(),
        "q=x&type=link".to_owned(),
        "q=x&from=yesterday".to_owned(),
        "q=x&minSize=-1".to_owned(),
        "q=x&tag=".to_owned(),
        "q=x&unknown=1".to_owned(),
        String::new(),
    ] {
        let problem =
            user.get(&format!("/api/v1/search?{query}")).await.expect_problem(400, "invalid_request");
        if query.starts_with("q=xx") {
            assert_eq!(problem["errors"][0]["pointer"], "?q", "{problem}");
        }
    }
    user.get("/api/v1/search?q=x&cursor=x").await.expect_problem(400, "invalid_cursor");
    user.get("/api/v1/search?q=x&under=x").await.expect_problem(404, "not_found");
    let file = user.file("a", "root", "x").await;
    user.get(&format!("/api/v1/search?q=x&under={file}")).await.expect_problem(409, "not_a_folder");
    let eight = "plain near quoted odd txt plain near quoted odd txt and more words that do not count";
    assert!(found(&user, eight).await.is_empty());
    answer(server.request(Method::GET, "/api/v1/search?q=x")).await.expect_problem(401, "unauthorized");
}

#[actix_web::test]
async fn a_text_gets_its_job_and_what_is_put_there_is_checked() {
    let server = Server::start().await;
    let (user, other) = (server.user("a"), server.user("b"));
    let file = user.file("a.html", "root", "<p>hello</p>").await;
    user.file("empty.txt", "root", "").await;
    user.file("binary", "root", vec![0_u8, 1, 2]).await;
    let texts = async || {
        let jobs = server.store.lease_unsent(10, Duration::from_secs(60), server.clock.now()).await.unwrap();
        jobs.into_iter().map(|row| row.job).filter(|job| job.kind == "text").collect::<Vec<_>>()
    };
    let jobs = texts().await;
    let [job] = &jobs[..] else { panic!("{jobs:?}") };
    assert_eq!((&job.data["fileId"], &job.data["mime"]), (&json!(file), &json!("text/html")));
    assert!(job.remove_on_complete);
    read_text(&server, &file, "hello").await;
    // a copy in the same space needs none, one in another space has its own
    let copied =
        user.post(&format!("/api/v1/files/{file}/copy"), json!({"parentId": "root", "name": "b.html"})).await;
    copied.expect(StatusCode::CREATED);
    assert!(texts().await.is_empty());
    assert_eq!(found(&user, "hello").await.len(), 2);
    share(&user, &file, "b").await;
    let copied = other.post(&format!("/api/v1/files/{file}/copy"), json!({"parentId": "root"})).await;
    copied.expect(StatusCode::CREATED);
    assert_eq!(texts().await.len(), 1);

    let blob = server.blob_of(&file).await.to_string();
    let put = |blob: &str, text: Vec<u8>| {
        server.internal(Method::PUT, &format!("/internal/blobs/{blob}/text")).body(text)
    };
    answer(put(&blob, vec![0xFF])).await.expect_problem(400, "invalid_request");
    answer(put(&blob, vec![b'a', 0])).await.expect_problem(400, "invalid_request");
    answer(put(&blob, vec![b'a'; 1024 * 1024 + 1])).await.expect_problem(413, "too_large");
    answer(put(&"0".repeat(32), b"a".to_vec())).await.expect_problem(404, "not_found");
    let unsigned = server.request(Method::PUT, &format!("/internal/blobs/{blob}/text")).body("a");
    answer(unsigned).await.expect_problem(401, "unauthorized");
}
