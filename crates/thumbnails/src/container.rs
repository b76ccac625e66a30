//! Walks over the blocks of PNG, WebP, GIF and BMP files for what stands beside the pixels. The decoders give some
//! of it too, but not what follows the pixels, and not within bounds.
//!
//! The walks read headers and skip the rest, and stop in silence where a file makes no sense: judging it is the
//! decoder's part.

use std::io::{self, Read, Seek, SeekFrom};

use crate::facts::MAX_EXIF;
use crate::geometry::Size;

/// Blocks that a walk looks at before it gives up, so that a file of millions of empty blocks costs little.
/// Encoders that cut the pixels into blocks of 8 KiB stay below it up to 2 GiB.
const MAX_BLOCKS: usize = 1 << 18;

/// Largest colour profile that is looked at. Printers' profiles have up to 4 MiB.
pub(crate) const MAX_PROFILE: usize = 8 << 20;

/// What stands beside the pixels.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    /// Size of the picture, where the decoder does not tell one that is too large from damage.
    pub(crate) announced: Option<Size>,
    pub(crate) animated: bool,
    /// EXIF, from its TIFF header on.
    pub(crate) exif: Option<Vec<u8>>,
    /// ICC profile.
    pub(crate) profile: Option<Vec<u8>>,
}

/// EXIF and animation of a PNG. Its profile is compressed and comes from the decoder.
///
/// Browsers and cameras accept EXIF before and after the pixels.
pub(crate) fn png(file: &mut (impl Read + Seek)) -> Extras {
    let mut extras = Extras::default();
    // The walk ends with an error at the latest where the file does; what was found by then counts.
    let _: io::Result<()> = (|| {
        file.seek(SeekFrom::Start(8))?;
        let mut pixels_seen = false;
        for _ in 0..MAX_BLOCKS {
            let [l1, l2, l3, l4, kind @ ..] = read::<8>(file)?;
            let length = u32::from_be_bytes([l1, l2, l3, l4]);
            match &kind {
                b"acTL" if !pixels_seen && length >= 4 => {
                    extras.animated = u32::from_be_bytes(read(file)?) > 1;
                    skip(file, u64::from(length) - 4 + 4)?;
                }
                b"eXIf" if extras.exif.is_none() => {
                    extras.exif = read_block(file, length, MAX_EXIF)?;
                    skip(file, 4)?;
                }
                b"IEND" => break,
                other => {
                    pixels_seen |= other == b"IDAT";
                    skip(file, u64::from(length) + 4)?;
                }
            }
        }
        Ok(())
    })();
    extras
}

/// EXIF, profile and animation of a WebP in the extended format; the simple one has none of them.
pub(crate) fn webp(file: &mut (impl Read + Seek)) -> Extras {
    let mut extras = Extras::default();
    let _: io::Result<()> = (|| {
        file.seek(SeekFrom::Start(12))?;
        for _ in 0..MAX_BLOCKS {
            let [kind @ .., l1, l2, l3, l4] = read::<8>(file)?;
            let length = u32::from_le_bytes([l1, l2, l3, l4]);
            let padding = u64::from(length % 2);
            match &kind {
                b"VP8X" if length >= 10 => {
                    const ANIMATION: u8 = 0b10;
                    let [flags, _, _, _, w1, w2, w3, h1, h2, h3] = read::<10>(file)?;
                    extras.animated = flags & ANIMATION != 0;
                    let side = |low, middle, high| u32::from_le_bytes([low, middle, high, 0]) + 1;
                    extras.announced = Some(Size { width: side(w1, w2, w3), height: side(h1, h2, h3) });
                    skip(file, u64::from(length) - 10 + padding)?;
                }
                b"EXIF" if extras.exif.is_none() => {
                    // Some writers keep the identifier that only JPEG needs.
                    extras.exif = read_block(file, length, MAX_EXIF)?.map(|mut block| {
                        if block.starts_with(b"Exif\0\0") {
                            block.drain(..6);
                        }
                        block
                    });
                    skip(file, padding)?;
                }
                b"ICCP" if extras.profile.is_none() => {
                    extras.profile = read_block(file, length, MAX_PROFILE)?;
                    skip(file, padding)?;
                }
                _ => skip(file, u64::from(length) + padding)?,
            }
        }
        Ok(())
    })();
    extras
}

/// Whether a GIF has a second frame. Later ones are not looked for.
fn gif_is_animated(file: &mut (impl Read + Seek)) -> bool {
    let walk = (|| -> io::Result<bool> {
        const EXTENSION: u8 = 0x21;
        const IMAGE: u8 = 0x2c;
        file.seek(SeekFrom::Start(10))?;
        let [packed, _background, _aspect] = read::<3>(file)?;
        skip(file, colour_table(packed))?;
        let mut frames = 0;
        loop {
            match read::<1>(file)?[0] {
                EXTENSION => skip(file, 1)?,
                IMAGE => {
                    frames += 1;
                    if frames == 2 {
                        return Ok(true);
                    }
                    let packed = read::<9>(file)?[8];
                    skip(file, colour_table(packed) + 1)?;
                }
                _ => return Ok(false),
            }
            loop {
                match read::<1>(file)?[0] {
                    0 => break,
                    length => skip(file, length.into())?,
                }
            }
        }
    })();
    walk.unwrap_or(false)
}

