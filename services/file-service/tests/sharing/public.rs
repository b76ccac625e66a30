use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Client, Server, answer, id_of, keys, names_of};

/// Somebody with a link and nothing else.
pub(crate) struct Visitor<'s> {
    pub(crate) server: &'s Server,
    pub(crate) token: String,
    pub(crate) link: String,
}

impl<'s> Visitor<'s> {
    pub(crate) async fn of(server: &'s Server, owner: &Client<'_>, file: &str, body: Value) -> Self {
        let made = owner.post(&format!("/api/v1/files/{file}/links"), body).await.expect(StatusCode::CREATED);
        let token = made["token"].as_str().unwrap().to_owned();
        Self { server, token, link: id_of(&made) }
    }

    pub(crate) fn request(&self, method: Method, rest: &str) -> RequestBuilder {
        self.server.request(method, &format!("/api/v1/public/{}{rest}", self.token))
    }

    pub(crate) async fn get(&self, rest: &str) -> Answer {
        answer(self.request(Method::GET, rest)).await
    }

    pub(crate) async fn put(&self, rest: &str, content: &str) -> Answer {
        answer(self.request(Method::PUT, rest).body(content.to_owned())).await
    }

    pub(crate) async fn unlock(&self, password: &str) -> Answer {
        answer(self.request(Method::POST, "/unlock").json(&json!({ "password": password }))).await
    }
}

/// `top / {a.txt, inner / b.txt}`, and `beside.txt`.
pub(crate) struct Tree {
    pub(crate) top: String,
    pub(crate) file: String,
    pub(crate) inner: String,
    pub(crate) deep: String,
    pub(crate) beside: String,
}

impl Tree {
    pub(crate) async fn of(owner: &Client<'_>) -> Self {
        let top = owner.folder("top", "root").await;
        let file = owner.file("a.txt", &top, "first").await;
        let inner = owner.folder("inner", &top).await;
        let deep = owner.file("b.txt", &inner, "second").await;
        let beside = owner.file("beside.txt", "root", "hidden").await;
        Self { top, file, inner, deep, beside }
    }
}

