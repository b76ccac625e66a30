//! Reads the segments before the pixels of a JPEG, to know its size and what decoding will cost.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use crate::container::MAX_PROFILE;
use crate::error::Error;
use crate::geometry::{Size, scaled_by_eighths};

/// Segments before the pixels that are looked at. Extended XMP and depth maps of phones come in some hundred.
const MAX_SEGMENTS: usize = 1 << 16;

/// What the segments before the first scan say.
#[derive(Debug)]
pub(crate) struct JpegHeader {
    pub(crate) size: Size,
    progressive: bool,
    /// Lossless JPEG has no blocks that could be decoded at a smaller scale.
    pub(crate) lossless: bool,
    /// Whether Adobe's programs, or those that follow them, wrote it.
    pub(crate) adobe: bool,
    /// Horizontal and vertical sampling factors of the components.
    sampling: Vec<(u8, u8)>,
    /// EXIF, from its TIFF header on.
    pub(crate) exif: Option<Vec<u8>>,
    /// ICC profile, put together from its segments.
    pub(crate) profile: Option<Vec<u8>>,
}

impl JpegHeader {
    /// Reads from the start of the file up to the first scan.
    ///
    /// # Errors
    /// [`Error::Damaged`] if there is no frame header before the pixels or the end.
    pub(crate) fn read(file: &mut (impl BufRead + Seek)) -> Result<Self, Error> {
        Self::walk(file)
            .map_err(|error| Error::reading(&error))?
            .ok_or_else(|| Error::damaged("there is no frame header"))
    }

    fn walk(file: &mut (impl BufRead + Seek)) -> io::Result<Option<Self>> {
        file.seek(SeekFrom::Start(2))?;
        let mut header: Option<Self> = None;
        let mut exif = None;
        let mut adobe = false;
        let mut profile = ProfileParts::default();
        for _ in 0..MAX_SEGMENTS {
            let marker = next_marker(file)?;
            match marker {
                0x01 | 0xd0..=0xd8 => continue, // no length follows
                0xd9 | 0xda => break,           // end of the picture, start of the pixels
                _ => {}
            }
            let length = u64::from(u16::from_be_bytes(read(file)?));
            let mut segment = file.by_ref().take(length.saturating_sub(2));
            match marker {
                // Frame headers are C0 to CF but for tables (C4, CC) and a reserved one (C8).
                0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) && header.is_none() => {
                    header = Some(Self::frame(marker, &mut segment)?);
                }
                0xe1 if exif.is_none() => exif = after_identifier(&mut segment, b"Exif\0\0")?,
                0xe2 => profile.add(after_identifier(&mut segment, b"ICC_PROFILE\0")?),
                0xee => adobe |= after_identifier(&mut segment, b"Adobe")?.is_some(),
                _ => {}
            }
            io::copy(&mut segment, &mut io::sink())?;
        }
        Ok(header.map(|header| Self { exif, adobe, profile: profile.join(), ..header }))
    }

    fn frame(marker: u8, segment: &mut impl Read) -> io::Result<Self> {
        let [_precision, h1, h2, w1, w2, count] = read::<6>(segment)?;
        let mut sampling = Vec::with_capacity(count.into());
        for _ in 0..count {
            let [_id, factors, _table] = read::<3>(segment)?;
            sampling.push((factors >> 4, factors & 0x0f));
        }
        let size =
            Size { width: u16::from_be_bytes([w1, w2]).into(), height: u16::from_be_bytes([h1, h2]).into() };
        let progressive = matches!(marker, 0xc2 | 0xc6 | 0xca | 0xce);
        let lossless = matches!(marker, 0xc3 | 0xc7 | 0xcb | 0xcf);
        Ok(Self { size, progressive, lossless, adobe: false, sampling, exif: None, profile: None })
    }

    /// Bytes needed to decode at `eighths` of the size: the planes of the components, the pixels, and for a
    /// progressive picture all its coefficients.
    pub(crate) fn memory(&self, eighths: u32) -> u64 {
        let scaled = scaled_by_eighths(self.size, eighths).pixels();
        let pixels = scaled * self.sampling.len() as u64;
        let planes: u64 = self.per_component(scaled);
        let coefficients = if self.progressive { 2 * self.per_component(self.size.pixels()) } else { 0 };
        pixels + planes + coefficients
    }

    /// Samples of all components together when the full resolution has `pixels`.
    fn per_component(&self, pixels: u64) -> u64 {
        let largest =
            |side: fn(&(u8, u8)) -> u8| u64::from(self.sampling.iter().map(side).max().unwrap_or(1).max(1));
        let (columns, rows) = (largest(|factors| factors.0), largest(|factors| factors.1));
        self.sampling.iter().map(|&(h, v)| pixels * u64::from(h) * u64::from(v) / (columns * rows)).sum()
    }
}

