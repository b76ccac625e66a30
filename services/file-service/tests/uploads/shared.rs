//! Uploads into folders of others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use common::files::{BlobRange, BlobStore, BlobWriter, ByteStream, StoredBlob};
use common::{BlobKey, PortResult, Timestamp};
use futures_util::StreamExt as _;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;

use crate::helpers::{Tus as _, UPLOADS, address, content, file_id, half_sent, metadata};
use crate::support::{Answer, Client, Server, answer, id_of, until};

pub(crate) const QUOTA: u64 = 1_000_000;

pub(crate) async fn with_quota() -> Server {
    Server::with(|settings| settings.default_quota_bytes = Some(QUOTA)).await
}

/// Gives somebody a role in a folder; the id of the share.
pub(crate) async fn share(owner: &Client<'_>, folder: &str, to: &Client<'_>, role: &str) -> String {
    let shares = format!("/api/v1/files/{folder}/shares");
    id_of(&owner.post(&shares, json!({"userId": to.id, "role": role})).await.expect(StatusCode::CREATED))
}

async fn try_to_begin(who: &Client<'_>, folder: &str, name: &str, length: usize) -> Answer {
    let made = who.tus(Method::POST, UPLOADS).header("upload-length", length);
    answer(made.header("upload-metadata", metadata(&[("filename", name), ("folder", folder)]))).await
}

/// Begins an upload into a folder; its address.
pub(crate) async fn begin_in(who: &Client<'_>, folder: &str, name: &str, length: usize) -> String {
    let made = try_to_begin(who, folder, name, length).await;
    made.expect(StatusCode::CREATED);
    address(&made)
}

async fn number(who: &Client<'_>, path: &str, member: &str) -> u64 {
    who.get(path).await.expect(StatusCode::OK)[member].as_u64().unwrap()
}

pub(crate) async fn free(who: &Client<'_>) -> u64 {
    number(who, "/api/v1/limits", "freeBytes").await
}

pub(crate) async fn used(who: &Client<'_>) -> u64 {
    number(who, "/api/v1/usage", "usedBytes").await
}

async fn unfinished(who: &Client<'_>) -> usize {
    who.get(UPLOADS).await.expect(StatusCode::OK)["items"].as_array().unwrap().len()
}

#[actix_web::test]
async fn an_editor_uploads_for_the_owner() {
    let server = with_quota().await;
    let (owner, editor) = (server.user("owner"), server.user("editor"));
    let folder = owner.folder("f", "root").await;
    let inner = owner.folder("inner", &folder).await;
    share(&owner, &folder, &editor, "editor").await;
    let bytes = content(600_000);
    let upload = begin_in(&editor, &inner, "large", bytes.len()).await;
    // what was set aside is the owner's
    assert_eq!((free(&owner).await, free(&editor).await), (QUOTA - 600_000, QUOTA));
    try_to_begin(&editor, &inner, "more", 400_001).await.expect_problem(507, "quota_exceeded");
    editor.send(&upload, 0, &bytes[..200_000]).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(editor.offset(&upload).await, 200_000);
    // it is the editor's alone until it is a file
    owner.get(&upload).await.expect_problem(404, "not_found");
    let done = editor.send(&upload, 200_000, &bytes[200_000..]).await;
    done.expect(StatusCode::NO_CONTENT);
    let file = file_id(&done);
    assert_eq!((used(&owner).await, used(&editor).await), (600_000, 0));
    assert_eq!((free(&owner).await, free(&editor).await), (QUOTA - 600_000, QUOTA));
    assert_eq!(owner.content_of(&file).await, bytes);
    let shown = editor.get(&format!("/api/v1/files/{file}")).await.expect(StatusCode::OK);
    assert_eq!((&shown["ownerId"], &shown["role"]), (&json!(owner.id), &json!("editor")));
    // asking again tells what it has become
    assert_eq!(file_id(&editor.stands(&upload).await), file);
}

