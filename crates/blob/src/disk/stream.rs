//! A file as a stream of pieces: read inline while the page cache has them, ahead on a blocking thread while it has not.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use common::PortResult;
use common::files::BlobRange;
use futures_util::Stream;
use metrics::counter;
use rustix::fs::Advice;
use rustix::io::Errno;
use tokio::task::JoinHandle;

use super::error::{damaged, port_error};
use super::read;
use crate::hashing::joined;

/// Size of a piece. Larger ones leave the second-level cache between the copies, and cost half as much again per byte.
const PIECE_BYTES: usize = 64 * 1024;

/// Pieces that one blocking call reads when the page cache has none: a hand-over for each would cost more than the reading.
const PIECES_AHEAD: usize = 4;

/// Spare buffers that are kept.
const KEPT_BUFFERS: usize = 32;

/// From this length on the system is told that the file will be read in order.
const SEQUENTIAL_BYTES: u64 = 1024 * 1024;

/// Buffers in use again and again, the last returned first, while it is warm in the processor's cache. Filled with zeros once.
#[derive(Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Box<[u8]>>>>);

impl Buffers {
    fn take(&self) -> Box<[u8]> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| vec![0; PIECE_BYTES].into())
    }

    fn give_back(&self, buffer: Box<[u8]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_BUFFERS {
            kept.push(buffer);
        }
    }
}

/// The filled part of a buffer, which goes back when the last `Bytes` of it is gone.
struct Piece {
    buffer: Box<[u8]>,
    len: usize,
    home: Buffers,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.buffer));
    }
}

/// What is left to read of an open file.
#[derive(Clone)]
struct Rest {
    file: Arc<File>,
    at: u64,
    left: u64,
    buffers: Buffers,
}

impl Rest {
    /// The file behind `path` at `range`. None if it is shorter than that.
    fn of(file: File, range: BlobRange, buffers: Buffers) -> io::Result<Option<Self>> {
        let end = range.start.checked_add(range.len);
        if end.is_none_or(|end| file.metadata().is_ok_and(|facts| facts.len() < end)) {
            return Ok(None);
        }
        if range.len >= SEQUENTIAL_BYTES {
            // advice only: what it answers changes nothing
            let _ = rustix::fs::fadvise(
                &file,
                range.start,
                std::num::NonZeroU64::new(range.len),
                Advice::Sequential,
            );
        }
        Ok(Some(Self { file: Arc::new(file), at: range.start, left: range.len, buffers }))
    }

    fn wanted(&self) -> usize {
        usize::try_from(self.left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES))
    }

    fn advance(&mut self, buffer: Box<[u8]>, len: usize) -> Bytes {
        self.at += len as u64;
        self.left -= len as u64;
        Bytes::from_owner(Piece { buffer, len, home: self.buffers.clone() })
    }

    /// The next piece, if the page cache has it (or some of it).
    fn cached_piece(&mut self) -> Option<Bytes> {
        let mut buffer = self.buffers.take();
        match read::cached_at(&self.file, &mut buffer[..self.wanted()], self.at) {
            Some(len) => Some(self.advance(buffer, len)),
            None => {
                self.buffers.give_back(buffer);
                None
            }
        }
    }

    /// The next few pieces, with all the waiting that it takes.
    fn pieces(mut self) -> io::Result<(Self, VecDeque<Bytes>)> {
        let mut pieces = VecDeque::with_capacity(PIECES_AHEAD);
        while self.left > 0 && pieces.len() < PIECES_AHEAD {
            let mut buffer = self.buffers.take();
            let wanted = self.wanted();
            let mut len = 0;
            while len < wanted {
                match rustix::io::pread(&self.file, &mut buffer[len..wanted], self.at + len as u64) {
                    Ok(0) => return Err(damaged("the blob has become shorter")),
                    Ok(count) => len += count,
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            pieces.push_back(self.advance(buffer, len));
        }
        Ok((self, pieces))
    }
}

/// Where the rest of the file is: here, or on a blocking thread that reads ahead.
enum Reader {
    Here(Rest),
    Ahead(JoinHandle<io::Result<(Rest, VecDeque<Bytes>)>>),
    /// After an error.
    Ended,
}

/// A part of a file as a stream.
pub(super) struct FileStream {
    ready: VecDeque<Bytes>,
    reader: Reader,
    /// The last pieces were not in the page cache, so the next ones may not be either.
    cold: bool,
}

impl FileStream {
    /// Opens the file and reads its first piece, if neither waits for a disk.
    pub(super) fn open_cached(path: &Path, range: BlobRange, buffers: Buffers) -> Option<Self> {
        let mut rest = Rest::of(read::open_cached(path)?, range, buffers).ok()??;
        let first = if rest.left > 0 { Some(rest.cached_piece()?) } else { None };
        Some(Self { ready: first.into_iter().collect(), reader: Reader::Here(rest), cold: false })
    }

    /// Opens the file and reads its first pieces, so that what is damaged shows before anything is sent.
    ///
    /// # Errors
    /// `NotFound`; `InvalidData` if the file is shorter than the range says.
    pub(super) fn open(path: &Path, range: BlobRange, buffers: Buffers) -> io::Result<Self> {
        let rest = Rest::of(read::open(path)?, range, buffers)?
            .ok_or_else(|| damaged("the blob is shorter than what is known of it"))?;
        let (rest, ready) = rest.pieces()?;
        Ok(Self { ready, reader: Reader::Here(rest), cold: true })
    }

    /// Gets the next piece while the last one is being sent.
    fn look_ahead(&mut self) {
        if let Reader::Here(rest) = &mut self.reader
            && rest.left > 0
        {
            match rest.cached_piece() {
                Some(piece) => {
                    self.ready.push_back(piece);
                    self.cold = false;
                }
                None => self.read_ahead(),
            }
        }
    }

    fn read_ahead(&mut self) {
        if let Reader::Here(rest) = std::mem::replace(&mut self.reader, Reader::Ended) {
            self.reader = Reader::Ahead(tokio::task::spawn_blocking(move || rest.pieces()));
        }
    }
}

impl Stream for FileStream {
    type Item = PortResult<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(piece) = this.ready.pop_front() {
                if this.cold && this.ready.is_empty() {
                    this.look_ahead();
                }
                counter!("fm_blobs_read_bytes_total").increment(piece.len() as u64);
                return Poll::Ready(Some(Ok(piece)));
            }
            match &mut this.reader {
                Reader::Ended => return Poll::Ready(None),
                Reader::Here(rest) if rest.left == 0 => return Poll::Ready(None),
                Reader::Here(rest) => match rest.cached_piece() {
                    Some(piece) => {
                        this.cold = false;
                        this.ready.push_back(piece);
                    }
                    None => this.read_ahead(),
                },
                Reader::Ahead(handle) => {
                    match joined(ready!(Pin::new(handle).poll(cx))).and_then(|read| read.map_err(port_error))
                    {
                        Ok((rest, pieces)) => {
                            this.ready = pieces;
                            this.reader = Reader::Here(rest);
                            this.cold = true;
                        }
                        Err(error) => {
                            this.reader = Reader::Ended;
                            return Poll::Ready(Some(Err(error)));
                        }
                    }
                }
            }
        }
    }
}