#[actix_web::test]
async fn a_viewer_sees_the_folder_and_nothing_else() {
    let server = Server::start().await;
    let owner = server.user("a");
    let tree = Tree::of(&owner).await;
    let visitor = Visitor::of(&server, &owner, &tree.top, json!({"label": "hello"})).await;
    let shown = visitor.get("").await.expect(StatusCode::OK);
    assert_eq!(keys(&shown), ["downloadsLeft", "expiresAt", "file", "label", "role"]);
    assert_eq!(
        (&shown["role"], &shown["label"], &shown["file"]["name"]),
        (&json!("viewer"), &json!("hello"), &json!("top"))
    );
    // nothing of the owner, nor of where it stands
    assert_eq!(
        keys(&shown["file"]),
        [
            "childCount",
            "id",
            "media",
            "mimeType",
            "modifiedAt",
            "name",
            "parentId",
            "sha256",
            "size",
            "thumbnails",
            "type",
            "version",
        ]
    );
    assert_eq!(shown["file"]["parentId"], Value::Null);
    let list = visitor.get("/children").await.expect(StatusCode::OK);
    assert_eq!(names_of(&list), ["inner", "a.txt"]);
    assert_eq!(list["items"][0]["parentId"], json!(tree.top));
    let page = visitor.get("/children?limit=1").await.expect(StatusCode::OK);
    let rest =
        visitor.get(&format!("/children?limit=1&cursor={}", page["nextCursor"].as_str().unwrap())).await;
    assert_eq!(names_of(&rest.expect(StatusCode::OK)), ["a.txt"]);
    let inner = visitor.get(&format!("/children?id={}", tree.inner)).await.expect(StatusCode::OK);
    assert_eq!(names_of(&inner), ["b.txt"]);
    let shown = visitor.get(&format!("?id={}", tree.deep)).await.expect(StatusCode::OK);
    assert_eq!((&shown["file"]["name"], &shown["file"]["size"]), (&json!("b.txt"), &json!(6)));
    assert_eq!(visitor.get(&format!("/content?id={}", tree.deep)).await.text(), "second");
    visitor.get(&format!("/thumbnails/100?id={}", tree.deep)).await.expect_problem(404, "no_thumbnail");
    visitor.get("/content").await.expect_problem(409, "not_a_file");
    visitor.get(&format!("/children?id={}", tree.deep)).await.expect_problem(409, "not_a_folder");
    visitor.put("/children/new/content", "x").await.expect_problem(403, "forbidden");
    // C178, C179: nothing outside, whatever it is called
    let root = id_of(&owner.get("/api/v1/files/root").await.expect(StatusCode::OK));
    for id in [&*tree.beside, &*root, "5f1e8896c7ba06511e683b25", "root", "..", "%2e%2e", "x", ""] {
        for path in ["", "/children", "/content", "/thumbnails/100"] {
            visitor.get(&format!("{path}?id={id}")).await.expect_problem(404, "not_found");
        }
        let put = visitor.put(&format!("/children/new/content?id={id}"), "x").await;
        put.expect_problem(404, "parent_not_found");
    }
    for method in [Method::DELETE, Method::PATCH, Method::POST] {
        let refused = answer(visitor.request(method, "")).await;
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(owner.names("root").await, ["top", "beside.txt"]);
    // a credential of somebody else neither helps nor harms
    let with = visitor.request(Method::GET, "/children").header("x-token", "wrong");
    answer(with).await.expect(StatusCode::OK);
    for token in ["", "x", "0123456789abcdef0123456789abcdef", &visitor.token[1..]] {
        let path = format!("/api/v1/public/{token}");
        assert_eq!(answer(server.request(Method::GET, &path)).await.status, StatusCode::NOT_FOUND);
    }
}

#[actix_web::test]
async fn a_file_link_opens_its_file_alone() {
    let server = Server::start().await;
    let owner = server.user("a");
    let tree = Tree::of(&owner).await;
    let visitor = Visitor::of(&server, &owner, &tree.file, json!({})).await;
    assert_eq!(visitor.get("/content").await.text(), "first");
    assert_eq!(visitor.get(&format!("/content?id={}", tree.file)).await.text(), "first");
    for id in [&tree.inner, &tree.deep, &tree.top, &tree.beside] {
        visitor.get(&format!("/content?id={id}")).await.expect_problem(404, "not_found");
        visitor.get(&format!("?id={id}")).await.expect_problem(404, "not_found");
    }
    visitor.get("/children").await.expect_problem(409, "not_a_folder");
    // C040, C041: as for the owner
    let head = answer(visitor.request(Method::HEAD, "/content")).await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, Some("5")));
    let part = answer(visitor.request(Method::GET, "/content").header("range", "bytes=1-2")).await;
    assert_eq!((part.status, part.text()), (StatusCode::PARTIAL_CONTENT, "ir"));
    assert_eq!(part.header("content-range"), Some("bytes 1-2/5"));
    // C175, C181: gone at once, and no successor takes its place
    owner.delete(&format!("/api/v1/files/{}", tree.file)).await.expect(StatusCode::NO_CONTENT);
    owner.file("a.txt", &tree.top, "successor").await;
    visitor.get("/content").await.expect_problem(404, "not_found");
    visitor.get("").await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn previews_show_no_content() {
    let server = Server::start().await;
    let owner = server.user("a");
    let tree = Tree::of(&owner).await;
    let visitor = Visitor::of(&server, &owner, &tree.top, json!({"role": "preview-only"})).await;
    let list = visitor.get("/children").await.expect(StatusCode::OK);
    assert_eq!(names_of(&list), ["inner", "a.txt"]);
    let file = &list["items"][1];
    assert_eq!((&file["size"], &file["sha256"], &file["media"]), (&Value::Null, &Value::Null, &Value::Null));
    let path = format!("/content?id={}", tree.file);
    visitor.get(&path).await.expect_problem(403, "forbidden");
    answer(visitor.request(Method::HEAD, &path)).await.expect(StatusCode::FORBIDDEN);
    let part = answer(visitor.request(Method::GET, &path).header("range", "bytes=0-0")).await;
    part.expect_problem(403, "forbidden");
    visitor.get(&format!("/thumbnails/100?id={}", tree.file)).await.expect_problem(404, "no_thumbnail");
    visitor.put("/children/new/content", "x").await.expect_problem(403, "forbidden");
}

