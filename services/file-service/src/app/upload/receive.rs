//! Takes in the bytes of an upload, in constant memory.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use common::digest::Hasher;
use common::files::{BlobWriter, NewBlob, NodeError, NodeName, Place, WrittenBlob};
use common::{BlobKey, Code, Sha256, SpaceId, Timestamp};
use futures_util::{Stream, StreamExt as _};
use http_kit::BodyError;
use runtime::crash_point;

use super::Announced;
use super::guards::{Reservation, Stray};
use crate::app::sniff;
use crate::error::AppError;
use crate::state::FileService;

/// By how much the reservation of an upload of unknown length grows: as much as there is, but for the bounds, so that the commits stay few and small ones do not take
/// from others what they never use.
const RESERVED_AT_ONCE: RangeInclusive<u64> = 128 * 1024..=8 * 1024 * 1024;

/// How long a reservation lasts. One that is used for half of that is renewed.
const RESERVED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes that are all there, and what was taken for them.
pub(in crate::app) struct Received {
    pub(in crate::app) blob: NewBlob,
    pub(in crate::app) mime: &'static str,
    pub(in crate::app) reservation: Option<Reservation>,
    pub(in crate::app) stray: Option<Stray>,
}

/// Reads a body to its end: a small one into memory, a larger one into the blob store, with its bytes reserved.
pub(super) async fn receive(
    service: &FileService,
    space: SpaceId,
    name: &NodeName,
    announced: Announced,
    mut body: impl Stream<Item = Result<Bytes, BodyError>> + Unpin,
) -> Result<Received, AppError> {
    let inline = service.settings.inline_bytes;
    check_length(service, announced.length)?;
    if announced.length.is_some_and(|length| length > inline as u64) {
        // what has no room is refused before a byte is read
        let sink = Sink::open(service, space, announced.length).await?;
        return stream(sink, name, announced, Vec::new(), body).await;
    }
    let mut head = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece?;
        crash_point("upload.in-body");
        if head.len() + piece.len() > inline {
            let sink = Sink::open(service, space, None).await?;
            return stream(sink, name, announced, vec![head.freeze(), piece], body).await;
        }
        // all of it in one piece, as small ones come: nothing is copied
        if head.is_empty() {
            head = BytesMut::from(piece);
        } else {
            head.extend_from_slice(&piece);
        }
    }
    let head = head.freeze();
    let mut hasher = Hasher::default();
    hasher.update(&head);
    let (size, sha256, crc32) = hasher.finish();
    check_digest(announced, sha256)?;
    let mime =
        sniff::detect(&head[..head.len().min(sniff::HEAD_BYTES)], head.len() <= sniff::HEAD_BYTES, name);
    crash_point("upload.after-blob");
    let blob = NewBlob { key: service.ids.blob_key(), size, sha256, crc32, place: Place::Inline(head) };
    Ok(Received { blob, mime, reservation: None, stray: None })
}

fn check_length(service: &FileService, length: Option<u64>) -> Result<(), AppError> {
    match service.settings.max_upload_bytes {
        Some(max) if length.is_some_and(|length| length > max) => {
            Err(AppError::because(Code::TooLarge, format!("A file has at most {max} bytes here")))
        }
        _ => Ok(()),
    }
}

fn check_digest(announced: Announced, found: Sha256) -> Result<(), AppError> {
    match announced.digest {
        Some(digest) if digest != found => Err(AppError::refused(Code::DigestMismatch)),
        _ => Ok(()),
    }
}

