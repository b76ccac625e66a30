//! What writers share: batches of pieces, and their digests taken on another thread.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use common::digest::Hasher;
use common::{PortError, PortResult};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use crate::PART;

/// Bytes that are handed to another thread at a time.
pub(crate) const BATCH_BYTES: usize = 512 * 1024;

/// Pieces below this size are copied together: each costs some 100 bytes beside its own.
const SMALL_PIECE_BYTES: usize = 4 * 1024;

/// Bytes that came in and are not handed over yet.
#[derive(Default)]
pub(crate) struct Batch {
    pieces: Vec<Bytes>,
    tail: BytesMut,
    len: usize,
}

impl Batch {
    /// Number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, piece: Bytes) {
        self.len += piece.len();
        if piece.len() < SMALL_PIECE_BYTES {
            self.tail.extend_from_slice(&piece);
        } else {
            self.close_tail();
            self.pieces.push(piece);
        }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push(self.tail.split().freeze());
        }
    }

    pub(crate) fn take(&mut self) -> Arc<[Bytes]> {
        self.close_tail();
        self.len = 0;
        std::mem::take(&mut self.pieces).into()
    }
}

/// Digests of all pieces, taken here: blocks for as long as that takes.
pub(crate) fn hash_all(mut hasher: Hasher, pieces: &[Bytes]) -> Hasher {
    for piece in pieces {
        hasher.update(piece);
    }
    hasher
}

/// Digests that are taken on a blocking thread, one batch at a time.
#[derive(Default)]
pub(crate) struct Hashing {
    /// What is known, while no thread is at it.
    here: Hasher,
    away: Option<JoinHandle<Hasher>>,
}

impl Hashing {
    /// Goes on with these digests.
    pub(crate) fn from(hasher: Hasher) -> Self {
        Self { here: hasher, away: None }
    }

    /// What [`Hasher::resume`] goes on from, with the thread [back](Self::back).
    pub(crate) fn state(&self) -> String {
        debug_assert!(self.away.is_none(), "a batch is not hashed yet");
        self.here.state()
    }

    /// Waits until the thread is done with what it was given.
    pub(crate) async fn back(&mut self) -> PortResult<()> {
        if let Some(handle) = &mut self.away {
            let hasher = joined(handle.await);
            self.away = None;
            self.here = hasher?;
        }
        Ok(())
    }

    /// Gives these pieces to a thread, which must be [back](Self::back).
    pub(crate) fn start(&mut self, pieces: Arc<[Bytes]>) {
        debug_assert!(self.away.is_none(), "one batch at a time");
        let hasher = std::mem::take(&mut self.here);
        self.away = Some(spawn_blocking(move || hash_all(hasher, &pieces)));
    }

    /// Takes out what all pieces so far give.
    pub(crate) async fn finish(&mut self) -> PortResult<Hasher> {
        self.back().await?;
        Ok(std::mem::take(&mut self.here))
    }
}

/// What a task or a blocking thread gave, unless it panicked or the runtime is going down.
pub(crate) fn joined<T>(result: Result<T, JoinError>) -> PortResult<T> {
    result.map_err(|error| {
        if error.is_panic() { PortError::broken(PART, error) } else { PortError::unavailable(PART, error) }
    })
}
