//! Uploads by a link, of somebody who has nothing else.

use common::Sha256;
use common::jobs::Outbox as _;
use file_service::FileSettings;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::helpers::{Tus as _, content, file_id, metadata};
use crate::shared::{QUOTA, free, used, with_quota};
use crate::support::{Answer, Client, Server, answer, id_of, until};

const TUS_BYTES: &str = "application/offset+octet-stream";

/// Somebody with a link.
pub(crate) struct Visitor<'s> {
    server: &'s Server,
    pub(crate) link: String,
    pub(crate) token: String,
}

impl<'s> Visitor<'s> {
    pub(crate) async fn of(server: &'s Server, owner: &Client<'_>, folder: &str, body: Value) -> Self {
        let made = owner.post(&format!("/api/v1/files/{folder}/links"), body).await;
        let made = made.expect(StatusCode::CREATED);
        Self { server, link: id_of(&made), token: made["token"].as_str().unwrap().to_owned() }
    }

    pub(crate) fn uploads(&self) -> String {
        format!("/api/v1/public/{}/uploads", self.token)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.server.request(method, path)
    }

    pub(crate) fn tus(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header("tus-resumable", "1.0.0")
    }

    pub(crate) async fn try_to_begin(&self, said: &[(&str, &str)], length: usize) -> Answer {
        let made = self.tus(Method::POST, &self.uploads()).header("upload-length", length);
        answer(made.header("upload-metadata", metadata(said))).await
    }

    /// Begins an upload; its address.
    pub(crate) async fn begin(&self, name: &str, length: usize) -> String {
        let made = self.try_to_begin(&[("filename", name)], length).await;
        made.expect(StatusCode::CREATED);
        self.address(&made)
    }

    /// The address of an upload that was begun.
    pub(crate) fn address(&self, made: &Answer) -> String {
        let location = made.header("location").unwrap_or_else(|| panic!("no address: {made:?}"));
        assert!(location.starts_with("uploads/"), "{location}");
        format!("/api/v1/public/{}/{location}", self.token)
    }

    pub(crate) fn sending(&self, upload: &str, offset: usize) -> RequestBuilder {
        let request = self.tus(Method::PATCH, upload).header("upload-offset", offset);
        request.header("content-type", TUS_BYTES)
    }

    pub(crate) async fn send(&self, upload: &str, offset: usize, bytes: &[u8]) -> Answer {
        answer(self.sending(upload, offset).body(bytes.to_vec())).await
    }

    pub(crate) async fn stands(&self, upload: &str) -> Answer {
        answer(self.tus(Method::HEAD, upload)).await
    }

    pub(crate) async fn show(&self, upload: &str) -> Answer {
        answer(self.request(Method::GET, upload)).await
    }

    pub(crate) async fn end(&self, upload: &str) -> Answer {
        answer(self.request(Method::DELETE, upload)).await
    }
}

pub(crate) fn dropper() -> Value {
    json!({"role": "dropper"})
}

pub(crate) fn editor() -> Value {
    json!({"role": "editor"})
}

