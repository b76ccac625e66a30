//! What a link lets uploads do, on each request, and what ends them.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::closed::clear_up;
use crate::helpers::{Tus as _, UPLOADS, content, metadata};
use crate::links::{Visitor, dropper, editor};
use crate::shared::{QUOTA, free, share, with_quota};
use crate::support::{Answer, Client, Server, answer, until, user_id};

/// Every call about this upload, and one that begins another.
async fn all_calls(visitor: &Visitor<'_>, upload: &str) -> Vec<(&'static str, Answer)> {
    let path = format!("{}?name=x", visitor.uploads());
    let by_draft = visitor.request(Method::POST, &path).header("upload-complete", "?1").body("x");
    let by_override = visitor.tus(Method::POST, upload).header("x-http-method-override", "HEAD");
    vec![
        ("options", answer(visitor.request(Method::OPTIONS, &visitor.uploads())).await),
        ("begin", visitor.try_to_begin(&[("filename", "x")], 3).await),
        ("begin by the draft", answer(by_draft).await),
        ("show", visitor.show(upload).await),
        ("ask", visitor.stands(upload).await),
        ("ask by override", answer(by_override).await),
        ("send", visitor.send(upload, 0, b"x").await),
        ("change", answer(visitor.request(Method::PATCH, upload).json(&json!({"name": "y"}))).await),
        ("end", visitor.end(upload).await),
    ]
}

async fn all_are(visitor: &Visitor<'_>, upload: &str, status: u16, code: &str) {
    for (call, answer) in all_calls(visitor, upload).await {
        assert_eq!(answer.status, status, "{call}: {answer:?}");
        if call != "ask" {
            answer.expect_problem(status, code);
        }
        // what every answer of the protocol carries
        let is_tus = ["begin", "ask", "send"].contains(&call);
        assert_eq!(answer.header("tus-resumable").is_some(), is_tus || call == "ask by override", "{call}");
    }
}

#[actix_web::test]
async fn each_request_keeps_to_what_the_link_is() {
    let server = Server::start().await;
    let (owner, manager) = (server.user("owner"), server.user("manager"));
    let folder = owner.folder("f", "root").await;
    let given = share(&owner, &folder, &manager, "manager").await;
    let visitor = Visitor::of(&server, &manager, &folder, editor()).await;
    let upload = visitor.begin("x.txt", 5).await;
    let link = format!("/api/v1/links/{}", visitor.link);
    let change = async |body: Value| owner.patch(&link, body).await.expect(StatusCode::OK);

    // the accounts of the folder's owner and of the link's maker
    for closed in ["owner", "manager"] {
        server.closed.lock().unwrap().insert(user_id(closed));
        all_are(&visitor, &upload, 404, "not_found").await;
        clear_up(&server).await;
        server.closed.lock().unwrap().clear();
    }
    // the trash
    owner.delete(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::NO_CONTENT);
    all_are(&visitor, &upload, 404, "not_found").await;
    clear_up(&server).await;
    owner.post(&format!("/api/v1/files/{folder}/restore"), json!({})).await.expect(StatusCode::OK);
    // nothing was lost of what was closed for a while
    assert_eq!(visitor.stands(&upload).await.status, StatusCode::OK);
    // the password, with which ends what was begun without it
    change(json!({"password": "open sesame"})).await;
    all_are(&visitor, &upload, 401, "link_locked").await;
    let wrong = visitor.tus(Method::HEAD, &upload).header("x-link-password", "wrong");
    assert_eq!(answer(wrong).await.status, StatusCode::FORBIDDEN);
    let unlock = visitor.request(Method::POST, &format!("/api/v1/public/{}/unlock", visitor.token));
    let unlocked = answer(unlock.json(&json!({"password": "open sesame"}))).await.expect(StatusCode::OK);
    let ticket = unlocked["ticket"].as_str().unwrap();
    until("what was begun before is gone", async || {
        let stands = visitor.tus(Method::HEAD, &upload).header("x-link-ticket", ticket);
        answer(stands).await.status == StatusCode::NOT_FOUND
    })
    .await;
    let made = visitor.tus(Method::POST, &visitor.uploads()).header("x-link-ticket", ticket);
    let made = made.header("upload-length", 5).header("upload-metadata", metadata(&[("filename", "x.txt")]));
    let upload = visitor.address(&answer(made).await);
    let by_ticket = visitor.sending(&upload, 0).header("x-link-ticket", ticket).body("he");
    answer(by_ticket).await.expect(StatusCode::NO_CONTENT);
    let by_password = visitor.sending(&upload, 2).header("x-link-password", "open sesame").body("l");
    answer(by_password).await.expect(StatusCode::NO_CONTENT);
    change(json!({"password": "another"})).await;
    answer(visitor.sending(&upload, 3).header("x-link-ticket", ticket).body("l"))
        .await
        .expect_problem(401, "link_locked");
    change(json!({"password": null})).await;
    until("what was begun with it is gone", async || {
        visitor.stands(&upload).await.status == StatusCode::NOT_FOUND
    })
    .await;
    let upload = visitor.begin("x.txt", 5).await;
    visitor.send(&upload, 0, b"hello").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(owner.names(&folder).await, ["x.txt"]);

    // the right of its maker
    let upload = visitor.begin("y.txt", 5).await;
    owner.delete(&format!("/api/v1/shares/{given}")).await.expect(StatusCode::NO_CONTENT);
    all_are(&visitor, &upload, 404, "not_found").await;
    assert_eq!(owner.names(&folder).await, ["x.txt"]);
}