#[actix_web::test]
async fn an_editor_adds_and_replaces() {
    let server = Server::start().await;
    let owner = server.user("a");
    let tree = Tree::of(&owner).await;
    let visitor = Visitor::of(&server, &owner, &tree.top, json!({"role": "editor"})).await;
    let receipt = visitor.put("/children/new.txt/content", "new").await.expect(StatusCode::CREATED);
    assert_eq!(keys(&receipt), ["id", "name", "receivedAt", "sha256", "size"]);
    assert_eq!((&receipt["name"], &receipt["size"]), (&json!("new.txt"), &json!(3)));
    visitor.put("/children/a.txt/content", "x").await.expect_problem(409, "name_taken");
    visitor.put("/children/a.txt/content?onConflict=replace", "again").await.expect(StatusCode::OK);
    let renamed =
        visitor.put("/children/a.txt/content?onConflict=rename", "x").await.expect(StatusCode::CREATED);
    assert_eq!(renamed["name"], "a (2).txt");
    let inside = visitor.put(&format!("/children/c.txt/content?id={}", tree.inner), "x").await;
    inside.expect(StatusCode::CREATED);
    assert_eq!(owner.get(&format!("/api/v1/files/{}/content", tree.file)).await.text(), "again");
    assert_eq!(owner.names(&tree.top).await, ["inner", "a (2).txt", "a.txt", "new.txt"]);
    let shown = owner.get(&format!("/api/v1/files/{}", id_of(&receipt))).await.expect(StatusCode::OK);
    assert_eq!(shown["ownerId"], json!(owner.id));
    for name in ["%2e%2e", ".", "a%2fb", "%00"] {
        let refused = visitor.put(&format!("/children/{name}/content"), "x").await;
        assert!(refused.status.is_client_error(), "{name}");
    }
}

#[actix_web::test]
async fn who_drops_gets_a_receipt_and_sees_nothing() {
    let server = Server::start().await;
    let owner = server.user("a");
    let tree = Tree::of(&owner).await;
    let visitor =
        Visitor::of(&server, &owner, &tree.top, json!({"role": "dropper", "label": "hand in"})).await;
    let shown = visitor.get("").await.expect(StatusCode::OK);
    assert_eq!(
        (&shown["role"], &shown["label"], &shown["file"]),
        (&json!("dropper"), &json!("hand in"), &Value::Null)
    );
    assert!(!shown.to_string().contains("top") && !shown.to_string().contains(&tree.top));
    let receipt = visitor.put("/children/a.txt/content", "mine").await.expect(StatusCode::CREATED);
    let expected = json!({
        "id": null, "name": "a.txt", "size": 4,
        "sha256": common::Sha256::of(b"mine").to_string(), "receivedAt": "2026-01-01T00:00:00.000Z",
    });
    // that there is an `a.txt` already is not to be seen
    assert_eq!(receipt, expected);
    let replaced = visitor.put("/children/a.txt/content?onConflict=replace", "mine").await;
    assert_eq!(replaced.expect(StatusCode::CREATED), expected);
    assert_eq!(owner.names(&tree.top).await, ["inner", "a (2).txt", "a (3).txt", "a.txt"]);
    assert_eq!(owner.get(&format!("/api/v1/files/{}/content", tree.file)).await.text(), "first");
    for path in ["/children", "/content", "/thumbnails/100"] {
        visitor.get(path).await.expect_problem(403, "forbidden");
        for id in [&tree.file, &tree.inner, &tree.deep, &tree.beside] {
            visitor.get(&format!("{path}?id={id}")).await.expect_problem(404, "not_found");
        }
    }
    for id in [&tree.file, &tree.inner, &tree.beside] {
        visitor.get(&format!("?id={id}")).await.expect_problem(404, "not_found");
        let put = visitor.put(&format!("/children/x/content?id={id}"), "x").await;
        put.expect_problem(404, "parent_not_found");
    }
    let links = owner.get("/api/v1/links").await.expect(StatusCode::OK);
    assert_eq!(links["items"][0]["lastUsedAt"], "2026-01-01T00:00:00.000Z");
}

