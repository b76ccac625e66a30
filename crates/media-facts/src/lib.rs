//! How long sounds and films are, and how large their picture, read from the headers of MP4 and QuickTime, MP3, WAV, FLAC and Ogg.
//!
//! A file is read by small ranges, of which [`read_facts`] asks for few: it works over a network, and no file can make it read, keep or compute much.
//! Whatever a file says is checked before it is used; none makes it panic.

mod flac;
mod mp3;
mod mp4;
mod ogg;
mod wav;
mod window;

use async_trait::async_trait;
use bytes::Bytes;

use window::Window;

/// What was found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Width of the upright picture in pixels.
    pub width: Option<u32>,
    /// Height of the upright picture in pixels.
    pub height: Option<u32>,
    /// How long it plays, in milliseconds.
    pub duration_ms: Option<u64>,
    /// When it was made, in seconds since 1970, if it says so.
    pub made_at: Option<i64>,
}

/// Why nothing was found out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error<E> {
    /// It is none of the formats that are known.
    #[error("it is no sound or film of a known kind")]
    Unknown,
    /// It contradicts itself, or ends too early.
    #[error("{0}")]
    Damaged(&'static str),
    /// Its headers are spread so widely that they are not worth it.
    #[error("its headers are too long")]
    TooMuch,
    /// It could not be read.
    #[error("it could not be read")]
    Source(#[source] E),
}

/// A file that is read by ranges.
#[async_trait]
pub trait Source: Send {
    /// Why a range could not be read.
    type Error: Send;

    /// Exactly these bytes, which are within the file.
    async fn read(&mut self, start: u64, len: usize) -> Result<Bytes, Self::Error>;
}

/// Whether files of this type have facts that can be read.
pub fn supports(mime: &str) -> bool {
    matches!(
        mime,
        "video/mp4"
            | "video/quicktime"
            | "video/x-m4v"
            | "video/3gpp"
            | "video/3gpp2"
            | "video/ogg"
            | "audio/mp4"
            | "audio/mpeg"
            | "audio/wav"
            | "audio/flac"
            | "audio/ogg"
    )
}

/// Reads the facts of a file of `size` bytes, whose format is told by its content. At most 2 MiB are read, by at most 100 calls.
///
/// # Errors
/// [`Error`]
pub async fn read_facts<S: Source>(source: &mut S, size: u64) -> Result<Facts, Error<S::Error>> {
    let mut window = Window::new(source, size);
    let head = window.start(12).await?;
    match &head[..] {
        [_, _, _, _, kind @ .., _, _, _, _] if mp4::begins(kind) => mp4::read(&mut window).await,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E']
        | [b'R', b'F', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E'] => wav::read(&mut window).await,
        [b'O', b'g', b'g', b'S', ..] => ogg::read(&mut window).await,
        _ => {
            // both may stand behind tags
            let start = mp3::after_tags(&mut window).await?;
            if &window.bytes_or_less(start, 4).await?[..] == b"fLaC" {
                flac::read(&mut window, start).await
            } else {
                mp3::read(&mut window, start).await
            }
        }
    }
}

/// `count` units of which there are `per_second`, in milliseconds. None where that is no time.
fn milliseconds(count: u64, per_second: u64) -> Option<u64> {
    let milliseconds = (u128::from(count) * 1000).checked_div(u128::from(per_second))?;
    // a thousand years: what says more has been damaged, or wants to annoy
    u64::try_from(milliseconds).ok().filter(|milliseconds| *milliseconds < 31_556_952_000_000)
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests;