#[actix_web::test]
async fn who_may_not_add_files_begins_no_upload_and_goes_on_with_none() {
    let server = Server::start().await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let file = owner.file("a.txt", &folder, "text").await;
    for role in ["viewer", "preview-only"] {
        let visitor = Visitor::of(&server, &owner, &folder, json!({"role": role})).await;
        let unknown = format!("{}/0123456789abcdef01234567", visitor.uploads());
        // as for a file in one request
        let put = format!("/api/v1/public/{}/children/x/content", visitor.token);
        answer(visitor.request(Method::PUT, &put).body("x")).await.expect_problem(403, "forbidden");
        all_are(&visitor, &unknown, 403, "forbidden").await;
    }
    let visitor = Visitor::of(&server, &owner, &file, editor()).await;
    visitor.try_to_begin(&[("filename", "x")], 1).await.expect_problem(409, "parent_not_folder");
    // no more than is allowed now
    let visitor = Visitor::of(&server, &owner, &folder, editor()).await;
    let said = [("filename", "a.txt"), ("onConflict", "replace")];
    let upload = visitor.address(&visitor.try_to_begin(&said, 3).await);
    let link = format!("/api/v1/links/{}", visitor.link);
    owner.patch(&link, dropper()).await.expect(StatusCode::OK);
    until("it is looked at", async || {
        let sent = visitor.send(&upload, 0, b"new").await;
        sent.status == StatusCode::NO_CONTENT
    })
    .await;
    assert_eq!(owner.names(&folder).await, ["a (2).txt", "a.txt"]);
    assert_eq!(owner.content_of(&file).await, b"text");
}