#[actix_web::test]
async fn a_password_opens_everything_and_without_it_nothing_is_said() {
    let server = Server::start().await;
    let owner = server.user("a");
    let tree = Tree::of(&owner).await;
    let body = json!({"password": "open sesame", "label": "private label"});
    let visitor = Visitor::of(&server, &owner, &tree.top, body).await;
    let content = format!("/content?id={}", tree.file);
    let locked = ["", "/children", &content, "/thumbnails/100", &format!("/content?id={}", tree.beside)];
    for path in locked {
        let refused = visitor.get(path).await;
        refused.expect_problem(401, "link_locked");
        for word in ["top", "a.txt", "first", "private", "size", "sesame"] {
            assert!(!refused.text().contains(word), "{}", refused.text());
        }
    }
    visitor.put("/children/x/content", "x").await.expect_problem(401, "link_locked");
    answer(visitor.request(Method::HEAD, &content)).await.expect(StatusCode::UNAUTHORIZED);
    // never in the address
    let refused = visitor.get("?password=open%20sesame").await;
    refused.expect_problem(401, "link_locked");
    visitor.unlock("open").await.expect_problem(403, "wrong_password");
    visitor.unlock("").await.expect_problem(403, "wrong_password");

    let unlocked = visitor.unlock("open sesame").await;
    let body = unlocked.expect(StatusCode::OK);
    let ticket = body["ticket"].as_str().unwrap();
    assert_eq!(body["expiresAt"], "2026-01-01T01:00:00.000Z");
    let cookie = unlocked.header("set-cookie").unwrap();
    assert!(cookie.contains(&format!("Path=/api/v1/public/{}", visitor.token)), "{cookie}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let by_field = |path: &str| visitor.request(Method::GET, path).header("x-link-ticket", ticket);
    let pair = cookie.split(';').next().unwrap().to_owned();
    let by_cookie = |path: &str| visitor.request(Method::GET, path).header("cookie", &pair);
    let by_password =
        |path: &str| visitor.request(Method::GET, path).header("x-link-password", "open sesame");
    assert_eq!(answer(by_field(&content)).await.text(), "first");
    assert_eq!(answer(by_cookie(&content)).await.text(), "first");
    assert_eq!(answer(by_password(&content)).await.text(), "first");
    let wrong = visitor.request(Method::GET, &content).header("x-link-password", "nonsense");
    answer(wrong).await.expect_problem(403, "wrong_password");

    // C172: it is good for this link, this password and an hour
    let other = Visitor::of(&server, &owner, &tree.top, json!({"password": "open sesame"})).await;
    let elsewhere = other.request(Method::GET, &content).header("x-link-ticket", ticket);
    answer(elsewhere).await.expect_problem(401, "link_locked");
    server.clock.advance(Duration::from_secs(3601));
    answer(by_field(&content)).await.expect_problem(401, "link_locked");
    let body = visitor.unlock("open sesame").await.expect(StatusCode::OK);
    let ticket = body["ticket"].as_str().unwrap();
    let link = format!("/api/v1/links/{}", visitor.link);
    owner.patch(&link, json!({"password": "another"})).await.expect(StatusCode::OK);
    let stale = visitor.request(Method::GET, &content).header("x-link-ticket", ticket);
    answer(stale).await.expect_problem(401, "link_locked");
}

#[actix_web::test]
async fn guessing_is_slowed_down_by_link_and_address() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a.txt", "root", "text").await;
    let visitor = Visitor::of(&server, &owner, &file, json!({"password": "right"})).await;
    for _ in 0..9 {
        visitor.unlock("wrong").await.expect_problem(403, "wrong_password");
    }
    // a right one forgets what was guessed
    visitor.unlock("right").await.expect(StatusCode::OK);
    for _ in 0..10 {
        let guess = visitor.request(Method::GET, "/content").header("x-link-password", "wrong");
        answer(guess).await.expect_problem(403, "wrong_password");
    }
    for password in ["wrong", "right"] {
        let refused = visitor.unlock(password).await;
        refused.expect_problem(429, "rate_limited");
        assert!(refused.header("retry-after").is_some());
    }
    // at once, no more pass than one after another
    let another = Visitor::of(&server, &owner, &file, json!({"password": "right"})).await;
    let volley = futures_util::future::join_all((0..30).map(|_| another.unlock("wrong"))).await;
    let looked_at = volley.iter().filter(|answer| answer.status == StatusCode::FORBIDDEN).count();
    assert_eq!(looked_at, 10);
    server.clock.advance(Duration::from_secs(61));
    visitor.unlock("right").await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn a_password_that_was_right_is_no_guess_with_each_request() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a.txt", "root", "text").await;
    let visitor = Visitor::of(&server, &owner, &file, json!({"password": "right"})).await;
    let asked = |password: &str| answer(visitor.request(Method::GET, "").header("x-link-password", password));
    asked("right").await.expect(StatusCode::OK);
    // far more at once than guesses may be made
    for answered in futures_util::future::join_all((0..30).map(|_| asked("right"))).await {
        answered.expect(StatusCode::OK);
    }
    // whoever guesses meanwhile does not find it out by it
    for _ in 0..10 {
        asked("wrong").await.expect_problem(403, "wrong_password");
    }
    asked("right").await.expect_problem(429, "rate_limited");
    server.clock.advance(Duration::from_secs(61));
    let link = format!("/api/v1/links/{}", visitor.link);
    owner.patch(&link, json!({"password": "another"})).await.expect(StatusCode::OK);
    asked("right").await.expect_problem(403, "wrong_password");
}

