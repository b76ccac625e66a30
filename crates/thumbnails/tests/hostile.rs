//! Files that are broken or mean harm.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::fs::File;
use std::io::{Seek, SeekFrom};

use image::{DynamicImage, GrayImage, ImageFormat};
use proptest::prelude::*;
use support::{decode, file, make, scene, write};
use thumbnails::{Error, Limit, Limits, Options, render};

fn word(bytes: &[u8]) -> &'static str {
    let error = make(bytes).unwrap_err();
    assert!(error.is_permanent(), "{error}");
    error.word()
}

fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    // The checksum of PNG, bit by bit.
    let crc = !kind.iter().chain(data).fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    [&(data.len() as u32).to_be_bytes(), kind.as_slice(), data, &crc.to_be_bytes()].concat()
}

fn png_header(width: u32, height: u32) -> Vec<u8> {
    let header = [&width.to_be_bytes(), &height.to_be_bytes(), [8, 2, 0, 0, 0].as_slice()].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), png_chunk(b"IHDR", &header), png_chunk(b"IDAT", &[0; 16])].concat()
}

#[test]
fn what_is_no_picture_is_said_to_be_none() {
    assert_eq!(word(b""), "not_a_picture");
    assert_eq!(word(b"x"), "not_a_picture");
    assert_eq!(word(b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), "not_a_picture");
    assert_eq!(word(b"%PDF-1.7"), "not_a_picture");
    // PPM and others that `image` would know.
    assert_eq!(word(b"P6 1 1 255 abc"), "not_a_picture");
    assert_eq!(word(b"\x89PNG\n\x1a\n"), "not_a_picture");
}

#[test]
fn a_folder_is_an_error_that_may_pass() {
    let folder = tempfile::tempdir().unwrap();
    let error =
        render(File::open(folder.path()).unwrap(), &Options::default(), &Limits::default()).unwrap_err();
    assert_eq!(error.word(), "io");
    assert!(!error.is_permanent());
}

#[test]
fn only_the_start_of_a_picture_is_damage() {
    for start in [
        b"\xff\xd8\xff".as_slice(),
        b"\xff\xd8\xff\xe0\x00\x10JFIF\0",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"GIF89a\x01\0\x01\0\0\0\0",
        b"RIFF\0\0\0\0WEBP",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"BM",
        b"BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0",
        b"II*\0",
        b"II*\0\x08\0\0\0",
        b"\0\0\x01\0",
        b"\0\0\x01\0\x01\0",
    ] {
        let error = word(start);
        assert!(matches!(error, "damaged" | "unsupported"), "{}: {error}", start.escape_ascii());
    }
}

#[test]
fn announced_sizes_are_refused_before_anything_is_allocated() {
    let jpeg = b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x02";
    let gif = b"GIF89a\xff\xff\xff\xff\0\0\0\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0\x3b";
    let webp =
        b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xffVP8L\x06\0\0\0\x2f\0\0\0\0\0";
    let mut bmp = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bmp.extend([3_000_000_i32.to_le_bytes(), (-2_000_000_i32).to_le_bytes()].concat());
    bmp.extend(b"\x01\0\x18\0".iter().chain(&[0; 24]));
    let png = png_header(50_000, 50_000);
    let icon = [b"\0\0\x01\0\x01\0\0\0\0\0\x01\0\x20\0\xff\0\0\0\x16\0\0\0".to_vec(), png.clone()].concat();
    for (name, bytes) in [
        ("jpeg", jpeg.as_slice()),
        ("gif", gif),
        ("webp", webp),
        ("bmp", &bmp),
        ("png", &png),
        ("png as high as can be", &png_header(1, i32::MAX as u32)),
        ("icon", &icon),
    ] {
        // Also where only the facts are wanted.
        for options in [Options::default(), Options { widths: Vec::new() }] {
            let error = render(file(bytes), &options, &Limits::default()).unwrap_err();
            assert!(matches!(error, Error::TooLarge { .. }), "{name}: {error}");
        }
    }
}

#[test]
fn a_frame_of_a_gif_that_is_larger_than_its_canvas_is_refused() {
    let gif = b"GIF89a\x0a\0\x0a\0\0\0\0\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0\x3b";
    let error = make(gif).unwrap_err();
    assert!(error.is_permanent(), "{error}");
}

#[test]
fn each_limit_is_named() {
    let picture = write(&scene(300, 200).into(), ImageFormat::Tiff);
    let refused = |limits: Limits| match render(file(&picture), &Options::default(), &limits) {
        Err(Error::TooLarge { limit, value, max }) => {
            assert!(value > max);
            limit
        }
        other => panic!("{other:?}"),
    };
    let defaults = Limits::default();
    assert_eq!(refused(Limits { max_input_bytes: 100, ..defaults }), Limit::InputBytes);
    assert_eq!(refused(Limits { max_pixels: 59_999, ..defaults }), Limit::Pixels);
    assert_eq!(refused(Limits { max_side: 299, ..defaults }), Limit::Side);
    assert_eq!(refused(Limits { max_memory_bytes: 300_000, ..defaults }), Limit::Memory);
}

