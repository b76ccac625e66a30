use std::future::ready;
use std::sync::Arc;

use archive::Piece;
use bytes::Bytes;
use common::PortResult;
use common::auth::Exports;
use common::files::{BlobRange, ByteStream};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};

use super::plan::{Held, Plan};
use crate::app::content::Reader;
use crate::app::watch::Watch;
use crate::state::FileService;

/// So many pieces are opened before they are sent, which hides what each takes to be found: at most a quarter of a MiB each.
const AHEAD: usize = 4;

/// The bytes of an archive from `start` to before `end`. Cut off with `ended` soon after a right to what is being sent has ended.
pub(crate) fn body<E>(
    service: &FileService,
    plan: Plan,
    start: u64,
    end: u64,
    ended: impl Fn() -> E + 'static,
    failed: impl Fn(common::PortError) -> E + 'static,
) -> impl Stream<Item = Result<Bytes, E>> + 'static
where
    E: 'static,
{
    let Plan { layout, contents, roots, room, .. } = plan;
    let firsts: Vec<usize> = roots.iter().map(|(first, _)| *first).collect();
    let watches: Vec<_> = roots.iter().map(|(_, root)| Watch::over(service, root)).collect();
    let (reader, exports) = (Reader::of(service), Arc::clone(&service.exports));
    let source = Source { reader, exports, contents, sizes: Arc::clone(&layout) };
    let pieces = layout.pieces(start, end).map(move |piece| {
        let root = match &piece {
            // what belongs to several is shown under the first, as is what stands before it
            Piece::Bytes(_) => None,
            Piece::Content { entry, .. } => firsts.partition_point(|first| first <= entry).checked_sub(1),
        };
        let source = source.clone();
        async move { PortResult::Ok(source.open(piece).await?.map_ok(move |bytes| (root, bytes))) }
    });
    let body = stream::iter(pieces).buffered(AHEAD).try_flatten();
    let state = (Box::pin(body), watches, room, ended, failed);
    stream::try_unfold(state, |(mut body, mut watches, room, ended, failed)| async move {
        let Some(piece) = body.next().await else { return Ok(None) };
        let (root, bytes) = piece.map_err(&failed)?;
        if let Some(watch) = watches.get_mut(root.unwrap_or(0)).and_then(Option::as_mut)
            && watch.has_ended().await
        {
            tracing::info!("an archive is cut off: the right to read what is in it has ended");
            return Err(ended());
        }
        Ok(Some((bytes, (body, watches, room, ended, failed))))
    })
}

/// Opens the pieces.
#[derive(Clone)]
struct Source {
    reader: Reader,
    exports: Arc<dyn Exports>,
    contents: Arc<[Option<Held>]>,
    sizes: Arc<archive::Layout>,
}

impl Source {
    async fn open(self, piece: Piece) -> PortResult<ByteStream> {
        match piece {
            Piece::Bytes(bytes) => Ok(Box::pin(stream::once(ready(Ok(Bytes::from(bytes)))))),
            Piece::Content { entry, start, len } => {
                let held = self.contents.get(entry).copied().flatten();
                let size = self.sizes.entries().get(entry).and_then(|entry| entry.stored);
                match (held, size) {
                    (Some(Held::Blob(key)), Some(stored)) => {
                        let part = self.reader.read(key, stored.size, BlobRange { start, len }).await?;
                        Ok(part.into_stream())
                    }
                    (Some(Held::Export(file)), Some(stored)) => {
                        Ok(super::export::read(self.exports, file, stored.size, BlobRange { start, len }))
                    }
                    _ => Err(common::PortError::broken("archives", "a folder has no content")),
                }
            }
        }
    }
}
