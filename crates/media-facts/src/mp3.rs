//! MP3 (and its older layers): frames without any header of the file. Its length stands in the first frame, if an encoder wrote it, or follows from
//! the size where all frames are alike (ISO/IEC 11172-3, 13818-3).

use crate::window::Window;
use crate::{Error, Facts, Source, be32, milliseconds};

/// The first frame is looked for in so many bytes.
const SEARCH: usize = 64 * 1024;
/// Tags that may stand one after another.
const MAX_TAGS: usize = 4;

type Got<T, S> = Result<T, Error<<S as Source>::Error>>;

/// Where what follows the ID3v2 tags begins.
pub(crate) async fn after_tags<S: Source>(window: &mut Window<'_, S>) -> Got<u64, S> {
    const HAS_FOOTER: u8 = 0x10;
    let mut at = 0;
    for _ in 0..MAX_TAGS {
        let head = window.bytes_or_less(at, 10).await?;
        let [b'I', b'D', b'3', _, _, flags, size @ ..] = &head[..] else { break };
        // seven bits in each byte
        let size = size.iter().fold(0, |size, byte| size << 7 | u64::from(byte & 0x7F));
        at += 10 + size + if flags & HAS_FOOTER == 0 { 0 } else { 10 };
    }
    Ok(at)
}

/// What the header of a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    bytes: u64,
    samples: u64,
    samples_per_second: u64,
    bits_per_second: u64,
    /// Where the length of the file stands, if it does.
    length_at: usize,
}

impl Frame {
    fn parse(header: &[u8]) -> Option<Self> {
        let [0xFF, second, third, fourth, ..] = *header else { return None };
        if second & 0xE0 != 0xE0 {
            return None;
        }
        let (version, layer) = (second >> 3 & 0b11, second >> 1 & 0b11);
        // versions 2.5, reserved, 2, 1; layers reserved, III, II, I
        let (is_first, slower) = match version {
            0b00 => (false, 4),
            0b10 => (false, 2),
            0b11 => (true, 1),
            _ => return None,
        };
        let samples_per_second = [44_100, 48_000, 32_000].get(usize::from(third >> 2 & 0b11))? / slower;
        let kilobits = match (is_first, layer) {
            (true, 0b11) => [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
            (true, 0b10) => [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
            (true, 0b01) => [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
            (false, 0b11) => [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
            (false, 0b10 | 0b01) => [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
            _ => return None,
        };
        let bits_per_second = 1000 * *kilobits.get(usize::from(third >> 4).checked_sub(1)?)?;
        let padding = u64::from(third >> 1 & 1);
        let (samples, bytes) = match (layer, is_first) {
            (0b11, _) => (384, (12 * bits_per_second / samples_per_second + padding) * 4),
            (0b10, _) | (_, true) => (1152, 144 * bits_per_second / samples_per_second + padding),
            (_, false) => (576, 72 * bits_per_second / samples_per_second + padding),
        };
        let is_mono = fourth >> 6 == 0b11;
        let length_at = match (is_first, is_mono) {
            (true, false) => 36,
            (true, true) | (false, false) => 21,
            (false, true) => 13,
        };
        Some(Self { bytes, samples, samples_per_second, bits_per_second, length_at })
    }
}

pub(crate) async fn read<S: Source>(window: &mut Window<'_, S>, start: u64) -> Got<Facts, S> {
    let (at, frame) = first_frame(window, start).await?;
    let head = window.bytes_or_less(at, 64).await?;
    let duration_ms = match count_of_frames(&head, frame) {
        Some(frames) => milliseconds(frames * frame.samples, frame.samples_per_second),
        None => {
            let mut end = window.size();
            let tag = end.saturating_sub(128);
            if tag > at && &window.bytes_or_less(tag, 3).await?[..] == b"TAG" {
                end = tag;
            }
            milliseconds((end - at).saturating_mul(8), frame.bits_per_second)
        }
    };
    Ok(Facts { duration_ms, ..Facts::default() })
}

/// The first frame that another one follows, or that is the last.
async fn first_frame<S: Source>(window: &mut Window<'_, S>, start: u64) -> Got<(u64, Frame), S> {
    let bytes = window.bytes_or_less(start, SEARCH).await?;
    for offset in 0..bytes.len() {
        let Some(frame) = Frame::parse(&bytes[offset..]) else { continue };
        let at = start + offset as u64;
        let next = usize::try_from(frame.bytes).ok().and_then(|len| bytes.get(offset + len..));
        let is_followed = match next {
            Some(next) => {
                Frame::parse(next).is_some_and(|next| next.samples_per_second == frame.samples_per_second)
            }
            // the last one, perhaps cut
            None => at + frame.bytes >= window.size(),
        };
        if is_followed {
            return Ok((at, frame));
        }
    }
    Err(Error::Unknown)
}

/// How many frames there are, as encoders write it into the first one.
fn count_of_frames(head: &[u8], frame: Frame) -> Option<u64> {
    const HAS_FRAMES: u32 = 1;
    let length = head.get(frame.length_at..)?;
    if length.starts_with(b"Xing") || length.starts_with(b"Info") {
        return (be32(length, 4)? & HAS_FRAMES != 0).then(|| be32(length, 8).map(u64::from))?;
    }
    let length = head.get(36..)?;
    if length.starts_with(b"VBRI") { be32(length, 14).map(u64::from) } else { None }
}