#[actix_web::test]
async fn an_editor_sees_what_the_draft_has_made_as_a_get_shows_it() {
    let server = Server::start().await;
    let (owner, editor) = (server.user("owner"), server.user("editor"));
    let folder = owner.folder("f", "root").await;
    let old = owner.file("a.txt", &folder, "old").await;
    share(&owner, &folder, &editor, "editor").await;
    let put = async |name: &str, on_conflict: &str| {
        let path = format!("{UPLOADS}?folder={folder}&name={name}&onConflict={on_conflict}");
        answer(editor.request(Method::POST, &path).header("upload-complete", "?1").body(name.to_owned()))
            .await
    };
    let made = put("b.txt", "fail").await.expect(StatusCode::CREATED);
    assert_eq!((&made["role"], &made["parentId"]), (&json!("editor"), &json!(folder)));
    let shown = editor.get(&format!("/api/v1/files/{}", id_of(&made))).await.expect(StatusCode::OK);
    assert_eq!(made, shown);
    let replaced = put("a.txt", "replace").await.expect(StatusCode::OK);
    assert_eq!((id_of(&replaced), &replaced["role"]), (old.clone(), &json!("editor")));
    assert_eq!(owner.content_of(&old).await, b"a.txt");
}

#[actix_web::test]
async fn parts_of_an_editor_become_the_owners_file() {
    let server = with_quota().await;
    let (owner, editor) = (server.user("owner"), server.user("editor"));
    let folder = owner.folder("f", "root").await;
    share(&owner, &folder, &editor, "editor").await;
    let bytes = content(300_000);
    let mut parts = Vec::new();
    for part in bytes.chunks(150_000) {
        let made = editor.tus(Method::POST, UPLOADS).header("upload-length", part.len());
        let made = made.header("upload-metadata", metadata(&[("folder", &folder)]));
        let part_at = address(&answer(made.header("upload-concat", "partial")).await);
        editor.send(&part_at, 0, part).await.expect(StatusCode::NO_CONTENT);
        parts.push(part_at);
    }
    let whole =
        editor.tus(Method::POST, UPLOADS).header("upload-concat", format!("final;{}", parts.join(" ")));
    let whole = whole.header("upload-metadata", metadata(&[("filename", "whole"), ("folder", &folder)]));
    let file = file_id(&answer(whole).await);
    assert_eq!(owner.content_of(&file).await, bytes);
    assert_eq!((used(&owner).await, used(&editor).await), (300_000, 0));
    until("what was set aside for the parts is given back", async || free(&owner).await == QUOTA - 300_000)
        .await;
}

#[actix_web::test]
async fn who_only_looks_begins_nothing() {
    let server = with_quota().await;
    let (owner, viewer) = (server.user("owner"), server.user("viewer"));
    let folder = owner.folder("f", "root").await;
    share(&owner, &folder, &viewer, "viewer").await;
    try_to_begin(&viewer, &folder, "x", 3).await.expect_problem(403, "forbidden");
    let path = format!("{UPLOADS}?folder={folder}&name=x");
    let draft = viewer.request(Method::POST, &path).header("upload-complete", "?1").body("x");
    answer(draft).await.expect_problem(403, "forbidden");
    // nor does an upload of their own get there
    let upload = viewer.begin("x", 3).await;
    let moved = viewer.patch(&upload, json!({"folderId": folder})).await;
    moved.expect_problem(403, "forbidden");
    assert_eq!((free(&owner).await, unfinished(&viewer).await), (QUOTA, 1));
    assert_eq!(owner.names(&folder).await, [""; 0]);
}

#[actix_web::test]
async fn an_upload_ends_with_its_share() {
    let server = with_quota().await;
    let (owner, editor) = (server.user("owner"), server.user("editor"));
    let folder = owner.folder("f", "root").await;
    for ends in ["share", "access", "role", "role given again"] {
        let id = share(&owner, &folder, &editor, "editor").await;
        let upload = begin_in(&editor, &folder, "x", 600_000).await;
        let own = editor.begin("own", 5).await;
        editor.send(&upload, 0, &content(300_000)).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(free(&owner).await, QUOTA - 600_000);
        let shares = format!("/api/v1/files/{folder}/shares");
        let share = format!("/api/v1/shares/{id}");
        match ends {
            "share" => owner.delete(&share).await,
            "access" => owner.delete(&format!("/api/v1/access/share/{id}")).await,
            "role" => owner.patch(&share, json!({"role": "viewer"})).await,
            _ => owner.post(&shares, json!({"userId": editor.id, "role": "viewer"})).await,
        };
        // refused because it is closed, or gone already
        let refused = editor.send(&upload, 300_000, &content(300_000)).await.status;
        assert!([StatusCode::NOT_FOUND, StatusCode::FORBIDDEN].contains(&refused), "{ends}: {refused}");
        let stands = editor.stands(&upload).await.status;
        assert!([StatusCode::NOT_FOUND, StatusCode::FORBIDDEN].contains(&stands), "{ends}: {stands}");
        until("what was set aside is the owner's again", async || free(&owner).await == QUOTA).await;
        until("it is gone", async || editor.get(&upload).await.status == StatusCode::NOT_FOUND).await;
        editor.send(&own, 0, b"their").await.expect(StatusCode::NO_CONTENT);
        editor.delete(&format!("/api/v1/files/{}", file_id(&editor.stands(&own).await))).await;
        owner.delete(&share).await;
    }
    assert_eq!((owner.names(&folder).await, used(&owner).await), (Vec::<String>::new(), 0));
}