#[test]
fn a_hundred_megapixels_are_within_the_limits() {
    // One bit a pixel, row by row.
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 10_000, 10_000);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().unwrap().write_image_data(&vec![0xaa; 1250 * 10_000]).unwrap();
    let limits = Limits { max_memory_bytes: 32 << 20, ..Limits::default() };
    let made = render(file(&bytes), &Options::default(), &limits).unwrap();
    assert_eq!((made.facts.width, made.thumbnails[3].width), (10_000, 1280));
    let gray = decode(&made.thumbnails[0]).into_luma8();
    assert!(gray.pixels().all(|pixel| pixel.0[0].abs_diff(128) < 8));
}

#[test]
fn a_108_megapixel_jpeg_is_within_the_limits() {
    let bytes = write(&GrayImage::from_pixel(12_000, 9000, image::Luma([77])).into(), ImageFormat::Jpeg);
    // Half a byte a pixel: only a reduced decode stays below.
    let limits = Limits { max_memory_bytes: 54 << 20, ..Limits::default() };
    let made = render(file(&bytes), &Options::default(), &limits).unwrap();
    assert_eq!((made.facts.width, made.thumbnails[3].width, made.thumbnails[3].height), (12_000, 1280, 960));
}

#[test]
fn a_wrong_checksum_is_damage() {
    let good = write(&scene(100, 80).into(), ImageFormat::Png);
    let idat = good.windows(4).position(|part| part == b"IDAT").unwrap();
    for at in [20, idat + 10, good.len() - 13] {
        let mut spoilt = good.clone();
        spoilt[at] ^= 1;
        assert_eq!(word(&spoilt), "damaged", "at {at}");
    }
    assert_eq!(word(&good[..good.len() / 2]), "damaged");
}

#[test]
fn text_that_unpacks_to_gigabytes_is_not_unpacked() {
    let good = write(&scene(8, 8).into(), ImageFormat::Png);
    let text = png_chunk(b"zTXt", &[b"Comment\0\0".as_slice(), &[0x78; 100_000]].concat());
    let end_of_header = 8 + 25;
    let bytes = [&good[..end_of_header], &text, &good[end_of_header..]].concat();
    assert_eq!(make(&bytes).unwrap().thumbnails.len(), 4);
}

fn a_picture(format: ImageFormat) -> Vec<u8> {
    write(&DynamicImage::from(scene(40, 30)), format)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens to a picture, there is an answer, and thumbnails can be decoded.
    #[test]
    fn a_spoilt_picture_gives_an_answer(
        kind in 0..7_usize,
        cut in 0.0..1.5_f64,
        spots in proptest::collection::vec((0.0..1.0_f64, any::<u8>()), 0..6),
    ) {
        use ImageFormat::{Bmp, Gif, Ico, Jpeg, Png, Tiff, WebP};
        let mut bytes = a_picture([Jpeg, Png, Gif, WebP, Bmp, Tiff, Ico][kind]);
        bytes.truncate((bytes.len() as f64 * cut) as usize);
        for (place, byte) in spots {
            let at = (bytes.len() as f64 * place) as usize;
            if let Some(spot) = bytes.get_mut(at) {
                *spot = byte;
            }
        }
        match make(&bytes) {
            Ok(made) => made.thumbnails.iter().for_each(|thumbnail| drop(decode(thumbnail))),
            Err(error) => prop_assert!(error.is_permanent(), "{}", error),
        }
    }

    #[test]
    fn anything_after_a_signature_gives_an_answer(kind in 0..7_usize, rest in proptest::collection::vec(any::<u8>(), 0..300)) {
        let signatures: [&[u8]; 7] = [
            b"\xff\xd8\xff",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"RIFF\0\x01\0\0WEBPVP8X",
            b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
            b"MM\0*\0\0\0\x08",
            b"\0\0\x01\0\x01\0",
        ];
        let bytes = [signatures[kind], &rest].concat();
        if let Err(error) = make(&bytes) {
            prop_assert!(error.is_permanent(), "{}", error);
        }
    }
}

#[test]
fn the_reader_may_stand_anywhere_in_the_file() {
    let mut picture = file(&a_picture(ImageFormat::Png));
    picture.seek(SeekFrom::End(0)).unwrap();
    assert!(render(picture, &Options::default(), &Limits::default()).is_ok());
}
