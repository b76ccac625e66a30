//! MP4, QuickTime and 3GPP: boxes within boxes (ISO/IEC 14496-12).

use std::ops::Range;

use crate::window::Window;
use crate::{Error, Facts, Source, be32, be64, milliseconds};

type Got<T, S> = Result<T, Error<<S as Source>::Error>>;

/// Seconds from 1904, where these files begin to count, to 1970.
const EPOCH: i64 = 2_082_844_800;
/// What says that it was made before 1990 or after 2100 does not know it: many write 0.
const PLAUSIBLE: Range<i64> = 631_152_000..4_102_444_800;

/// Whether the first box may be of this kind. Old QuickTime files have no `ftyp`.
pub(crate) fn begins(kind: &[u8]) -> bool {
    matches!(kind, b"ftyp" | b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot")
}

/// One box: its kind and where its content is.
struct Box4 {
    kind: [u8; 4],
    content: Range<u64>,
}

/// The box at `at`, within a parent that ends at `end`; none at its end.
async fn next<S: Source>(window: &mut Window<'_, S>, at: u64, end: u64) -> Got<Option<Box4>, S> {
    if end.saturating_sub(at) < 8 {
        return Ok(None);
    }
    let head = window.bytes(at, 8).await?;
    let (Some(short), Some(kind)) = (be32(&head, 0), head.last_chunk::<4>()) else { return Ok(None) };
    let (header, size) = match short {
        // to the end
        0 => (8, end - at),
        1 => {
            let long = window.bytes(at + 8, 8).await?;
            (16, be64(&long, 0).unwrap_or(0))
        }
        size => (8, u64::from(size)),
    };
    if size < header {
        return Err(Error::Damaged("a box is smaller than its header"));
    }
    // a file that was cut: what is there counts
    let stop = at.saturating_add(size).min(end);
    Ok(Some(Box4 { kind: *kind, content: at + header..stop.max(at + header) }))
}

/// The content of a full box, at most so many bytes of it: what follows its version and flags, and the version.
async fn full<S: Source>(window: &mut Window<'_, S>, found: &Box4, most: u64) -> Got<(u8, bytes::Bytes), S> {
    let len = (found.content.end - found.content.start).min(most);
    let mut bytes = window.bytes_or_less(found.content.start, usize::try_from(len).unwrap_or(0)).await?;
    let version = *bytes.first().ok_or(Error::Damaged("a box is empty"))?;
    Ok((version, if bytes.len() >= 4 { bytes.split_off(4) } else { bytes::Bytes::new() }))
}

pub(crate) async fn read<S: Source>(window: &mut Window<'_, S>) -> Got<Facts, S> {
    let (mut at, end) = (0, window.size());
    while let Some(found) = next(window, at, end).await? {
        if &found.kind == b"moov" {
            return movie(window, found.content).await;
        }
        at = found.content.end;
    }
    Err(Error::Damaged("its index is missing"))
}

async fn movie<S: Source>(window: &mut Window<'_, S>, content: Range<u64>) -> Got<Facts, S> {
    let (mut facts, mut timescale, mut fragments) = (Facts::default(), 0, None);
    let mut at = content.start;
    while let Some(found) = next(window, at, content.end).await? {
        match &found.kind {
            b"mvhd" => {
                let (version, bytes) = full(window, &found, 36).await?;
                let head = movie_head(version, &bytes).ok_or(Error::Damaged("its header is damaged"))?;
                timescale = head.timescale;
                facts.duration_ms = head.duration.and_then(|duration| milliseconds(duration, timescale));
                facts.made_at = head.made_at;
            }
            b"trak" if facts.width.is_none() => {
                if let Some((width, height)) = track(window, found.content.clone()).await? {
                    (facts.width, facts.height) = (Some(width), Some(height));
                }
            }
            b"mvex" => fragments = fragments_duration(window, found.content.clone()).await?,
            _ => {}
        }
        at = found.content.end;
    }
    if facts.duration_ms.is_none_or(|duration| duration == 0) {
        facts.duration_ms = fragments.and_then(|duration| milliseconds(duration, timescale));
    }
    Ok(facts)
}

struct MovieHead {
    timescale: u64,
    duration: Option<u64>,
    made_at: Option<i64>,
}

fn movie_head(version: u8, bytes: &[u8]) -> Option<MovieHead> {
    let (made, timescale, duration) = if version == 1 {
        (be64(bytes, 0)?, be32(bytes, 16)?, Some(be64(bytes, 20)?).filter(|duration| *duration != u64::MAX))
    } else {
        let duration = Some(be32(bytes, 12)?).filter(|duration| *duration != u32::MAX);
        (be32(bytes, 0)?.into(), be32(bytes, 8)?, duration.map(u64::from))
    };
    let made_at = i64::try_from(made).ok().and_then(|made| made.checked_sub(EPOCH));
    Some(MovieHead {
        timescale: timescale.into(),
        duration,
        made_at: made_at.filter(|made| PLAUSIBLE.contains(made)),
    })
}

/// The size of a track's upright picture, if it has one.
async fn track<S: Source>(window: &mut Window<'_, S>, content: Range<u64>) -> Got<Option<(u32, u32)>, S> {
    let mut at = content.start;
    while let Some(found) = next(window, at, content.end).await? {
        if &found.kind == b"tkhd" {
            let (version, bytes) = full(window, &found, 100).await?;
            return Ok(track_size(version, &bytes));
        }
        at = found.content.end;
    }
    Ok(None)
}

fn track_size(version: u8, bytes: &[u8]) -> Option<(u32, u32)> {
    let matrix = if version == 1 { 48 } else { 36 };
    let part = |number: usize| be32(bytes, matrix + 4 * number);
    // fixed point numbers of 16 and 16 bits
    let (width, height) = (part(9)? >> 16, part(10)? >> 16);
    let (a, b, c, d) = (part(0)?, part(1)?, part(3)?, part(4)?);
    let is_turned = a == 0 && d == 0 && b != 0 && c != 0;
    let (width, height) = if is_turned { (height, width) } else { (width, height) };
    (width > 0 && height > 0).then_some((width, height))
}

/// How long all fragments are, if the file says so.
async fn fragments_duration<S: Source>(
    window: &mut Window<'_, S>,
    content: Range<u64>,
) -> Got<Option<u64>, S> {
    let mut at = content.start;
    while let Some(found) = next(window, at, content.end).await? {
        if &found.kind == b"mehd" {
            let (version, bytes) = full(window, &found, 12).await?;
            return Ok(if version == 1 { be64(&bytes, 0) } else { be32(&bytes, 0).map(u64::from) });
        }
        at = found.content.end;
    }
    Ok(None)
}
