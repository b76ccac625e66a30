//! What a picture says about itself beside its pixels.

use exif::{In, Reader, Tag, Value};
use image::metadata::Orientation;
use serde::{Deserialize, Serialize};

use crate::format::SourceFormat;

/// Facts about a picture, read on the way to its thumbnails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The format by content.
    pub format: SourceFormat,
    /// Width of the upright picture in pixels.
    pub width: u32,
    /// Height of the upright picture in pixels.
    pub height: u32,
    /// Whether it has more than one frame (GIF, WebP, APNG).
    pub animated: bool,
    /// When it was taken, if EXIF says so.
    pub taken_at: Option<TakenAt>,
    /// Maker and model of the camera, if EXIF names them.
    pub camera: Option<String>,
}

/// The moment a picture was taken, as the camera's clock showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenAt {
    /// Wall time at the place, `2024-02-29T23:59:59`: a date and time that exist in the calendar.
    pub local: String,
    /// Offset of that wall time from UTC, `+05:45`, where the camera wrote it.
    pub offset: Option<String>,
}

/// Largest EXIF block that is looked at. In JPEG it cannot exceed 64 KiB; PNG and WebP could carry gigabytes.
pub(crate) const MAX_EXIF: usize = 1 << 20;

/// Longest name of a camera, in characters.
const MAX_CAMERA: usize = 100;

/// The part of EXIF that is used. Where a picture was taken is not.
pub(crate) struct Exif {
    pub(crate) orientation: Orientation,
    pub(crate) taken_at: Option<TakenAt>,
    pub(crate) camera: Option<String>,
}

impl Default for Exif {
    fn default() -> Self {
        Self { orientation: Orientation::NoTransforms, taken_at: None, camera: None }
    }
}

impl Exif {
    /// Reads a block that starts at its TIFF header. Whatever is wrong with it, the picture counts: errors
    /// give defaults.
    pub(crate) fn parse(block: Vec<u8>) -> Self {
        if block.len() > MAX_EXIF {
            return Self::default();
        }
        let parsed = Reader::new()
            .continue_on_error(true)
            .read_raw(block)
            .or_else(|error| error.distill_partial_result(|_ignored| {}));
        let Ok(exif) = parsed else {
            return Self::default();
        };
        let orientation = exif
            .get_field(Tag::Orientation, In::PRIMARY)
            .and_then(|field| field.value.get_uint(0))
            .and_then(|value| u8::try_from(value).ok())
            .and_then(Orientation::from_exif)
            .unwrap_or(Orientation::NoTransforms);
        let text = |tag| match &exif.get_field(tag, In::PRIMARY)?.value {
            Value::Ascii(lines) => lines.first().cloned(),
            _ => None,
        };
        let taken_at = text(Tag::DateTimeOriginal).and_then(|line| local_time(&line)).map(|local| TakenAt {
            local,
            offset: text(Tag::OffsetTimeOriginal).and_then(|line| offset(&line)),
        });
        let camera = camera(text(Tag::Make), text(Tag::Model));
        Self { orientation, taken_at, camera }
    }
}

/// Maker and model in one line of visible characters. Many makers begin the model with their name.
fn camera(make: Option<Vec<u8>>, model: Option<Vec<u8>>) -> Option<String> {
    let words = |line: Option<Vec<u8>>| {
        let text = String::from_utf8_lossy(&line.unwrap_or_default())
            .replace(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER, " ");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (make, model) = (words(make), words(model));
    let names_maker = |first: &str| model.to_lowercase().starts_with(&first.to_lowercase());
    let camera = match make.split(' ').next() {
        Some(first) if !first.is_empty() && !names_maker(first) => format!("{make} {model}"),
        _ => model,
    };
    let camera: String = camera.chars().take(MAX_CAMERA).collect();
    let camera = camera.trim();
    (!camera.is_empty()).then(|| camera.to_owned())
}

/// `2024:02:29 23:59:59` as `2024-02-29T23:59:59`, or nothing if there is no such moment.
fn local_time(line: &[u8]) -> Option<String> {
    let line = line.trim_ascii();
    let digits = |range: std::ops::Range<usize>| -> Option<u32> {
        let part = line.get(range)?;
        part.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(part).ok()?.parse().ok())?
    };
    let separators = [(4, b':'), (7, b':'), (10, b' '), (13, b':'), (16, b':')];
    if line.len() != 19 || separators.iter().any(|&(at, byte)| line[at] != byte) {
        return None;
    }
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    let leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap_year),
        1..=12 => 31,
        _ => return None,
    };
    // Cameras without a set clock write zeros; a leap second is not a time that others can read.
    let exists = year > 0 && (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60;
    exists.then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"))
}

