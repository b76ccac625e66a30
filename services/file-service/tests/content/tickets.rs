//! Tickets: addresses that open one content without a credential.

use std::time::Duration;

use common::files::FileStore as _;
use common::{BlobKey, Clock as _, FileId, Timestamp, UserId};
use http_kit::ticket::{LIFETIME, Ticket, TicketKey};
use reqwest::{Method, StatusCode};

use crate::helpers::{content, noise};
use crate::support::{Answer, Server, TICKET_KEY, answer, user_id};

/// Addresses as worker-service makes them.
struct Desk<'s> {
    server: &'s Server,
    key: TicketKey,
}

impl<'s> Desk<'s> {
    fn of(server: &'s Server) -> Self {
        Self { server, key: TicketKey::new(&TICKET_KEY) }
    }

    fn address(&self, file: &str, blob: Option<BlobKey>, user: Option<UserId>) -> String {
        self.until(file, blob, user, self.server.clock.now() + LIFETIME)
    }

    fn until(
        &self,
        file: &str,
        blob: Option<BlobKey>,
        user: Option<UserId>,
        expires_at: Timestamp,
    ) -> String {
        let file = FileId::parse(file).unwrap();
        self.key.content_path(&Ticket { file, blob, user, expires_at })
    }

    /// What somebody gets who has the address and nothing else.
    async fn get(&self, address: &str) -> Answer {
        answer(self.server.request(Method::GET, address)).await
    }

    async fn blob_of(&self, file: &str) -> BlobKey {
        let found = self.server.store.find_path(FileId::parse(file).unwrap()).await.unwrap();
        found.unwrap().node.content.unwrap().blob
    }
}

fn ticket_in(address: &str) -> &str {
    address.split_once("?ticket=").unwrap().1
}

#[actix_web::test]
async fn a_ticket_opens_its_content_and_nothing_else() {
    let server = Server::start().await;
    let (desk, user) = (Desk::of(&server), server.user("a"));
    for size in [0, 100, 1_000_000] {
        let name = format!("{size}.txt");
        let id = user.file(&name, "root", noise(size)).await;
        let address = desk.address(&id, Some(desk.blob_of(&id).await), Some(user.id));
        let opened = desk.get(&address).await;
        assert_eq!((opened.status, &opened.bytes[..]), (StatusCode::OK, &noise(size)[..]));
        // the same as for its owner, header field by header field
        let own = user.get(&content(&id)).await;
        for field in
            ["etag", "last-modified", "repr-digest", "content-type", "content-length", "cache-control"]
        {
            assert_eq!(opened.header(field), own.header(field), "{field}");
        }
        let head = answer(server.request(Method::HEAD, &address)).await;
        assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, Some(&*size.to_string())));
        let saved = desk.get(&format!("{address}&download=true")).await;
        assert!(saved.header("content-disposition").unwrap().starts_with("attachment"));

        let ticket = ticket_in(&address);
        let other = user.file(&format!("other than {name}"), "root", noise(size)).await;
        desk.get(&format!("{}?ticket={ticket}", content(&other))).await.expect_problem(403, "forbidden");
        // no other route knows tickets
        for (method, path) in [
            (Method::PUT, content(&id)),
            (Method::GET, format!("/api/v1/files/{id}/thumbnails/100")),
            (Method::GET, format!("/api/v1/files/{id}")),
            (Method::DELETE, format!("/api/v1/files/{id}")),
            (Method::GET, format!("/files/{id}/data")),
            (Method::GET, format!("/internal/blobs/{}", desk.blob_of(&id).await)),
        ] {
            let request = server.request(method.clone(), &format!("{path}?ticket={ticket}"));
            let refused = answer(request).await.status;
            assert!(matches!(refused.as_u16(), 401 | 404), "{method} {path}: {refused}");
        }
        assert_eq!(user.get(&content(&id)).await.bytes, noise(size));
    }
}

