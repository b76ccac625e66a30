//! A disk without room.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use common::files::{BlobRange, BlobStore, BlobWriter, ByteStream, StoredBlob, WrittenBlob};
use common::{BlobKey, PortError, PortResult, Timestamp};
use reqwest::StatusCode;

use crate::helpers::{child, chunked, content, head, noise, read_head};
use crate::support::Server;

/// A disk with room for so many bytes more.
struct Limited {
    disk: Arc<dyn BlobStore>,
    room: Arc<AtomicI64>,
}

struct LimitedWriter {
    writer: Box<dyn BlobWriter>,
    room: Arc<AtomicI64>,
}

fn full() -> PortError {
    PortError::full("blobs", "no room in this test")
}

#[async_trait]
impl BlobWriter for LimitedWriter {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        let len = bytes.len() as i64;
        if self.room.fetch_sub(len, Ordering::SeqCst) < len {
            Err(full())
        } else {
            self.writer.write(bytes).await
        }
    }

    async fn finish(self: Box<Self>) -> PortResult<WrittenBlob> {
        self.writer.finish().await
    }
}

#[async_trait]
impl BlobStore for Limited {
    async fn create(&self, key: BlobKey, size_hint: Option<u64>) -> PortResult<Box<dyn BlobWriter>> {
        if size_hint.is_some_and(|size| size as i64 > self.room.load(Ordering::SeqCst)) {
            return Err(full());
        }
        let writer = self.disk.create(key, size_hint).await?;
        Ok(Box::new(LimitedWriter { writer, room: Arc::clone(&self.room) }))
    }

    async fn read(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<Bytes>> {
        self.disk.read(key, range).await
    }

    async fn stream(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<ByteStream>> {
        self.disk.stream(key, range).await
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
        Ok(Some(self.room.load(Ordering::SeqCst).max(0) as u64))
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

#[actix_web::test]
async fn c074_a_full_disk_refuses_and_keeps_what_is_there() {
    let room = Arc::new(AtomicI64::new(1_000_000));
    let given = Arc::clone(&room);
    let server = Server::over(|_| {}, |disk| Arc::new(Limited { disk, room: given })).await;
    let user = server.user("a");
    server.set_quota_of(&user, 1 << 30).await;
    let id = user.file("kept", "root", noise(400_000)).await;
    let used = server.usage_of(&user).await.used_bytes;

    // with a length: before a byte is sent
    let request = head(&user, "PUT", &child("root", "large", ""), "Content-Length: 700000\r\n");
    let mut stream = server.send_raw(request.as_bytes()).await;
    let (status, text) = read_head(&mut stream).await;
    assert_eq!(status, 507, "{text}");
    // without: when it is full
    for path in [child("root", "large", ""), content(&id)] {
        room.store(300_000, Ordering::SeqCst);
        user.upload(&path, chunked(noise(700_000))).await.expect_problem(507, "disk_full");
    }
    crate::support::until("what was begun is cleared away", async || {
        server.usage_of(&user).await.reserved_bytes == 0
            && server.temporary().is_empty()
            && server.stored().len() == 1
    })
    .await;
    assert_eq!(server.usage_of(&user).await.used_bytes, used);
    assert_eq!(user.names("root").await, ["kept"]);
    assert_eq!(user.get(&content(&id)).await.bytes, noise(400_000));
    room.store(1_000_000, Ordering::SeqCst);
    user.upload(&child("root", "large", ""), noise(700_000)).await.expect(StatusCode::CREATED);
}