#[actix_web::test]
async fn a_link_ends_by_its_time() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a.txt", "root", "text").await;
    let body = json!({"expiresAt": "2026-01-01T01:00:00Z", "password": "p"});
    let visitor = Visitor::of(&server, &owner, &file, body).await;
    visitor.get("/content").await.expect_problem(401, "link_locked");
    server.clock.advance(Duration::from_secs(3600));
    visitor.get("/content").await.expect_problem(404, "not_found");
    visitor.unlock("p").await.expect_problem(404, "not_found");
    // the owner still sees it, and may give it more time
    let link = format!("/api/v1/links/{}", visitor.link);
    owner
        .patch(&link, json!({"expiresAt": "2026-01-02T00:00:00Z", "password": null}))
        .await
        .expect(StatusCode::OK);
    assert_eq!(visitor.get("/content").await.text(), "text");
}

#[actix_web::test]
async fn uses_are_counted() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a.txt", "root", "text").await;
    let visitor = Visitor::of(&server, &owner, &file, json!({})).await;
    visitor.get("").await.expect(StatusCode::OK);
    visitor.get("").await.expect(StatusCode::OK);
    let first = visitor.get("/content").await;
    let tag = first.header("etag").unwrap();
    // neither looking, nor what is there already, nor a later part is one more
    answer(visitor.request(Method::HEAD, "/content")).await.expect(StatusCode::OK);
    let kept = answer(visitor.request(Method::GET, "/content").header("if-none-match", tag)).await;
    assert_eq!(kept.status, StatusCode::NOT_MODIFIED);
    let later = answer(visitor.request(Method::GET, "/content").header("range", "bytes=2-")).await;
    assert_eq!(later.status, StatusCode::PARTIAL_CONTENT);
    let none = answer(visitor.request(Method::GET, "/content").header("range", "bytes=9-")).await;
    assert_eq!(none.status, StatusCode::RANGE_NOT_SATISFIABLE);
    visitor.get("/content").await;
    let links = owner.get("/api/v1/links").await.expect(StatusCode::OK);
    assert_eq!((&links["items"][0]["opens"], &links["items"][0]["downloads"]), (&json!(2), &json!(2)));
}

