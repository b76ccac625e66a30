use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use common::digest::Hasher;
use common::files::{
    BlobRange, BlobStore, BlobWriter, ByteStream, PartialBlob, PartialBlobs, PartialError, PartialWriter,
    StoredBlob, WrittenBlob,
};
use common::{BlobKey, Clock, PortError, PortResult, Timestamp};
use futures_util::stream;

use crate::{MAX_READ_BYTES, PART};

/// Size of the pieces that a stream gives.
const PIECE_BYTES: usize = 64 * 1024;

/// Blobs in memory, for tests: with a capacity, so that a full disk can be played.
#[derive(Clone)]
pub struct MemoryBlobs {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    blobs: BTreeMap<BlobKey, (Bytes, Timestamp)>,
    partial: BTreeMap<BlobKey, (Vec<u8>, Timestamp)>,
    /// Partial blobs that somebody writes to.
    locked: BTreeSet<BlobKey>,
    capacity: Option<u64>,
    owner: Option<String>,
}

impl State {
    fn free(&self) -> Option<u64> {
        let partial: u64 = self.partial.values().map(|(bytes, _)| bytes.len() as u64).sum();
        let used = partial + self.blobs.values().map(|(bytes, _)| bytes.len() as u64).sum::<u64>();
        self.capacity.map(|capacity| capacity.saturating_sub(used))
    }

    fn check_room(&self, wanted: u64) -> PortResult<()> {
        match self.free() {
            Some(free) if free < wanted => {
                Err(PortError::full(PART, format!("{wanted} bytes wanted, {free} free")))
            }
            _ => Ok(()),
        }
    }
}

