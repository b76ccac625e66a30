//! Takes in the bytes of an upload, in constant memory.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use common::digest::Hasher;
use common::files::{BlobWriter, NewBlob, NodeName, Place, WrittenBlob};
use common::{BlobKey, Code, SpaceId, Timestamp};
use futures_util::{Stream, StreamExt as _};
use http_kit::BodyError;
use runtime::crash_point;

use super::Announced;
use super::guards::{Reservation, Stray};
use crate::app::sniff;
use crate::error::AppError;
use crate::state::FileService;

/// By how much the reservation of an upload of unknown length grows.
const RESERVED_AT_ONCE: u64 = 64 * 1024 * 1024;

/// How long a reservation lasts. One that is used for half of that is renewed.
const RESERVED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes that are all there, and what was taken for them.
pub(super) struct Received {
    pub(super) blob: NewBlob,
    pub(super) mime: &'static str,
    pub(super) reservation: Option<Reservation>,
    pub(super) stray: Option<Stray>,
}

/// Reads a body to its end: a small one into memory, a larger one into the blob store, with its bytes reserved.
pub(super) async fn receive(
    service: &FileService,
    space: SpaceId,
    name: &NodeName,
    announced: Announced,
    mut body: impl Stream<Item = Result<Bytes, BodyError>> + Unpin,
) -> Result<Received, AppError> {
    refuse_early(service, space, announced).await?;
    let inline = service.settings.inline_bytes;
    let mut head = BytesMut::new();
    let mut rest = None;
    while let Some(piece) = body.next().await {
        let piece = piece?;
        crash_point("upload.in-body");
        // all of it in one piece, as small ones come: nothing is copied
        if head.is_empty() && piece.len() <= inline {
            head = BytesMut::from(piece);
        } else if head.len() + piece.len() <= inline {
            head.extend_from_slice(&piece);
        } else {
            rest = Some(piece);
            break;
        }
    }
    let head = head.freeze();
    let Some(rest) = rest else {
        let mut hasher = Hasher::default();
        hasher.update(&head);
        let (size, sha256, crc32) = hasher.finish();
        if announced.digest.is_some_and(|digest| digest != sha256) {
            return Err(AppError::refused(Code::DigestMismatch));
        }
        let mime =
            sniff::detect(&head[..head.len().min(sniff::HEAD_BYTES)], head.len() <= sniff::HEAD_BYTES, name);
        crash_point("upload.after-blob");
        let blob = NewBlob { key: service.ids.blob_key(), size, sha256, crc32, place: Place::Inline(head) };
        return Ok(Received { blob, mime, reservation: None, stray: None });
    };
    stream(service, space, name, announced, (head, rest), body).await
}

/// Answers before a byte is read what the announced length decides.
async fn refuse_early(service: &FileService, space: SpaceId, announced: Announced) -> Result<(), AppError> {
    let Some(length) = announced.length else { return Ok(()) };
    if let Some(max) = service.settings.max_upload_bytes
        && length > max
    {
        return Err(AppError::because(Code::TooLarge, format!("A file has at most {max} bytes here")));
    }
    if length <= service.settings.inline_bytes as u64 {
        return Ok(());
    }
    let usage = service.store.usage(space).await?;
    let taken = usage.used_bytes.saturating_add(usage.reserved_bytes);
    match usage.quota_bytes {
        Some(quota) if length > quota.saturating_sub(taken) => Err(AppError::refused(Code::QuotaExceeded)),
        _ => Ok(()),
    }
}

async fn stream(
    service: &FileService,
    space: SpaceId,
    name: &NodeName,
    announced: Announced,
    (head, rest): (Bytes, Bytes),
    mut body: impl Stream<Item = Result<Bytes, BodyError>> + Unpin,
) -> Result<Received, AppError> {
    let mut sink = Sink::open(service, space, announced.length).await?;
    let mut sniffed = BytesMut::from(&head[..head.len().min(sniff::HEAD_BYTES)]);
    let missing = sniff::HEAD_BYTES - sniffed.len();
    sniffed.extend_from_slice(&rest[..rest.len().min(missing)]);
    let mime = sniff::detect(&sniffed, false, name);
    if !head.is_empty() {
        sink.write(head).await?;
    }
    sink.write(rest).await?;
    while let Some(piece) = body.next().await {
        sink.write(piece?).await?;
        crash_point("upload.in-body");
    }
    // syncing takes a while and may fail late; the client may be gone by then, and the writer cleans up after itself
    let Sink { writer, key, reservation, .. } = sink;
    let WrittenBlob { size, sha256, crc32 } = writer.finish().await?;
    let stray = Stray::new(service, key);
    crash_point("upload.after-blob");
    if announced.digest.is_some_and(|digest| digest != sha256) {
        return Err(AppError::refused(Code::DigestMismatch));
    }
    let blob = NewBlob { key, size, sha256, crc32, place: Place::Blob };
    Ok(Received { blob, mime, reservation: Some(reservation), stray: Some(stray) })
}

/// A blob that grows, with its reservation.
struct Sink<'a> {
    service: &'a FileService,
    space: SpaceId,
    key: BlobKey,
    writer: Box<dyn BlobWriter>,
    reservation: Reservation,
    written: u64,
    reserved: u64,
    reserved_at: Timestamp,
}

impl<'a> Sink<'a> {
    async fn open(service: &'a FileService, space: SpaceId, length: Option<u64>) -> Result<Self, AppError> {
        let key = service.ids.blob_key();
        let reservation = Reservation::new(service);
        let (reserved, reserved_at) = (length.unwrap_or(RESERVED_AT_ONCE), service.clock.now());
        service.store.reserve(space, reservation.id(), reserved, reserved_at + RESERVED_FOR).await?;
        let writer = service.blobs.create(key, length).await?;
        Ok(Self { service, space, key, writer, reservation, written: 0, reserved, reserved_at })
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), AppError> {
        self.written += piece.len() as u64;
        if let Some(max) = self.service.settings.max_upload_bytes
            && self.written > max
        {
            return Err(AppError::because(Code::TooLarge, format!("A file has at most {max} bytes here")));
        }
        let now = self.service.clock.now();
        if self.written > self.reserved || now.since(self.reserved_at) > RESERVED_FOR / 2 {
            let grown =
                if self.written > self.reserved { self.written + RESERVED_AT_ONCE } else { self.reserved };
            self.service.store.reserve(self.space, self.reservation.id(), grown, now + RESERVED_FOR).await?;
            (self.reserved, self.reserved_at) = (grown, now);
        }
        Ok(self.writer.write(piece).await?)
    }
}
