//! Ogg: pages of several streams (RFC 3533). The first pages begin the streams, the last page of a stream says where it ends.

use bytes::Bytes;

use crate::window::Window;
use crate::{Error, Facts, Source, be32, flac, le16, le32, le64, milliseconds};

/// Streams that are looked at.
const MAX_STREAMS: usize = 16;
/// Longest page: a header, and 255 segments of 255 bytes.
const MAX_PAGE: u64 = 27 + 255 + 255 * 255;
/// The last page of a stream is looked for in so many bytes.
const TAIL: u64 = 4 * MAX_PAGE;

/// How a stream counts its time.
enum Clock {
    /// Samples, of which so many come before the beginning.
    Samples { per_second: u64, skip: u64 },
    /// Frames, in a number of two parts.
    Frames { numerator: u64, denominator: u64, shift: u32 },
}

impl Clock {
    fn milliseconds(&self, granule: u64) -> Option<u64> {
        match *self {
            Self::Samples { per_second, skip } => milliseconds(granule.saturating_sub(skip), per_second),
            Self::Frames { numerator, denominator, shift } => {
                let frames = (granule >> shift) + (granule & ((1 << shift) - 1));
                milliseconds(frames.checked_mul(denominator)?, numerator)
            }
        }
    }
}

pub(crate) async fn read<S: Source>(window: &mut Window<'_, S>) -> Result<Facts, Error<S::Error>> {
    let mut facts = Facts::default();
    let (mut sound, mut film) = (None, None);
    let mut at = 0;
    for _ in 0..MAX_STREAMS {
        let head = window.bytes_or_less(at, 27 + 255).await?;
        let Some((serial, lacing)) = beginning(&head) else { break };
        let (body_at, len) =
            (at + 27 + lacing.len() as u64, lacing.iter().map(|len| usize::from(*len)).sum());
        let body = window.bytes_or_less(body_at, len).await?;
        if let Some(clock) = sound_clock(&body) {
            sound.get_or_insert((serial, clock));
        } else if let Some((width, height, clock)) = theora(&body) {
            (facts.width, facts.height) = (Some(width), Some(height));
            film.get_or_insert((serial, clock));
        }
        at = body_at + len as u64;
    }
    let (serial, clock) = sound.or(film).ok_or(Error::Damaged("it begins no stream of a known kind"))?;
    let tail = window.size().saturating_sub(TAIL);
    let tail = window.bytes_or_less(tail, TAIL as usize).await?;
    facts.duration_ms = last_granule(&tail, serial).and_then(|granule| clock.milliseconds(granule));
    Ok(facts)
}

/// The stream that a page begins, and the lengths of its segments; none if it is no such page.
fn beginning(head: &Bytes) -> Option<(u32, &[u8])> {
    const BEGINS: u8 = 0b10;
    let is_page = head.starts_with(b"OggS") && head.get(5)? & BEGINS != 0;
    let lacing = head.get(27..27 + usize::from(*head.get(26)?))?;
    is_page.then_some((le32(head, 14)?, lacing))
}

fn sound_clock(body: &[u8]) -> Option<Clock> {
    let (per_second, skip) = if body.starts_with(b"\x01vorbis") {
        (le32(body, 12)?.into(), 0)
    } else if body.starts_with(b"OpusHead") {
        // whatever rate it was made from (RFC 7845, section 4)
        (48_000, le16(body, 10)?.into())
    } else if body.starts_with(b"\x7fFLAC") {
        (flac::sample_rate(body.get(17..)?)?, 0)
    } else if body.starts_with(b"Speex   ") {
        (le32(body, 36)?.into(), 0)
    } else {
        return None;
    };
    Some(Clock::Samples { per_second, skip })
}

/// Size and clock of a Theora film (its specification, section 6.2).
fn theora(body: &[u8]) -> Option<(u32, u32, Clock)> {
    if !body.starts_with(b"\x80theora") {
        return None;
    }
    let (width, height) = (be32(body, 13)? & 0xFF_FFFF, be32(body, 16)? & 0xFF_FFFF);
    let (numerator, denominator) = (be32(body, 22)?.into(), be32(body, 26)?.into());
    let shift = u32::from((body.get(40)? & 0b11) << 3 | body.get(41)? >> 5);
    Some((width, height, Clock::Frames { numerator, denominator, shift }))
}

/// The last time that a stream's pages tell.
fn last_granule(tail: &[u8], serial: u32) -> Option<u64> {
    let mut end = tail.len();
    loop {
        let at = tail[..end].windows(4).rposition(|bytes| bytes == b"OggS")?;
        let granule = le64(tail, at + 6).filter(|granule| i64::try_from(*granule).is_ok());
        if let Some(granule) = granule
            && le32(tail, at + 14) == Some(serial)
        {
            return Some(granule);
        }
        end = at + 3;
    }
}