#[actix_web::test]
async fn a_limit_counts_the_first_byte_and_lets_the_parts_after_it_pass() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a.txt", "root", "text").await;
    let visitor = Visitor::of(&server, &owner, &file, json!({"maxDownloads": 2})).await;
    let part = |range: &str| visitor.request(Method::GET, "/content").header("range", range);
    let first = answer(part("bytes=0-1")).await;
    assert_eq!((first.status, first.text()), (StatusCode::PARTIAL_CONTENT, "te"));
    let ticket = first.header("x-download-ticket").unwrap();
    let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(answer(part("bytes=2-3").header("x-download-ticket", ticket)).await.text(), "xt");
    assert_eq!(answer(part("bytes=0-3").header("cookie", &cookie)).await.text(), "text");
    assert_eq!(visitor.get("").await.expect(StatusCode::OK)["downloadsLeft"], 1);
    // without it a later part is a download of its own
    assert_eq!(answer(part("bytes=1-")).await.text(), "ext");
    let refused = visitor.get("/content").await;
    refused.expect_problem(410, "link_exhausted");
    answer(part("bytes=1-")).await.expect_problem(410, "link_exhausted");
    answer(part("bytes=1-").header("x-download-ticket", "forged"))
        .await
        .expect_problem(410, "link_exhausted");
    assert_eq!(answer(part("bytes=2-3").header("x-download-ticket", ticket)).await.text(), "xt");
    // what it leads to can still be looked at
    assert_eq!(visitor.get("").await.expect(StatusCode::OK)["downloadsLeft"], 0);
    // it is for this content, for six hours, and ends with the link
    server.clock.advance(Duration::from_secs(6 * 3600 + 1));
    let late = answer(part("bytes=2-3").header("x-download-ticket", ticket)).await;
    late.expect_problem(410, "link_exhausted");
}

#[actix_web::test]
async fn of_twenty_downloads_at_once_five_pass() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a.txt", "root", "text").await;
    let visitor = Visitor::of(&server, &owner, &file, json!({"maxDownloads": 5})).await;
    let downloads = futures_util::future::join_all((0..20).map(|_| visitor.get("/content"))).await;
    let passed = downloads.iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(passed, 5);
    assert!(downloads.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 410)));
}

/// C176.
#[actix_web::test]
async fn a_ticket_ends_with_its_link() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a.txt", "root", "text").await;
    let visitor = Visitor::of(&server, &owner, &file, json!({"maxDownloads": 2})).await;
    let first = visitor.get("/content").await;
    let ticket = first.header("x-download-ticket").unwrap();
    owner.delete(&format!("/api/v1/links/{}", visitor.link)).await.expect(StatusCode::NO_CONTENT);
    let rest = visitor.request(Method::GET, "/content").header("x-download-ticket", ticket);
    answer(rest.header("range", "bytes=2-")).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn what_could_run_in_a_browser_is_disarmed_here_too() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a.html", "root", "<!doctype html><script>alert(1)</script>").await;
    let visitor = Visitor::of(&server, &owner, &file, json!({})).await;
    let page = visitor.get("/content").await;
    assert!(page.header("content-security-policy").unwrap().starts_with("sandbox;"));
    assert!(page.header("content-disposition").unwrap().starts_with("attachment"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert!(page.header("cache-control").unwrap().contains("private"));
}

#[actix_web::test]
async fn what_arrived_is_acknowledged_although_the_link_cannot_note_it() {
    let server = Server::start().await;
    let owner = server.user("a");
    let folder = owner.folder("f", "root").await;
    let visitor = Visitor::of(&server, &owner, &folder, json!({"role": "editor", "notify": true})).await;
    let files = rusqlite::Connection::open(server.dir.path().join("files.db")).unwrap();
    files
        .execute_batch(
            "CREATE TRIGGER no_notes BEFORE UPDATE OF last_used_at ON links
             BEGIN SELECT RAISE(ABORT, 'by the test'); END",
        )
        .unwrap();
    // whoever gets a receipt does not send it again
    let receipt = visitor.put("/children/a.txt/content", "bytes").await.expect(StatusCode::CREATED);
    assert_eq!((&receipt["name"], &receipt["size"]), (&json!("a.txt"), &json!(5)));
    assert_eq!(owner.names(&folder).await, ["a.txt"]);
    assert_eq!(visitor.get("").await.expect(StatusCode::OK)["file"]["name"], "f");
    files.execute_batch("DROP TRIGGER no_notes").unwrap();
    visitor.put("/children/b.txt/content", "bytes").await.expect(StatusCode::CREATED);
    let links = owner.get("/api/v1/links").await.expect(StatusCode::OK);
    assert!(links["items"][0]["lastUsedAt"].is_string(), "{links}");
}
