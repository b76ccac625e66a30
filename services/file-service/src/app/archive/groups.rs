//! What of an archive is read and sent together: many small entries at a time, larger contents by themselves.

use std::future::ready;
use std::iter::Peekable;
use std::mem;
use std::sync::Arc;

use archive::{Layout, Piece, Pieces};
use bytes::Bytes;
use common::auth::Exports;
use common::files::{BlobRange, ByteStream};
use common::{PortError, PortResult};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::plan::Held;
use crate::app::content::{Reader, SmallPart};
use crate::background::Background;
use crate::state::FileService;

/// So many bytes of headers and small contents make a group, which is one question to the metadata store and one write to the socket.
const GROUP_BYTES: u64 = 64 * 1024;

/// Most contents of a group.
const MOST_CONTENTS: usize = 500;

/// Most of those that are read one by one, since they are not in the metadata store: the first byte waits for all of a group.
const MOST_APART: usize = 16;

/// Something of an archive that is ready to be sent.
pub(super) struct Ready {
    /// What was asked for that its contents belong to, or the first of several to which the right cannot end; none if it has no content. What stands
    /// between contents is shown with them.
    pub(super) root: Option<usize>,
    pub(super) bytes: Bytes,
}

/// Pieces that follow one another.
pub(super) enum Group {
    /// Headers and small contents, all of them in memory at once: 64 KiB, or one piece that is a little larger, and as much again while they are put
    /// together.
    Together(Vec<Piece>),
    /// A content that is read while it is sent.
    Alone(Piece),
}

/// The groups of a part of an archive, one after another.
pub(super) struct Groups {
    pieces: Peekable<Pieces>,
    source: Arc<Source>,
}

impl Iterator for Groups {
    type Item = Group;

    fn next(&mut self) -> Option<Group> {
        let first = self.pieces.next()?;
        let Some(mut load) = Load::default().with(&first, &self.source) else {
            return Some(Group::Alone(first));
        };
        let mut pieces = vec![first];
        while let Some(more) =
            self.pieces.peek().and_then(|next| load.with(next, &self.source)).filter(Load::is_bearable)
        {
            load = more;
            pieces.extend(self.pieces.next());
        }
        Some(Group::Together(pieces))
    }
}

/// What is in a group.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    bytes: u64,
    contents: usize,
    /// Contents that are not in the metadata store.
    apart: usize,
}

impl Load {
    /// With a piece more; none for one that stands alone.
    fn with(self, piece: &Piece, source: &Source) -> Option<Self> {
        let Self { mut bytes, mut contents, mut apart } = self;
        match piece {
            Piece::Bytes(made) => bytes += made.len() as u64,
            Piece::Content { len, .. } => {
                let part = source.small_part(piece)?;
                bytes += len;
                contents += 1;
                apart += usize::from(!source.reader.is_expected_inline(part.size));
            }
        }
        Some(Self { bytes, contents, apart })
    }

    fn is_bearable(&self) -> bool {
        self.bytes <= GROUP_BYTES && self.contents <= MOST_CONTENTS && self.apart <= MOST_APART
    }
}

/// Where the bytes of an archive come from.
pub(super) struct Source {
    reader: Reader,
    exports: Arc<dyn Exports>,
    background: Background,
    layout: Arc<Layout>,
    contents: Arc<[Option<Held>]>,
    /// The first entry of each that was asked for, and whether the right to it can end while it is sent.
    roots: Vec<(usize, bool)>,
}

impl Source {
    pub(super) fn new(
        service: &FileService,
        layout: Arc<Layout>,
        contents: Arc<[Option<Held>]>,
        roots: Vec<(usize, bool)>,
    ) -> Arc<Self> {
        Arc::new(Self {
            reader: Reader::of(service),
            exports: Arc::clone(&service.exports),
            background: service.background.clone(),
            layout,
            contents,
            roots,
        })
    }

    /// What stands from `start` to before `end`.
    pub(super) fn groups(self: &Arc<Self>, start: u64, end: u64) -> Groups {
        Groups { pieces: self.layout.pieces(start, end).peekable(), source: Arc::clone(self) }
    }

