//! What the test files share.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fs::File;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use exif::experimental::Writer;
use exif::{Field, In, Tag, Value};
use image::{DynamicImage, ImageFormat, RgbImage};
use thumbnails::{Error, Limits, Made, Options, Thumbnail, render};

/// The folder of sample files, if there is one.
pub(crate) fn samples() -> Option<PathBuf> {
    let folder = std::env::var_os("FM_TEST_SAMPLES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!(
            "FM_TEST_SAMPLES is not set: the collection of samples was not there, only made pictures are tested"
        );
    }
    folder
}

/// A file without a name that holds `bytes`.
pub(crate) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// All thumbnails, by the default limits, in this process.
pub(crate) fn make(bytes: &[u8]) -> Result<Made, Error> {
    render(file(bytes), &Options::default(), &Limits::default())
}

/// The thumbnail that was asked for with `width`.
pub(crate) fn thumbnail(made: &Made, width: u32) -> &Thumbnail {
    made.thumbnails.iter().find(|thumbnail| thumbnail.asked_width == width).unwrap()
}

pub(crate) fn decode(thumbnail: &Thumbnail) -> DynamicImage {
    let format = ImageFormat::from_mime_type(thumbnail.format.mime()).unwrap();
    let decoded = image::load_from_memory_with_format(&thumbnail.bytes, format).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (thumbnail.width, thumbnail.height));
    decoded
}

/// Mean difference of two pictures of one size, 0 to 255.
pub(crate) fn difference(one: &RgbImage, other: &RgbImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let sum: u64 = one.as_raw().iter().zip(other.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / one.as_raw().len() as f64
}

/// Nothing of the original's metadata is left, and a viewer that honours orientation finds none.
pub(crate) fn assert_bare(thumbnail: &Thumbnail) {
    for trace in
        [b"Exif".as_slice(), b"eXIf", b"EXIF", b"ICC_PROFILE", b"iCCP", b"http:", b"tEXt", b"zTXt", b"iTXt"]
    {
        assert!(!thumbnail.bytes.windows(trace.len()).any(|part| part == trace), "{}", trace.escape_ascii());
    }
}

/// A picture whose corners and edges tell every way of turning it apart.
pub(crate) fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (right, lower) = (2 * x >= width, 2 * y >= height);
        match (right, lower) {
            (false, false) => image::Rgb([220, 30, 30]),
            (true, false) => image::Rgb([30, 200, 30]),
            (false, true) => image::Rgb([30, 30, 220]),
            (true, true) => image::Rgb([(255 * x / width) as u8, (255 * y / height) as u8, 120]),
        }
    })
}

/// The bytes of a picture in a format.
pub(crate) fn write(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// EXIF with these fields.
pub(crate) fn exif_block(fields: Vec<(Tag, Value)>) -> Vec<u8> {
    let fields: Vec<_> =
        fields.into_iter().map(|(tag, value)| Field { tag, ifd_num: In::PRIMARY, value }).collect();
    let mut writer = Writer::new();
    fields.iter().for_each(|field| writer.push_field(field));
    let mut block = Cursor::new(Vec::new());
    writer.write(&mut block, false).unwrap();
    block.into_inner()
}