#[actix_web::test]
async fn another_share_keeps_an_upload_alive() {
    let server = Server::start().await;
    let (owner, editor) = (server.user("owner"), server.user("editor"));
    let folder = owner.folder("f", "root").await;
    let inner = owner.folder("inner", &folder).await;
    let above = share(&owner, &folder, &editor, "editor").await;
    share(&owner, &inner, &editor, "editor").await;
    let upload = begin_in(&editor, &inner, "x", 3).await;
    owner.delete(&format!("/api/v1/shares/{above}")).await.expect(StatusCode::NO_CONTENT);
    // whoever looks whether it shall end may hold it for a moment
    let done = editor.send_when_free(&upload, 0, b"abc").await;
    assert_eq!(owner.content_of(&file_id(&done)).await, b"abc");
}

/// The trash closes a folder to others, and gives it back.
#[actix_web::test]
async fn what_is_closed_while_the_last_bytes_come_waits_and_is_no_file() {
    // it is not looked at while they come
    let server = Server::with(|settings| settings.recheck_every = Duration::from_secs(3600)).await;
    let (owner, editor) = (server.user("owner"), server.user("editor"));
    let folder = owner.folder("f", "root").await;
    share(&owner, &folder, &editor, "editor").await;
    let bytes = content(8_000_000);
    let upload = begin_in(&editor, &folder, "x", bytes.len()).await;
    let mut sending = half_sent(&server, &editor, &upload, (0, bytes.len()), &bytes[..4_000_000]).await;
    owner.delete(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::NO_CONTENT);
    sending.write_all(&bytes[4_000_000..]).await.unwrap();
    let told = head_of(&mut sending).await;
    assert!(told.starts_with("HTTP/1.1 404"), "{told}");
    editor.send(&upload, bytes.len(), b"").await.expect_problem(404, "parent_not_found");
    assert_eq!(editor.stands(&upload).await.status, StatusCode::NOT_FOUND);
    let shown = editor.get(&upload).await.expect(StatusCode::OK);
    assert_eq!((&shown["state"], &shown["offset"]), (&json!("complete"), &json!(bytes.len())));
    owner.post(&format!("/api/v1/files/{folder}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(owner.names(&folder).await, [""; 0]);
    let done = editor.send(&upload, bytes.len(), b"").await;
    assert_eq!(owner.content_of(&file_id(&done)).await, bytes);
}

#[actix_web::test]
async fn bytes_that_still_come_are_cut_off() {
    let server = Server::with(|settings| settings.recheck_every = Duration::ZERO).await;
    let (owner, editor) = (server.user("owner"), server.user("editor"));
    let folder = owner.folder("f", "root").await;
    share(&owner, &folder, &editor, "editor").await;
    let bytes = content(8_000_000);
    let upload = begin_in(&editor, &folder, "x", bytes.len()).await;
    let mut sending = half_sent(&server, &editor, &upload, (0, bytes.len()), &bytes[..4_000_000]).await;
    owner.delete(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::NO_CONTENT);
    // not the last ones; the answer may be there already, and the connection closed
    sending.write_all(&bytes[4_000_000..4_000_001]).await.ok();
    let mut told = [0; 1024];
    let read = tokio::time::timeout(Duration::from_secs(30), sending.read(&mut told)).await;
    if let Ok(count @ 1..) = read.expect("the request goes on and on") {
        let told = String::from_utf8_lossy(&told[..count]);
        assert!(told.starts_with("HTTP/1.1 404"), "{told}");
    }
    owner.post(&format!("/api/v1/files/{folder}/restore"), json!({})).await.expect(StatusCode::OK);
    let offset = editor.offset(&upload).await;
    assert!(offset > 0 && offset <= 4_000_001, "{offset}");
    let done = editor.send(&upload, offset, &bytes[offset..]).await;
    assert_eq!(owner.content_of(&file_id(&done)).await, bytes);
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

/// A disk whose next read, or stream, waits until it is let go on.
pub(crate) struct Gated {
    pub(crate) disk: Arc<dyn BlobStore>,
    pub(crate) gate: Arc<Gate>,
}

pub(crate) struct Gate {
    waits: AtomicBool,
    waits_in_stream: AtomicBool,
    pub(crate) reached: Semaphore,
    pub(crate) passes: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(true)
    }
}

impl Gate {
    fn new(at_read: bool) -> Self {
        Self {
            waits: AtomicBool::new(at_read),
            waits_in_stream: AtomicBool::new(!at_read),
            reached: Semaphore::new(0),
            passes: Semaphore::new(0),
        }
    }

    /// Before the first bytes of the next stream.
    pub(crate) fn in_stream() -> Self {
        Self::new(false)
    }
}

#[async_trait]
impl BlobStore for Gated {
    async fn create(&self, key: BlobKey, size_hint: Option<u64>) -> PortResult<Box<dyn BlobWriter>> {
        self.disk.create(key, size_hint).await
    }

    async fn read(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<Bytes>> {
        if self.gate.waits.swap(false, Ordering::SeqCst) {
            self.gate.reached.add_permits(1);
            self.gate.passes.acquire().await.unwrap().forget();
        }
        self.disk.read(key, range).await
    }

    async fn stream(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<ByteStream>> {
        let Some(stream) = self.disk.stream(key, range).await? else { return Ok(None) };
        if !self.gate.waits_in_stream.swap(false, Ordering::SeqCst) {
            return Ok(Some(stream));
        }
        let gate = Arc::clone(&self.gate);
        let waiting = async move {
            gate.reached.add_permits(1);
            gate.passes.acquire().await.unwrap().forget();
            stream
        };
        Ok(Some(Box::pin(futures_util::stream::once(waiting).flatten())))
    }

    async fn size(&self, key: BlobKey) -> PortResult<Option<u64>> {
        self.disk.size(key).await
    }

    async fn delete(&self, key: BlobKey) -> PortResult<bool> {
        self.disk.delete(key).await
    }

    async fn list(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<StoredBlob>> {
        self.disk.list(after, limit).await
    }

    async fn sweep_temporary(&self, before: Timestamp) -> PortResult<u32> {
        self.disk.sweep_temporary(before).await
    }

    async fn free_bytes(&self) -> PortResult<Option<u64>> {
        self.disk.free_bytes().await
    }

    async fn owner(&self) -> PortResult<Option<String>> {
        self.disk.owner().await
    }

    async fn claim(&self, store_id: &str) -> PortResult<()> {
        self.disk.claim(store_id).await
    }

    async fn ping(&self) -> PortResult<()> {
        self.disk.ping().await
    }
}

/// Between the first decision of a commit and the commit lies all that is done with the bytes.
#[actix_web::test]
async fn what_is_closed_in_the_middle_of_its_commit_is_no_file() {
    let gate = Arc::new(Gate::default());
    let given = Arc::clone(&gate);
    let server = Server::over(|_| {}, |disk| Arc::new(Gated { disk, gate: given })).await;
    let (owner, editor) = (server.user("owner"), server.user("editor"));
    let folder = owner.folder("f", "root").await;
    let id = share(&owner, &folder, &editor, "editor").await;
    let bytes = content(100_000);
    let upload = begin_in(&editor, &folder, "x", bytes.len()).await;
    let close = async {
        gate.reached.acquire().await.unwrap().forget();
        owner.delete(&format!("/api/v1/shares/{id}")).await.expect(StatusCode::NO_CONTENT);
        gate.passes.add_permits(1);
    };
    let (sent, ()) = futures_util::future::join(editor.send(&upload, 0, &bytes), close).await;
    sent.expect_problem(404, "parent_not_found");
    assert_eq!((owner.names(&folder).await, used(&owner).await), (Vec::<String>::new(), 0));
    until("it is gone", async || editor.get(&upload).await.status == StatusCode::NOT_FOUND).await;
}