#[actix_web::test]
async fn who_drops_in_pieces_learns_nothing_but_the_receipt() {
    let server = with_quota().await;
    let owner = server.user("owner");
    let folder = owner.folder("Letter box", "root").await;
    owner.file("essay.txt", &folder, "the owner's").await;
    let visitor = Visitor::of(&server, &owner, &folder, dropper()).await;
    let bytes = content(300_000);
    // what they wish about a name that is taken would tell of what is there
    let said = [("filename", "essay.txt"), ("onConflict", "fail")];
    let upload = visitor.address(&visitor.try_to_begin(&said, bytes.len()).await);
    visitor.send(&upload, 0, &bytes[..100_000]).await.expect(StatusCode::NO_CONTENT);
    let stands = visitor.stands(&upload).await;
    assert_eq!((stands.status, stands.header("upload-offset")), (StatusCode::OK, Some("100000")));
    assert_eq!(stands.header("cache-control"), Some("no-store"));
    let shown = visitor.show(&upload).await.expect(StatusCode::OK);
    let mut members: Vec<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(
        members,
        ["createdAt", "expiresAt", "id", "length", "name", "offset", "receipt", "role", "state"]
    );
    assert_eq!((&shown["state"], &shown["receipt"]), (&json!("open"), &Value::Null));
    visitor.send(&upload, 7, b"x").await.expect_problem(409, "upload_offset");

    let done = visitor.send(&upload, 100_000, &bytes[100_000..]).await;
    assert_eq!((done.status, done.header("upload-offset")), (StatusCode::NO_CONTENT, Some("300000")));
    assert_eq!(done.header("file-id"), None);
    assert_eq!(visitor.stands(&upload).await.header("file-id"), None);
    let shown = visitor.show(&upload).await.expect(StatusCode::OK);
    let now = server.now();
    let receipt = json!({
        "id": null, "name": "essay.txt", "size": 300_000, "sha256": Sha256::of(&bytes), "receivedAt": now,
    });
    assert_eq!((&shown["state"], &shown["receipt"]), (&json!("done"), &receipt));
    assert_eq!(owner.names(&folder).await, ["essay (2).txt", "essay.txt"]);
    assert_eq!(used(&owner).await, 300_000 + 11);
    // it tells what was sent, whatever becomes of the file
    let list = owner.get(&format!("/api/v1/files/{folder}/children")).await.expect(StatusCode::OK);
    let file = id_of(&list["items"][0]);
    assert_eq!(owner.content_of(&file).await, bytes);
    let other = owner.request(Method::PUT, &format!("/api/v1/files/{file}/content")).body("other");
    answer(other).await.expect(StatusCode::OK);
    assert_eq!(visitor.show(&upload).await.expect(StatusCode::OK)["receipt"], receipt);
    // and asking again makes nothing new
    visitor.send(&upload, 300_000, b"").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(owner.names(&folder).await, ["essay (2).txt", "essay.txt"]);
    // of what else is unfinished nothing is told
    let listed = answer(visitor.request(Method::GET, &visitor.uploads())).await;
    assert_eq!(listed.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[actix_web::test]
async fn an_editor_by_a_link_is_told_which_file_it_is() {
    let server = Server::start().await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let inner = owner.folder("inner", &folder).await;
    let old = owner.file("a.txt", &inner, "old").await;
    let visitor = Visitor::of(&server, &owner, &folder, editor()).await;
    let said =
        |on_conflict: &'static str| [("filename", "a.txt"), ("folder", &*inner), ("onConflict", on_conflict)];
    visitor.try_to_begin(&said("fail"), 3).await.expect_problem(409, "name_taken");
    let upload = visitor.address(&visitor.try_to_begin(&said("replace"), 3).await);
    let done = visitor.send(&upload, 0, b"new").await;
    assert_eq!(file_id(&done), old);
    let receipt = &visitor.show(&upload).await.expect(StatusCode::OK)["receipt"];
    assert_eq!(
        (&receipt["id"], &receipt["name"], &receipt["size"]),
        (&json!(old), &json!("a.txt"), &json!(3))
    );
    assert_eq!(owner.content_of(&old).await, b"new");
    let upload = visitor.address(&visitor.try_to_begin(&said("rename"), 3).await);
    visitor.send(&upload, 0, b"abc").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(visitor.show(&upload).await.expect(StatusCode::OK)["receipt"]["name"], "a (2).txt");
    // what came by the link says so in the history of files
    let file = file_id(&visitor.stands(&upload).await);
    let events = owner.get(&format!("/api/v1/activity?file={file}")).await.expect(StatusCode::OK);
    assert_eq!(
        (&events["items"][0]["linkId"], &events["items"][0]["userId"]),
        (&json!(visitor.link), &json!(owner.id))
    );
    // a name that was taken meanwhile costs nothing but another one
    let upload = visitor.begin("late.txt", 4).await;
    owner.file("late.txt", &folder, "first").await;
    visitor.send(&upload, 0, b"late").await.expect_problem(409, "name_taken");
    let change =
        visitor.request(Method::PATCH, &upload).json(&json!({"name": "later.txt", "folderId": inner}));
    let receipt = answer(change).await.expect(StatusCode::CREATED);
    assert_eq!((&receipt["name"], &receipt["size"]), (&json!("later.txt"), &json!(4)));
    assert_eq!(owner.names(&inner).await, ["a (2).txt", "a.txt", "later.txt"]);
}

#[actix_web::test]
async fn the_draft_and_its_receipt_by_a_link() {
    let server = Server::start().await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    owner.file("a.txt", &folder, "there").await;
    let visitor = Visitor::of(&server, &owner, &folder, dropper()).await;
    let spoken = answer(visitor.request(Method::OPTIONS, &visitor.uploads())).await;
    spoken.expect(StatusCode::NO_CONTENT);
    assert_eq!(
        (spoken.header("tus-version"), spoken.header("allow")),
        (Some("1.0.0"), Some("POST, OPTIONS"))
    );
    let path = format!("{}?name=a.txt", visitor.uploads());
    let made = answer(visitor.request(Method::POST, &path).header("upload-complete", "?0").body("by ")).await;
    made.expect(StatusCode::CREATED);
    let upload = visitor.address(&made);
    let rest =
        visitor.request(Method::PATCH, &upload).header("upload-offset", 3).header("upload-complete", "?1");
    let done = answer(rest.header("content-type", "application/partial-upload").body("pieces")).await;
    let receipt = done.expect(StatusCode::CREATED);
    assert_eq!(
        (&receipt["id"], &receipt["name"], &receipt["size"]),
        (&Value::Null, &json!("a.txt"), &json!(9))
    );
    assert_eq!(receipt["sha256"], json!(Sha256::of(b"by pieces")));
    assert_eq!((done.header("file-id"), done.header("location")), (None, None));
    // whoever did not hear of it hears it again
    let again =
        visitor.request(Method::PATCH, &upload).header("upload-offset", 9).header("upload-complete", "?1");
    let again = answer(again.header("content-type", "application/partial-upload")).await;
    assert_eq!(again.expect(StatusCode::CREATED), receipt);
    let whole = answer(visitor.request(Method::POST, &path).header("upload-complete", "?1").body("x")).await;
    assert_eq!(whole.expect(StatusCode::CREATED)["name"], "a.txt");
    assert_eq!(owner.names(&folder).await, ["a (2).txt", "a (3).txt", "a.txt"]);
    // for those who can send no other method
    let upload = visitor.begin("x", 1).await;
    let ended = visitor.request(Method::POST, &upload).header("x-http-method-override", "DELETE");
    answer(ended).await.expect(StatusCode::NO_CONTENT);
    visitor.show(&upload).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn parts_by_a_link_become_a_file_and_stay_within_it() {
    let server = with_quota().await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let (one, other) = (
        Visitor::of(&server, &owner, &folder, dropper()).await,
        Visitor::of(&server, &owner, &folder, dropper()).await,
    );
    let bytes = content(300_000);
    let part = async |visitor: &Visitor<'_>, bytes: &[u8]| {
        let made = visitor.tus(Method::POST, &visitor.uploads()).header("upload-length", bytes.len());
        let made = answer(made.header("upload-concat", "partial")).await;
        made.expect(StatusCode::CREATED);
        let at = visitor.address(&made);
        visitor.send(&at, 0, bytes).await.expect(StatusCode::NO_CONTENT);
        at
    };
    let (first, second) = (part(&one, &bytes[..150_000]).await, part(&one, &bytes[150_000..]).await);
    let foreign = part(&other, b"x").await;
    let own = {
        let made = owner.tus(Method::POST, "/api/v1/uploads").header("upload-length", 1);
        crate::helpers::address(&answer(made.header("upload-concat", "partial")).await)
    };
    let whole = |parts: &[&str]| {
        let whole = one.tus(Method::POST, &one.uploads());
        let whole = whole.header("upload-concat", format!("final;{}", parts.join(" ")));
        whole.header("upload-metadata", metadata(&[("filename", "whole")]))
    };
    for wrong in [&foreign, &own] {
        answer(whole(&[&first, wrong])).await.expect_problem(400, "invalid_request");
    }
    let made = answer(whole(&[&first, &second])).await;
    made.expect(StatusCode::CREATED);
    let upload = one.address(&made);
    until("they are put together", async || {
        one.show(&upload).await.expect(StatusCode::OK)["state"] == "done"
    })
    .await;
    let receipt = &one.show(&upload).await.expect(StatusCode::OK)["receipt"];
    assert_eq!((&receipt["sha256"], &receipt["size"]), (&json!(Sha256::of(&bytes)), &json!(300_000)));
    until("what was set aside for the parts is given back", async || {
        free(&owner).await == QUOTA - 300_000 - 1 - 1
    })
    .await;
}

#[actix_web::test]
async fn what_comes_by_a_link_goes_on_at_another_replica() {
    let server = Server::start().await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let visitor = Visitor::of(&server, &owner, &folder, dropper()).await;
    let bytes = content(8_000_000);
    let upload = visitor.begin("large", bytes.len()).await;
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nHost: test\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
         Content-Type: {TUS_BYTES}\r\nContent-Length: {}\r\n\r\n",
        bytes.len()
    );
    let mut frozen = server.send_raw(head.as_bytes()).await;
    frozen.write_all(&bytes[..4_000_000]).await.unwrap();
    let partial = server.dir.path().join("blobs/partial");
    until("bytes are written", async || {
        let mut files = partial.read_dir().unwrap();
        files.any(|entry| entry.unwrap().metadata().is_ok_and(|facts| facts.len() > 0))
    })
    .await;
    let (other, drain) = server.replica(FileSettings::default());
    #[expect(clippy::disallowed_methods, reason = "a client as any program has it")]
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request =
        |method: Method| client.request(method, format!("{other}{upload}")).header("tus-resumable", "1.0.0");
    let stands = answer(request(Method::HEAD)).await;
    assert_eq!(stands.status, StatusCode::OK);
    let offset: usize = stands.header("upload-offset").unwrap().parse().unwrap();
    assert!(offset > 0 && offset <= 4_000_000, "{offset}");
    let rest = request(Method::PATCH).header("upload-offset", offset).header("content-type", TUS_BYTES);
    answer(rest.body(bytes[offset..].to_vec())).await.expect(StatusCode::NO_CONTENT);
    let shown = visitor.show(&upload).await.expect(StatusCode::OK);
    assert_eq!(shown["receipt"]["sha256"], json!(Sha256::of(&bytes)));
    drain.stop.cancel();
}

#[actix_web::test]
async fn what_was_dropped_in_pieces_is_told_of() {
    let server = Server::start().await;
    let owner = server.user("owner");
    let folder = owner.folder("Letter box", "root").await;
    let body = json!({"role": "dropper", "notify": true});
    let visitor = Visitor::of(&server, &owner, &folder, body).await;
    let jobs = async || {
        let leased = server.store.lease_unsent(1000, std::time::Duration::from_secs(1), server.now()).await;
        leased
            .unwrap()
            .into_iter()
            .map(|row| row.job)
            .filter(|job| job.kind == "link-notice")
            .collect::<Vec<_>>()
    };
    let upload = visitor.begin("film", 4).await;
    visitor.send(&upload, 0, b"fi").await.expect(StatusCode::NO_CONTENT);
    assert!(jobs().await.is_empty(), "it has not arrived yet");
    visitor.send(&upload, 2, b"lm").await.expect(StatusCode::NO_CONTENT);
    let told = jobs().await;
    assert_eq!(told.len(), 1, "{told:?}");
    let asked = json!({"link": visitor.link, "job": told[0].id});
    let request = server.internal(Method::POST, "/internal/links/notice").json(&asked);
    let notice = &answer(request).await.expect(StatusCode::OK)["notice"];
    assert_eq!((&notice["drops"], &notice["lastName"]), (&json!(1), &json!("film")));
    let links = owner.get("/api/v1/links").await.expect(StatusCode::OK);
    assert!(links["items"][0]["lastUsedAt"].is_string(), "{links}");
}