    /// Reads a group, or opens it. Nothing comes after an error. What is read together is begun now, and not when it is waited for.
    pub(super) fn open(
        self: Arc<Self>,
        group: Group,
    ) -> BoxFuture<'static, BoxStream<'static, PortResult<Ready>>> {
        match group {
            Group::Together(pieces) => {
                // by itself, so that a read that has begun ends, and gives back its place in the store, whether or not the client takes more
                let background = self.background.clone();
                let read = background.spawn_awaited(async move { self.read(pieces).await });
                Box::pin(async move {
                    let read = read.await;
                    let read = read.unwrap_or_else(|error| vec![Err(PortError::broken("archives", error))]);
                    stream::iter(read).boxed()
                })
            }
            Group::Alone(piece) => Box::pin(async move {
                let (root, opened) = (self.root_of(&piece), self.open_alone(&piece).await);
                let bytes = stream::once(ready(opened)).try_flatten();
                bytes.map_ok(move |bytes| Ready { root, bytes }).boxed()
            }),
        }
    }

    /// Reads the contents of a group and puts it together; in several pieces where the right to one of them can end without the others. What stands before
    /// a content that cannot be read, and then its error.
    async fn read(&self, pieces: Vec<Piece>) -> Vec<PortResult<Ready>> {
        let parts: Vec<SmallPart> = pieces.iter().filter_map(|piece| self.small_part(piece)).collect();
        let (contents, error) = self.reader.read_small(&parts).await;
        let mut contents = contents.into_iter();
        let len: u64 = pieces.iter().map(len_of).sum();
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
        let (mut root, mut made) = (None, Vec::new());
        for piece in &pieces {
            if let Piece::Bytes(between) = piece {
                bytes.extend_from_slice(between);
                continue;
            }
            let Some(content) = contents.next() else { break };
            let next = self.root_of(piece);
            if self.are_apart(root, next) {
                made.push(Ok(Ready { root, bytes: mem::take(&mut bytes).into() }));
                root = next;
            }
            root = root.or(next);
            bytes.extend_from_slice(&content);
        }
        if !bytes.is_empty() {
            made.push(Ok(Ready { root, bytes: bytes.into() }));
        }
        made.extend(error.map(Err));
        made
    }

    async fn open_alone(&self, piece: &Piece) -> PortResult<ByteStream> {
        let Piece::Content { entry, start, len } = *piece else {
            return Err(PortError::broken("archives", "what is no content stands alone"));
        };
        let held = self.contents.get(entry).copied().flatten();
        let stored = self.layout.entries().get(entry).and_then(|entry| entry.stored);
        match (held, stored) {
            (Some(Held::Blob(key)), Some(stored)) => {
                let part = self.reader.read(key, stored.size, BlobRange { start, len }).await?;
                Ok(part.into_stream())
            }
            (Some(Held::Export(file)), Some(stored)) => {
                let exports = Arc::clone(&self.exports);
                Ok(super::export::read(exports, file, stored.size, BlobRange { start, len }))
            }
            _ => Err(PortError::broken("archives", "a folder has no content")),
        }
    }

    /// A content that is read together with others.
    fn small_part(&self, piece: &Piece) -> Option<SmallPart> {
        let Piece::Content { entry, start, len } = *piece else { return None };
        let Some(Held::Blob(key)) = self.contents.get(entry).copied().flatten() else { return None };
        let size = self.layout.entries().get(entry)?.stored?.size;
        (size <= GROUP_BYTES).then_some(SmallPart { key, size, part: BlobRange { start, len } })
    }

    /// What was asked for that a content belongs to.
    fn root_of(&self, piece: &Piece) -> Option<usize> {
        let Piece::Content { entry, .. } = *piece else { return None };
        self.roots.partition_point(|(first, _)| *first <= entry).checked_sub(1)
    }

    /// Whether the right to one of them can end and that to the other last.
    fn are_apart(&self, one: Option<usize>, other: Option<usize>) -> bool {
        let (Some(one), Some(other)) = (one, other) else { return false };
        let can_end = |root: usize| self.roots.get(root).is_some_and(|(_, can_end)| *can_end);
        one != other && (can_end(one) || can_end(other))
    }
}

fn len_of(piece: &Piece) -> u64 {
    match piece {
        Piece::Bytes(bytes) => bytes.len() as u64,
        Piece::Content { len, .. } => *len,
    }
}