/// Skips to the next marker; stray bytes before it are passed over, as every decoder does.
fn next_marker(file: &mut impl BufRead) -> io::Result<u8> {
    loop {
        while read::<1>(file)?[0] != 0xff {}
        let marker = loop {
            match read::<1>(file)?[0] {
                0xff => {}
                marker => break marker,
            }
        };
        if marker != 0 {
            return Ok(marker);
        }
    }
}

fn after_identifier(segment: &mut impl Read, identifier: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut data = Vec::new();
    segment.read_to_end(&mut data)?;
    Ok(data.strip_prefix(identifier).map(<[u8]>::to_vec))
}

fn read<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A profile comes in numbered parts of up to 64 KiB, in any order.
#[derive(Default)]
struct ProfileParts {
    parts: Vec<(u8, Vec<u8>)>,
    expected: u8,
    bytes: usize,
}

impl ProfileParts {
    fn add(&mut self, part: Option<Vec<u8>>) {
        let Some([number, of, data @ ..]) = part.as_deref() else {
            return;
        };
        self.bytes += data.len();
        if self.bytes <= MAX_PROFILE && self.parts.len() < usize::from(u8::MAX) {
            self.expected = *of;
            self.parts.push((*number, data.to_vec()));
        }
    }

    /// The whole, or nothing if a part is missing, doubled or too much.
    fn join(mut self) -> Option<Vec<u8>> {
        self.parts.sort_by_key(|part| part.0);
        let complete = self.parts.iter().map(|part| part.0).eq(1..=self.expected);
        let usable = complete && !self.parts.is_empty() && self.bytes <= MAX_PROFILE;
        usable.then(|| self.parts.into_iter().flat_map(|part| part.1).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
        [&[0xff, marker], (data.len() as u16 + 2).to_be_bytes().as_slice(), data].concat()
    }

    fn header(parts: &[Vec<u8>]) -> Result<JpegHeader, Error> {
        JpegHeader::read(&mut Cursor::new([b"\xff\xd8".to_vec(), parts.concat()].concat()))
    }

    fn frame(marker: u8) -> Vec<u8> {
        segment(marker, b"\x08\x00\x10\x00\x20\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01")
    }

    #[test]
    fn size_exif_and_a_profile_in_parts() {
        let header = header(&[
            segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
            segment(0xe1, b"Exif\0\0MM\0*"),
            segment(0xe2, b"ICC_PROFILE\0\x02\x02world"),
            segment(0xe2, b"ICC_PROFILE\0\x01\x02hello "),
            segment(0xe2, b"MPF\0"),
            segment(0xee, b"Adobe\0d"),
            b"stray".to_vec(),
            frame(0xc0),
            segment(0xda, b""),
        ])
        .unwrap();
        assert_eq!(header.size, Size { width: 32, height: 16 });
        assert_eq!(header.exif.as_deref(), Some(b"MM\0*".as_slice()));
        assert_eq!(header.profile.as_deref(), Some(b"hello world".as_slice()));
        assert!(header.adobe);
        // 4:2:0: the planes have one and a half samples a pixel.
        assert_eq!(header.memory(8), 512 * 3 + 512 * 3 / 2);
        assert_eq!(header.memory(4), 128 * 3 + 128 * 3 / 2);
    }

    #[test]
    fn a_progressive_picture_keeps_its_coefficients() {
        let header = header(&[frame(0xc2), segment(0xda, b"")]).unwrap();
        assert_eq!(header.memory(1), 8 * 3 + 8 * 3 / 2 + 2 * (512 * 3 / 2));
    }

    #[test]
    fn a_profile_with_a_missing_part_is_none() {
        let part = segment(0xe2, b"ICC_PROFILE\0\x02\x02world");
        assert_eq!(header(&[part, frame(0xc0), segment(0xda, b"")]).unwrap().profile, None);
    }

    #[test]
    fn without_a_frame_header_it_is_damaged() {
        assert_eq!(header(&[segment(0xda, b"")]).unwrap_err().word(), "damaged");
        assert_eq!(header(&[]).unwrap_err().word(), "damaged");
        assert_eq!(header(&[frame(0xc0)[..9].to_vec()]).unwrap_err().word(), "damaged");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            let _ = JpegHeader::read(&mut Cursor::new(bytes));
        }
    }
}