/// Reads the rest of a body, after `first`, into the blob store.
async fn stream(
    mut sink: Sink<'_>,
    name: &NodeName,
    announced: Announced,
    first: Vec<Bytes>,
    body: impl Stream<Item = Result<Bytes, BodyError>> + Unpin,
) -> Result<Received, AppError> {
    let mut head = BytesMut::new();
    let mut pieces = futures_util::stream::iter(first.into_iter().map(Ok)).chain(body);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        if head.len() < sniff::HEAD_BYTES {
            head.extend_from_slice(&piece[..piece.len().min(sniff::HEAD_BYTES - head.len())]);
        }
        sink.write(piece).await?;
        crash_point("upload.in-body");
    }
    sink.settle().await?;
    // syncing takes a while; whoever gives up meanwhile leaves no blob, the writer sees to that
    let Sink { service, writer, key, reservation, written, .. } = sink;
    let WrittenBlob { size, sha256, crc32 } = writer.finish().await?;
    let stray = Stray::new(service, key);
    crash_point("upload.after-blob");
    check_digest(announced, sha256)?;
    let mime = sniff::detect(&head, written == head.len() as u64, name);
    let blob = NewBlob { key, size, sha256, crc32, place: Place::Blob };
    Ok(Received { blob, mime, reservation, stray: Some(stray) })
}

/// A blob that grows, with its reservation.
struct Sink<'a> {
    service: &'a FileService,
    space: SpaceId,
    key: BlobKey,
    writer: Box<dyn BlobWriter>,
    /// None where the space has no quota: then nobody can be kept from the rest of it.
    reservation: Option<Reservation>,
    written: u64,
    reserved: u64,
    reserved_at: Timestamp,
}

impl<'a> Sink<'a> {
    /// Makes room for an upload of this length. The quota is looked at before the disk.
    async fn open(service: &'a FileService, space: SpaceId, length: Option<u64>) -> Result<Self, AppError> {
        let has_quota = service.store.usage(space).await?.quota_bytes.is_some();
        let reserved_at = service.clock.now();
        let reservation = has_quota.then(|| Reservation::new(service));
        if let (Some(reservation), Some(length)) = (&reservation, length) {
            service.store.reserve(space, reservation.id(), length, reserved_at + RESERVED_FOR).await?;
        }
        let reserved = length.unwrap_or_default();
        let key = service.ids.blob_key();
        let writer = service.blobs.create(key, length).await?;
        Ok(Self { service, space, key, writer, reservation, written: 0, reserved, reserved_at })
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), AppError> {
        self.written += piece.len() as u64;
        check_length(self.service, Some(self.written))?;
        self.reserve().await?;
        Ok(self.writer.write(piece).await?)
    }

    /// All bytes are there: gives back what is set aside for more.
    async fn settle(&mut self) -> Result<(), AppError> {
        if let Some(reservation) = &self.reservation
            && self.reserved > self.written
        {
            let until = self.service.clock.now() + RESERVED_FOR;
            self.service.store.reserve(self.space, reservation.id(), self.written, until).await?;
            self.reserved = self.written;
        }
        Ok(())
    }

    /// Keeps the reservation ahead of the bytes, and alive.
    async fn reserve(&mut self) -> Result<(), AppError> {
        let Some(reservation) = &self.reservation else { return Ok(()) };
        let now = self.service.clock.now();
        let grows = self.written > self.reserved;
        if !grows && now.since(self.reserved_at) <= RESERVED_FOR / 2 {
            return Ok(());
        }
        let until = now + RESERVED_FOR;
        let reserve = |bytes| self.service.store.reserve(self.space, reservation.id(), bytes, until);
        let (least, most) = (*RESERVED_AT_ONCE.start(), *RESERVED_AT_ONCE.end());
        let ample = self.written + self.written.clamp(least, most).max(self.written / 4);
        self.reserved = if !grows {
            reserve(self.reserved).await?;
            self.reserved
        } else {
            match reserve(ample).await {
                Ok(()) => ample,
                // near the quota: what is there already may still fit
                Err(NodeError::OverQuota) => {
                    reserve(self.written).await?;
                    self.written
                }
                Err(error) => return Err(error.into()),
            }
        };
        self.reserved_at = now;
        Ok(())
    }
}