#[actix_web::test]
async fn an_upload_by_a_link_is_that_links_alone() {
    let server = Server::start().await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let visitor = Visitor::of(&server, &owner, &folder, editor()).await;
    let other = Visitor::of(&server, &owner, &folder, editor()).await;
    let upload = visitor.begin("x", 3).await;
    let id = upload.rsplit('/').next().unwrap().to_owned();
    let own = owner.begin("own", 3).await;
    let of_account = own.rsplit('/').next().unwrap();
    for strange in [
        format!("{}/{id}", other.uploads()),
        format!("{}/{of_account}", visitor.uploads()),
        format!("{}/0123456789abcdef01234567", visitor.uploads()),
        format!("{}/x", visitor.uploads()),
    ] {
        other.show(&strange).await.expect_problem(404, "not_found");
        assert_eq!(other.stands(&strange).await.status, StatusCode::NOT_FOUND);
        other.send(&strange, 0, b"x").await.expect_problem(404, "not_found");
        other.end(&strange).await.expect_problem(404, "not_found");
    }
    // nor is it the owner's to go on with
    let as_own = format!("{UPLOADS}/{id}");
    owner.get(&as_own).await.expect_problem(404, "not_found");
    owner.send(&as_own, 0, b"x").await.expect_problem(404, "not_found");
    owner.delete(&as_own).await.expect_problem(404, "not_found");
    let listed = owner.get(UPLOADS).await.expect(StatusCode::OK);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    visitor.send(&upload, 0, b"abc").await.expect(StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn an_upload_stays_below_what_its_link_leads_to() {
    let server = Server::start().await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let inner = owner.folder("inner", &folder).await;
    let beside = owner.folder("beside", "root").await;
    let theirs = server.user("b").folder("theirs", "root").await;
    for role in ["editor", "dropper"] {
        let visitor = Visitor::of(&server, &owner, &folder, json!({"role": role})).await;
        for outside in [&*beside, &*theirs, "5f1e8896c7ba06511e683b25", "..", "x"] {
            let said = [("filename", "x"), ("folder", outside)];
            visitor.try_to_begin(&said, 1).await.expect_problem(404, "parent_not_found");
            let upload = visitor.begin("x", 1).await;
            let moved = visitor.request(Method::PATCH, &upload).json(&json!({"folderId": outside}));
            answer(moved).await.expect_problem(404, "parent_not_found");
            visitor.end(&upload).await.expect(StatusCode::NO_CONTENT);
        }
        // the word means what the link leads to
        let said = [("filename", role), ("folder", "root")];
        let upload = visitor.address(&visitor.try_to_begin(&said, 1).await);
        visitor.send(&upload, 0, b"x").await.expect(StatusCode::NO_CONTENT);
        // who sees nothing knows of no folder
        let deeper = visitor.try_to_begin(&[("filename", "deep"), ("folder", &inner)], 1).await;
        match role {
            "editor" => drop(deeper.expect(StatusCode::CREATED)),
            _ => drop(deeper.expect_problem(404, "parent_not_found")),
        }
    }
    assert_eq!(owner.names(&folder).await, ["inner", "dropper", "editor"]);
    assert_eq!(owner.names(&beside).await, [""; 0]);
}

#[actix_web::test]
async fn uploads_by_a_link_are_limited_in_number_and_in_how_often_they_begin() {
    let server = Server::with(|settings| settings.most_uploads_by_link = 3).await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let visitor = Visitor::of(&server, &owner, &folder, dropper()).await;
    let other = Visitor::of(&server, &owner, &folder, dropper()).await;
    let begun = (0..6).map(|number| visitor.try_to_begin(&[("filename", "x")], number + 1));
    let begun = futures_util::future::join_all(begun).await;
    let mut passed: Vec<_> = begun
        .iter()
        .filter(|one| one.status == StatusCode::CREATED)
        .map(|one| visitor.address(one))
        .collect();
    assert!(passed.len() <= 3, "{}", passed.len());
    for refused in begun.iter().filter(|one| one.status != StatusCode::CREATED) {
        refused.expect_problem(409, "too_many");
    }
    while passed.len() < 3 {
        passed.push(visitor.begin("x", 1).await);
    }
    visitor.try_to_begin(&[("filename", "x")], 1).await.expect_problem(409, "too_many");
    // of each link, and those that have arrived do not count
    let done = other.begin("y", 1).await;
    other.send(&done, 0, b"y").await.expect(StatusCode::NO_CONTENT);
    visitor.end(&passed[0]).await.expect(StatusCode::NO_CONTENT);
    visitor.begin("x", 1).await;
    let mut refused = None;
    for _ in 0..1000 {
        let answer = visitor.try_to_begin(&[("filename", "x")], 1).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("it goes on without end");
    refused.expect_problem(429, "rate_limited");
    assert!(refused.header("retry-after").is_some());
    other.begin("y", 1).await;
}

#[actix_web::test]
async fn uploads_end_with_their_link_and_give_their_room_back() {
    let server = with_quota().await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let partial = server.dir.path().join("blobs/partial");
    for ends in ["link", "access", "role", "time", "by the visitor", "by the owner", "folder"] {
        let visitor = Visitor::of(&server, &owner, &folder, dropper()).await;
        let upload = visitor.begin("x", 600_000).await;
        visitor.send(&upload, 0, &content(300_000)).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(free(&owner).await, QUOTA - 300_000);
        // the room is the owner's, and it has an end
        visitor.try_to_begin(&[("filename", "y")], 700_001).await.expect_problem(507, "quota_exceeded");
        clear_up(&server).await;
        assert_eq!(
            visitor.stands(&upload).await.header("upload-offset"),
            Some("300000"),
            "nothing has ended yet"
        );
        let access = owner.get("/api/v1/access").await.expect(StatusCode::OK);
        let seen = access["items"].as_array().unwrap().iter().find(|item| item["kind"] == "upload").unwrap();
        assert_eq!((&seen["linkId"], &seen["label"]), (&json!(visitor.link), &json!("x")));
        assert_eq!((&seen["file"]["id"], &seen["madeBy"]["id"]), (&json!(folder), &json!(owner.id)));
        let link = format!("/api/v1/links/{}", visitor.link);
        let done = match ends {
            "link" => owner.delete(&link).await,
            "access" => owner.delete(&format!("/api/v1/access/link/{}", visitor.link)).await,
            "role" => owner.patch(&link, json!({"role": "viewer"})).await,
            "time" => {
                let end = server.now() + Duration::from_secs(60);
                let changed = owner.patch(&link, json!({"expiresAt": end})).await;
                server.clock.advance(Duration::from_secs(61));
                // nobody tells
                clear_up(&server).await;
                changed
            }
            "by the visitor" => visitor.end(&upload).await,
            "by the owner" => {
                let id = seen["id"].as_str().unwrap();
                server
                    .user("b")
                    .delete(&format!("/api/v1/access/upload/{id}"))
                    .await
                    .expect_problem(404, "not_found");
                owner.delete(&format!("/api/v1/access/upload/{id}")).await
            }
            _ => {
                let gone = owner.delete(&format!("/api/v1/files/{folder}?permanent=true")).await;
                clear_up(&server).await;
                gone
            }
        };
        assert!(done.status.is_success(), "{ends}: {done:?}");
        until("the room is the owner's again", async || free(&owner).await == QUOTA).await;
        until("its bytes are gone", async || partial.read_dir().unwrap().count() == 0).await;
        let stands = visitor.stands(&upload).await.status;
        assert!([StatusCode::NOT_FOUND, StatusCode::FORBIDDEN].contains(&stands), "{ends}: {stands}");
        owner.delete(&link).await;
    }
}

/// Sends the first half of an upload, and leaves the request open.
async fn half_sent(server: &Server, upload: &str, bytes: &[u8]) -> tokio::net::TcpStream {
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nHost: test\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
         X-Link-Password: first\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: {}\r\n\r\n",
        bytes.len()
    );
    let mut stream = server.send_raw(head.as_bytes()).await;
    stream.write_all(&bytes[..bytes.len() / 2]).await.unwrap();
    stream.flush().await.unwrap();
    let partial = server.dir.path().join("blobs/partial");
    until("bytes are written", async || {
        let mut files = partial.read_dir().unwrap();
        files.any(|entry| entry.unwrap().metadata().is_ok_and(|facts| facts.len() > 0))
    })
    .await;
    stream
}

async fn head_of(stream: &mut tokio::net::TcpStream) -> String {
    let (mut head, mut buffer) = (String::new(), [0; 1024]);
    while !head.contains("\r\n\r\n") {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "{head}");
        head.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    head
}

/// A visitor who began an upload with the link's password.
pub(crate) async fn locked<'s>(
    server: &'s Server,
    owner: &Client<'_>,
    folder: &str,
    length: usize,
) -> (Visitor<'s>, String) {
    let visitor = Visitor::of(server, owner, folder, json!({"role": "dropper", "password": "first"})).await;
    let made = visitor.tus(Method::POST, &visitor.uploads()).header("x-link-password", "first");
    let made = made.header("upload-length", length).header("upload-metadata", metadata(&[("filename", "x")]));
    let upload = visitor.address(&answer(made).await);
    (visitor, upload)
}

#[actix_web::test]
async fn what_comes_with_a_password_of_yesterday_is_no_file() {
    // it is not looked at while the bytes come
    let server = Server::with(|settings| settings.recheck_every = Duration::from_secs(3600)).await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let bytes = content(8_000_000);
    for ends in ["password", "link"] {
        let (visitor, upload) = locked(&server, &owner, &folder, bytes.len()).await;
        let mut sending = half_sent(&server, &upload, &bytes).await;
        let link = format!("/api/v1/links/{}", visitor.link);
        match ends {
            "password" => {
                owner.patch(&link, json!({"password": "second"})).await.expect(StatusCode::OK);
                let told = head_of(&mut sending).await;
                assert!(told.starts_with("HTTP/1.1 423"), "{told}");
            }
            _ => drop(owner.delete(&link).await.expect(StatusCode::NO_CONTENT)),
        }
        // whoever ends it makes the request leave
        let partial = server.dir.path().join("blobs/partial");
        until("its bytes are gone", async || partial.read_dir().unwrap().count() == 0).await;
        let stands = visitor.tus(Method::HEAD, &upload).header("x-link-password", "second");
        assert_eq!(answer(stands).await.status, StatusCode::NOT_FOUND);
        assert_eq!(owner.names(&folder).await, [""; 0]);
    }
}