/// `+05:45`, `-03:00` or `Z` as an offset within a day.
fn offset(line: &[u8]) -> Option<String> {
    let line = line.trim_ascii();
    if line == b"Z" {
        return Some("+00:00".to_owned());
    }
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = *line else {
        return None;
    };
    if ![h1, h2, m1, m2].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |tens: u8, ones: u8| (tens - b'0') * 10 + (ones - b'0');
    let exists = number(h1, h2) < 24 && number(m1, m2) < 60;
    exists.then(|| [sign, h1, h2, b':', m1, m2].iter().map(|&byte| char::from(byte)).collect())
}

#[cfg(test)]
mod tests {
    use exif::Field;
    use exif::experimental::Writer;
    use proptest::prelude::*;

    use super::*;

    fn block(fields: &[(Tag, Value)]) -> Vec<u8> {
        let fields: Vec<_> = fields
            .iter()
            .map(|(tag, value)| Field { tag: *tag, ifd_num: In::PRIMARY, value: value.clone() })
            .collect();
        let mut writer = Writer::new();
        for field in &fields {
            writer.push_field(field);
        }
        let mut block = std::io::Cursor::new(Vec::new());
        writer.write(&mut block, false).unwrap();
        block.into_inner()
    }

    #[test]
    fn reads_orientation_and_time() {
        let exif = Exif::parse(block(&[
            (Tag::Orientation, Value::Short(vec![6])),
            (Tag::DateTimeOriginal, Value::Ascii(vec![b"2024:02:29 23:59:59".to_vec()])),
            (Tag::OffsetTimeOriginal, Value::Ascii(vec![b"+05:45".to_vec()])),
        ]));
        assert_eq!(exif.orientation, Orientation::Rotate90);
        let taken_at = exif.taken_at.unwrap();
        assert_eq!(taken_at.local, "2024-02-29T23:59:59");
        assert_eq!(taken_at.offset.as_deref(), Some("+05:45"));
    }

    #[test]
    fn cameras_are_named_once_and_visibly() {
        let camera = |make: &[u8], model: &[u8]| {
            let ascii = |text: &[u8]| Value::Ascii(vec![text.to_vec()]);
            Exif::parse(block(&[(Tag::Make, ascii(make)), (Tag::Model, ascii(model))])).camera
        };
        assert_eq!(camera(b"Canon", b"Canon EOS 5D").as_deref(), Some("Canon EOS 5D"));
        assert_eq!(camera(b"NIKON CORPORATION", b"NIKON D750 ").as_deref(), Some("NIKON D750"));
        assert_eq!(camera(b"Apple", b"iPhone 15").as_deref(), Some("Apple iPhone 15"));
        assert_eq!(camera(b"Apple", b"").as_deref(), Some("Apple"));
        assert_eq!(camera(b"", b"x\x1b[2J\xff\n y").as_deref(), Some("x [2J y"));
        assert_eq!(camera(b" ", b"\x07"), None);
        assert_eq!(camera(b"a", &[b'b'; 3000]).unwrap().len(), 100);
    }

    #[test]
    fn an_orientation_that_does_not_exist_is_none() {
        for value in [0, 9, 300] {
            let exif = Exif::parse(block(&[(Tag::Orientation, Value::Short(vec![value]))]));
            assert_eq!(exif.orientation, Orientation::NoTransforms);
        }
    }

    #[test]
    fn times_that_do_not_exist_are_dropped() {
        for line in
            ["0000:00:00 00:00:00", "2023:02:29 00:00:00", "2024:13:01 00:00:00", "2024:01:01 24:00:00"]
        {
            assert_eq!(local_time(line.as_bytes()), None, "{line}");
        }
        for line in ["2024-02-29 23:59:59", "    :  :     :  :  ", "2024:02:2a 23:59:59", "2024:02:29"] {
            assert_eq!(local_time(line.as_bytes()), None, "{line}");
        }
        assert_eq!(local_time(b"2000:02:29 00:00:00 ").as_deref(), Some("2000-02-29T00:00:00"));
        for line in ["", "+5:45", "+24:00", "05:45", "+05:60", "+aa:bb"] {
            assert_eq!(offset(line.as_bytes()), None, "{line}");
        }
        assert_eq!(offset(b"Z").as_deref(), Some("+00:00"));
    }

    proptest! {
        #[test]
        fn any_block_is_survived(block in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Exif::parse(block.clone());
            let with_header = [b"II*\0\x08\0\0\0".as_slice(), &block].concat();
            let _ = Exif::parse(with_header);
        }

        #[test]
        fn any_line_is_survived(line in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _ = local_time(&line);
            let _ = offset(&line);
        }
    }
}