/// The size of a BMP, if its header is not of the oldest kind, which cannot announce much.
pub(crate) fn bmp(file: &mut (impl Read + Seek)) -> Extras {
    Extras { announced: bmp_size(file), ..Extras::default() }
}

/// The animation of a GIF.
pub(crate) fn gif(file: &mut (impl Read + Seek)) -> Extras {
    Extras { animated: gif_is_animated(file), ..Extras::default() }
}

fn bmp_size(file: &mut (impl Read + Seek)) -> Option<Size> {
    const OLDEST_HEADER: u32 = 12;
    file.seek(SeekFrom::Start(14)).ok()?;
    let header = u32::from_le_bytes(read(file).ok()?);
    let width = i32::from_le_bytes(read(file).ok()?).unsigned_abs();
    // A negative height means rows from the top.
    let height = i32::from_le_bytes(read(file).ok()?).unsigned_abs();
    (header > OLDEST_HEADER).then_some(Size { width, height })
}

/// Bytes of the colour table that the flags of a screen or frame announce.
fn colour_table(packed: u8) -> u64 {
    if packed & 0x80 == 0 { 0 } else { 3 << ((packed & 0x07) + 1) }
}

fn read<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The block if it is not over `max`; then only what is really there is allocated.
fn read_block(file: &mut (impl Read + Seek), length: u32, max: usize) -> io::Result<Option<Vec<u8>>> {
    if length as usize > max {
        skip(file, length.into())?;
        return Ok(None);
    }
    let mut block = Vec::new();
    file.by_ref().take(length.into()).read_to_end(&mut block)?;
    Ok((block.len() == length as usize).then_some(block))
}

fn skip(file: &mut impl Seek, bytes: u64) -> io::Result<()> {
    // Relative, so that a buffered reader keeps its buffer.
    file.seek_relative(i64::try_from(bytes).map_err(io::Error::other)?)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        [&(data.len() as u32).to_be_bytes(), kind.as_slice(), data, &[0; 4]].concat()
    }

    fn png_file(chunks: &[Vec<u8>]) -> Cursor<Vec<u8>> {
        Cursor::new([b"\x89PNG\r\n\x1a\n".to_vec(), chunks.concat()].concat())
    }

    #[test]
    fn png_exif_counts_after_the_pixels_too() {
        let frames = |count: u32| [count.to_be_bytes(), [0; 4]].concat();
        let extras = png(&mut png_file(&[
            png_chunk(b"acTL", &frames(2)),
            png_chunk(b"IDAT", &[1; 5000]),
            png_chunk(b"eXIf", b"II*\0"),
            png_chunk(b"IEND", b""),
        ]));
        assert!(extras.animated);
        assert_eq!(extras.exif.as_deref(), Some(b"II*\0".as_slice()));
        let one_frame = png(&mut png_file(&[png_chunk(b"acTL", &frames(1)), png_chunk(b"IDAT", &[1])]));
        assert_eq!(one_frame, Extras::default());
        let late = png(&mut png_file(&[png_chunk(b"IDAT", &[1]), png_chunk(b"acTL", &frames(9))]));
        assert_eq!(late, Extras::default());
    }

    #[test]
    fn announced_lengths_are_not_allocated() {
        let mut huge = b"\x89PNG\r\n\x1a\n\x00\x0f\xff\xffeXIf".to_vec();
        huge.extend([0; 10]);
        assert_eq!(png(&mut Cursor::new(huge)).exif, None);
    }

    #[test]
    fn webp_blocks() {
        let mut file = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\0\0\x01\x02\0\0".to_vec();
        file.extend(b"ICCP\x03\0\0\0abc\0EXIF\x09\0\0\0Exif\0\0MM*\0");
        let extras = webp(&mut Cursor::new(file));
        assert!(extras.animated);
        assert_eq!(extras.announced, Some(Size { width: 0x1_0001, height: 3 }));
        assert_eq!(extras.profile.as_deref(), Some(b"abc".as_slice()));
        assert_eq!(extras.exif.as_deref(), Some(b"MM*".as_slice()));
    }

    #[test]
    fn gif_frames() {
        let start = b"GIF89a\x01\0\x01\0\x80\0\0abcdef".as_slice();
        let frame = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0".as_slice();
        let extension = b"\x21\xf9\x04\0\0\0\0\0".as_slice();
        let animated = |parts: &[&[u8]]| gif_is_animated(&mut Cursor::new(parts.concat()));
        assert!(!animated(&[start, extension, frame, b"\x3b"]));
        assert!(animated(&[start, extension, frame, extension, frame, b"\x3b"]));
        assert!(!animated(&[start, frame]));
        assert!(!animated(&[b"GIF89a"]));
    }

    #[test]
    fn bmp_sizes() {
        let bmp = |header: u32, width: i32, height: i32| {
            let head = [header.to_le_bytes(), width.to_le_bytes(), height.to_le_bytes()].concat();
            bmp_size(&mut Cursor::new([vec![0; 14], head].concat()))
        };
        assert_eq!(bmp(40, 3_000_000, -2_000_000), Some(Size { width: 3_000_000, height: 2_000_000 }));
        assert_eq!(bmp(12, 1, 1), None);
        assert_eq!(bmp_size(&mut Cursor::new(b"BM")), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            png(&mut Cursor::new(bytes.clone()));
            webp(&mut Cursor::new(bytes.clone()));
            gif_is_animated(&mut Cursor::new(bytes.clone()));
            bmp_size(&mut Cursor::new(bytes));
        }
    }
}
