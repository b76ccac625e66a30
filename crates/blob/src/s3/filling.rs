//! The part that fills: bytes that will go up in one request, each batch of them hashed on another thread meanwhile.

use bytes::Bytes;
use common::PortResult;
use common::digest::Hasher;
use object_store::PutPayload;

use crate::hashing::{BATCH_BYTES, Batch, Hashing};

#[derive(Default)]
pub(super) struct Filling {
    /// What is to be hashed next.
    batch: Batch,
    hashing: Hashing,
    /// The part without the batch, and its length.
    part: Vec<Bytes>,
    len: u64,
}

impl Filling {
    /// One that begins with `tail`, which `hasher` has seen, as all before it.
    pub(super) fn resumed(hasher: Hasher, tail: Bytes) -> Self {
        let len = tail.len() as u64;
        let part = if tail.is_empty() { Vec::new() } else { vec![tail] };
        Self { hashing: Hashing::from(hasher), part, len, ..Self::default() }
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> u64 {
        self.len + self.batch.len() as u64
    }

    /// Takes the beginning of `bytes`: at most a batch, and no more than a part of `size` bytes has room for.
    pub(super) async fn take(&mut self, bytes: &mut Bytes, size: u64) -> PortResult<()> {
        let room = size.saturating_sub(self.len()).min(BATCH_BYTES as u64);
        let piece = bytes.split_to(usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len()));
        self.batch.push(piece);
        if self.batch.len() >= BATCH_BYTES {
            self.hash().await?;
        }
        Ok(())
    }

    /// Gives the batch to the hashing thread, once that is done with the one before, and to the part.
    pub(super) async fn hash(&mut self) -> PortResult<()> {
        self.hashing.back().await?;
        self.len += self.batch.len() as u64;
        let batch = self.batch.take();
        self.part.extend(batch.iter().cloned());
        self.hashing.start(batch);
        Ok(())
    }

    /// The part as it is to be sent, all of which was given to the hashing thread; the next one begins empty.
    pub(super) fn sent(&mut self) -> PutPayload {
        self.len = 0;
        PutPayload::from_iter(std::mem::take(&mut self.part))
    }

    /// What [`Hasher::resume`] goes on from, with all bytes that were given to the hashing thread.
    pub(super) async fn hash_state(&mut self) -> PortResult<String> {
        self.hashing.back().await?;
        Ok(self.hashing.state())
    }

    /// The digests of all that was given to the hashing thread.
    pub(super) async fn hashed(&mut self) -> PortResult<Hasher> {
        self.hashing.finish().await
    }
}