#[actix_web::test]
async fn parts_and_conditions_work_with_a_ticket_and_caches_keep_it_private() {
    let server = Server::start().await;
    let (desk, user) = (Desk::of(&server), server.user("a"));
    for size in [1_000, 1_000_000] {
        let bytes = noise(size);
        let id = user.file(&size.to_string(), "root", bytes.clone()).await;
        let address = desk.address(&id, None, Some(user.id));
        let with = |name: &'static str, value: String| {
            answer(server.request(Method::GET, &address).header(name, value))
        };
        let part = with("range", format!("bytes=10-{}", size - 10)).await;
        assert_eq!((part.status, &part.bytes[..]), (StatusCode::PARTIAL_CONTENT, &bytes[10..size - 9]));
        assert_eq!(part.header("content-range"), Some(&*format!("bytes 10-{}/{size}", size - 10)));
        let several = with("range", "bytes=0-9,500-599".to_owned()).await;
        assert_eq!(several.status, StatusCode::PARTIAL_CONTENT);
        with("range", format!("bytes={size}-")).await.expect_problem(416, "range_not_satisfiable");
        let tag = part.header("etag").unwrap().to_owned();
        let same = with("if-none-match", tag.clone()).await;
        assert_eq!((same.status, same.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(with("if-match", tag).await.status, StatusCode::OK);
        for answer in [&desk.get(&address).await, &part, &several, &same] {
            assert_eq!(answer.header("cache-control"), Some("private, no-cache"), "{}", answer.status);
        }
    }
}

#[actix_web::test]
async fn a_ticket_is_good_until_its_end() {
    let server = Server::start().await;
    let (desk, user) = (Desk::of(&server), server.user("a"));
    let id = user.file("a", "root", "bytes").await;
    let address = desk.address(&id, None, Some(user.id));
    server.clock.advance(LIFETIME - Duration::from_millis(1));
    assert_eq!(desk.get(&address).await.text(), "bytes");
    server.clock.advance(Duration::from_millis(1));
    let late = desk.get(&address).await;
    assert_eq!(late.expect_problem(403, "forbidden")["detail"], "the ticket has expired");
    // somebody who is signed in is not helped by an old ticket, and told so
    answer(user.request(Method::GET, &address)).await.expect_problem(403, "forbidden");
}

#[actix_web::test]
async fn a_ticket_that_was_altered_opens_nothing() {
    let server = Server::start().await;
    let (desk, user) = (Desk::of(&server), server.user("a"));
    let id = user.file("a", "root", "bytes").await;
    let address = desk.address(&id, None, Some(user.id));
    let ticket = ticket_in(&address);
    let path = content(&id);
    for place in 0..ticket.len() {
        let mut altered = ticket.as_bytes().to_vec();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        desk.get(&format!("{path}?ticket={altered}")).await.expect_problem(403, "forbidden");
    }
    let foreign = Desk { key: TicketKey::new(&[9; 32]), ..Desk::of(&server) };
    let foreign = foreign.address(&id, None, Some(user.id));
    for ticket in ["", "x", "%00", &ticket[..ticket.len() - 1], &format!("{ticket}A"), ticket_in(&foreign)] {
        desk.get(&format!("{path}?ticket={ticket}")).await.expect_problem(403, "forbidden");
    }
    for query in [format!("ticket={ticket}&nope=1"), format!("ticket={ticket}&ticket={ticket}")] {
        desk.get(&format!("{path}?{query}")).await.expect_problem(401, "unauthorized");
    }
    assert_eq!(desk.get(&address).await.text(), "bytes");
}

#[actix_web::test]
async fn a_ticket_opens_only_what_its_person_may_read() {
    let server = Server::start().await;
    let (desk, user) = (Desk::of(&server), server.user("a"));
    let id = user.file("a", "root", "bytes").await;
    assert_eq!(desk.get(&desk.address(&id, None, Some(user.id))).await.text(), "bytes");
    assert_eq!(desk.get(&desk.address(&id, None, None)).await.text(), "bytes");
    desk.get(&desk.address(&id, None, Some(user_id("b")))).await.expect_problem(404, "not_found");
    let folder = user.folder("f", "root").await;
    desk.get(&desk.address(&folder, None, Some(user.id))).await.expect_problem(409, "not_a_file");
}

#[actix_web::test]
async fn a_ticket_goes_with_its_content_and_its_file() {
    let server = Server::start().await;
    let (desk, user) = (Desk::of(&server), server.user("a"));
    let folder = user.folder("f", "root").await;
    let id = user.file("a", &folder, "old").await;
    let old = desk.address(&id, Some(desk.blob_of(&id).await), Some(user.id));
    let whatever = desk.address(&id, None, Some(user.id));
    user.upload(&content(&id), "new").await.expect(StatusCode::OK);
    desk.get(&old).await.expect_problem(404, "not_found");
    assert_eq!(desk.get(&whatever).await.text(), "new");
    // a name and a place are not what it is about
    user.patch(&format!("/api/v1/files/{id}"), serde_json::json!({ "name": "b" }))
        .await
        .expect(StatusCode::OK);
    assert_eq!(desk.get(&whatever).await.text(), "new");

    // its owner can still read what is in the trash; a ticket cannot
    user.delete(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(user.get(&content(&id)).await.text(), "new");
    desk.get(&whatever).await.expect_problem(404, "not_found");
    user.post(&format!("/api/v1/files/{folder}/restore"), serde_json::json!({})).await.expect(StatusCode::OK);
    assert_eq!(desk.get(&whatever).await.text(), "new");
    user.delete(&format!("/api/v1/files/{folder}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    desk.get(&whatever).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn a_ticket_needs_nobody_who_knows_credentials() {
    let server = Server::start().await;
    let (desk, user) = (Desk::of(&server), server.user("a"));
    let id = user.file("a", "root", "bytes").await;
    server.auth_outage.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(desk.get(&desk.address(&id, None, Some(user.id))).await.text(), "bytes");
    user.get(&content(&id)).await.expect_problem(503, "unavailable");
}

#[actix_web::test]
async fn a_ticket_ends_with_its_readers_account() {
    let server = Server::start().await;
    let (desk, user) = (Desk::of(&server), server.user("a"));
    let id = user.file("a", "root", "bytes").await;
    let address = desk.address(&id, None, Some(user.id));
    assert_eq!(desk.get(&address).await.text(), "bytes");
    server.closed.lock().unwrap().insert(user.id);
    desk.get(&address).await.expect_problem(404, "not_found");
}