impl MemoryBlobs {
    /// An empty store without a bound.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { state: Arc::default(), clock }
    }

    /// An empty store that holds at most so many bytes.
    pub fn with_capacity(clock: Arc<dyn Clock>, capacity_bytes: u64) -> Self {
        let blobs = Self::new(clock);
        blobs.state().capacity = Some(capacity_bytes);
        blobs
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn part(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<Bytes>> {
        let state = self.state();
        let Some((bytes, _)) = state.blobs.get(&key) else {
            return Ok(None);
        };
        let part = usize::try_from(range.start)
            .ok()
            .and_then(|start| start.checked_add(usize::try_from(range.len).ok()?).map(|end| start..end))
            .filter(|part| part.end <= bytes.len())
            .ok_or_else(|| PortError::broken(PART, "the blob is shorter than what is known of it"))?;
        Ok(Some(bytes.slice(part)))
    }
}

#[async_trait]
impl BlobStore for MemoryBlobs {
    async fn create(&self, key: BlobKey, size_hint: Option<u64>) -> PortResult<Box<dyn BlobWriter>> {
        self.state().check_room(size_hint.unwrap_or(0))?;
        Ok(Box::new(Writer { blobs: self.clone(), key, bytes: Vec::new(), hasher: Hasher::default() }))
    }

    async fn read(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<Bytes>> {
        if range.len > MAX_READ_BYTES {
            return Err(PortError::broken(PART, "more than a read may ask for"));
        }
        self.part(key, range)
    }

    async fn stream(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<ByteStream>> {
        Ok(self.part(key, range)?.map(|mut rest| {
            let pieces = std::iter::from_fn(move || {
                let piece = rest.split_to(rest.len().min(PIECE_BYTES));
                (!piece.is_empty()).then_some(Ok(piece))
            });
            Box::pin(stream::iter(pieces)) as ByteStream
        }))
    }

    async fn size(&self, key: BlobKey) -> PortResult<Option<u64>> {
        Ok(self.state().blobs.get(&key).map(|(bytes, _)| bytes.len() as u64))
    }

    async fn delete(&self, key: BlobKey) -> PortResult<bool> {
        Ok(self.state().blobs.remove(&key).is_some())
    }

    async fn list(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<StoredBlob>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.state();
        let found = state.blobs.range((start, Bound::Unbounded)).take(limit as usize);
        Ok(found
            .map(|(key, (bytes, at))| StoredBlob { key: *key, size: bytes.len() as u64, written_at: *at })
            .collect())
    }

    async fn sweep_temporary(&self, _: Timestamp) -> PortResult<u32> {
        Ok(0)
    }

    async fn free_bytes(&self) -> PortResult<Option<u64>> {
        Ok(self.state().free())
    }

    async fn owner(&self) -> PortResult<Option<String>> {
        Ok(self.state().owner.clone())
    }

    async fn claim(&self, store_id: &str) -> PortResult<()> {
        let mut state = self.state();
        match &state.owner {
            Some(owner) if owner == store_id => Ok(()),
            Some(_) => Err(PortError::broken(PART, "the blobs belong to another store")),
            None if !state.blobs.is_empty() => Err(PortError::broken(PART, "there are blobs, and no mark")),
            None => {
                state.owner = Some(store_id.to_owned());
                Ok(())
            }
        }
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

struct Writer {
    blobs: MemoryBlobs,
    key: BlobKey,
    bytes: Vec<u8>,
    hasher: Hasher,
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        self.blobs.state().check_room((self.bytes.len() + bytes.len()) as u64)?;
        self.hasher.update(&bytes);
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> PortResult<WrittenBlob> {
        let Self { blobs, key, bytes, hasher } = *self;
        let at = blobs.clock.now();
        let mut state = blobs.state();
        state.check_room(bytes.len() as u64)?;
        if state.blobs.contains_key(&key) {
            return Err(PortError::broken(PART, "the key is in use"));
        }
        state.blobs.insert(key, (Bytes::from(bytes), at));
        let (size, sha256, crc32) = hasher.finish();
        Ok(WrittenBlob { size, sha256, crc32 })
    }
}

#[async_trait]
impl PartialBlobs for MemoryBlobs {
    async fn append(
        &self,
        from: &PartialBlob,
        length: Option<u64>,
        _unsaved: u64,
    ) -> Result<Box<dyn PartialWriter>, PartialError> {
        let at = self.clock.now();
        let mut state = self.state();
        state.check_room(length.map_or(0, |length| length.saturating_sub(from.size)))?;
        if state.locked.contains(&from.key) {
            return Err(PartialError::Busy);
        }
        let size = usize::try_from(from.size).map_err(|_| PartialError::Gone)?;
        let hasher = if size == 0 {
            state.partial.insert(from.key, (Vec::new(), at));
            Hasher::default()
        } else {
            let (bytes, _) = state
                .partial
                .get_mut(&from.key)
                .filter(|(bytes, _)| bytes.len() >= size)
                .ok_or(PartialError::Gone)?;
            bytes.truncate(size);
            Hasher::resume(&from.state).ok_or(PartialError::Gone)?
        };
        state.locked.insert(from.key);
        drop(state);
        Ok(Box::new(Appender { blobs: self.clone(), durable: from.clone(), hasher }))
    }

    async fn finish(&self, whole: &PartialBlob) -> Result<WrittenBlob, PartialError> {
        let at = self.clock.now();
        let mut state = self.state();
        if state.locked.contains(&whole.key) {
            return Err(PartialError::Busy);
        }
        let size = usize::try_from(whole.size).map_err(|_| PartialError::Gone)?;
        if let Some((mut bytes, _)) =
            state.partial.remove(&whole.key).filter(|(bytes, _)| bytes.len() >= size)
        {
            bytes.truncate(size);
            state.blobs.insert(whole.key, (bytes.into(), at));
        }
        let (bytes, _) =
            state.blobs.get(&whole.key).filter(|(bytes, _)| bytes.len() == size).ok_or(PartialError::Gone)?;
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        let (size, sha256, crc32) = hasher.finish();
        Ok(WrittenBlob { size, sha256, crc32 })
    }

    async fn discard(&self, partial: &PartialBlob) -> PortResult<()> {
        self.state().partial.remove(&partial.key);
        Ok(())
    }

    async fn list_partial(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<StoredBlob>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.state();
        let found = state.partial.range((start, Bound::Unbounded)).take(limit as usize);
        Ok(found
            .map(|(key, (bytes, at))| StoredBlob { key: *key, size: bytes.len() as u64, written_at: *at })
            .collect())
    }

    async fn discard_stray(&self, key: BlobKey, before: Timestamp) -> PortResult<bool> {
        let mut state = self.state();
        if state.partial.get(&key).is_none_or(|(_, at)| *at >= before) {
            return Ok(false);
        }
        Ok(state.partial.remove(&key).is_some())
    }
}

struct Appender {
    blobs: MemoryBlobs,
    durable: PartialBlob,
    hasher: Hasher,
}

#[async_trait]
impl PartialWriter for Appender {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        let at = self.blobs.clock.now();
        let mut state = self.blobs.state();
        state.check_room(bytes.len() as u64)?;
        self.hasher.update(&bytes);
        // what was discarded meanwhile is written nowhere
        if let Some(partial) = state.partial.get_mut(&self.durable.key) {
            partial.0.extend_from_slice(&bytes);
            partial.1 = at;
        }
        self.durable.size += bytes.len() as u64;
        self.durable.state = self.hasher.state();
        Ok(())
    }

    fn durable(&self) -> &PartialBlob {
        &self.durable
    }

    async fn close(self: Box<Self>) -> PortResult<PartialBlob> {
        Ok(self.durable.clone())
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.blobs.state().locked.remove(&self.durable.key);
    }
}
