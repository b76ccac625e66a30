//! Pictures of each kind that are made here, for whoever has only the repository.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;
#[path = "support/jpeg.rs"]
mod support_jpeg;

use exif::experimental::Writer;
use exif::{Field, In, Tag, Value};
use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{
    DynamicImage, ExtendedColorType, Frame, ImageBuffer, ImageEncoder, ImageFormat, Rgba, RgbaImage,
};
use support::{assert_bare, decode, difference, exif_block, make, scene, thumbnail, write};
use support_jpeg::{Inks, one_block};
use thumbnails::{Limits, Options, OutputFormat, SourceFormat, WIDTHS, render};

/// How the scene must be stored so that a viewer that honours `exif` shows it upright.
fn stored(upright: &image::RgbImage, exif: u8) -> DynamicImage {
    let inverse = match exif {
        6 => 8,
        8 => 6,
        other => other,
    };
    let mut picture = DynamicImage::from(upright.clone());
    picture.apply_orientation(Orientation::from_exif(inverse).unwrap());
    picture
}

fn with_exif(encoder: &mut impl ImageEncoder, exif: u8) {
    encoder.set_exif_metadata(exif_block(vec![(Tag::Orientation, Value::Short(vec![exif.into()]))])).unwrap();
}

fn write_with_orientation(picture: &DynamicImage, format: SourceFormat, exif: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (pixels, width, height) = (picture.as_bytes(), picture.width(), picture.height());
    match format {
        SourceFormat::Jpeg => {
            let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
            with_exif(&mut encoder, exif);
            encoder.write_image(pixels, width, height, ExtendedColorType::Rgb8).unwrap();
        }
        SourceFormat::Png => {
            let mut encoder = PngEncoder::new(&mut bytes);
            with_exif(&mut encoder, exif);
            encoder.write_image(pixels, width, height, ExtendedColorType::Rgb8).unwrap();
        }
        SourceFormat::Webp => {
            let mut encoder = WebPEncoder::new_lossless(&mut bytes);
            with_exif(&mut encoder, exif);
            encoder.write_image(pixels, width, height, ExtendedColorType::Rgb8).unwrap();
        }
        SourceFormat::Tiff => {
            let field = |tag, value| Field { tag, ifd_num: In::PRIMARY, value };
            let fields = [
                field(Tag::ImageWidth, Value::Long(vec![width])),
                field(Tag::ImageLength, Value::Long(vec![height])),
                field(Tag::BitsPerSample, Value::Short(vec![8; 3])),
                field(Tag::Compression, Value::Short(vec![1])),
                field(Tag::PhotometricInterpretation, Value::Short(vec![2])),
                field(Tag::SamplesPerPixel, Value::Short(vec![3])),
                field(Tag::RowsPerStrip, Value::Long(vec![height])),
                field(Tag::Orientation, Value::Short(vec![exif.into()])),
            ];
            let strips = [pixels];
            let mut writer = Writer::new();
            fields.iter().for_each(|field| writer.push_field(field));
            writer.set_strips(&strips, In::PRIMARY);
            let mut cursor = std::io::Cursor::new(Vec::new());
            writer.write(&mut cursor, true).unwrap();
            bytes = cursor.into_inner();
        }
        other => panic!("{other:?} has no orientation"),
    }
    bytes
}

#[test]
fn every_orientation_of_every_format_comes_out_upright() {
    let upright = scene(300, 200);
    for format in [SourceFormat::Jpeg, SourceFormat::Png, SourceFormat::Webp, SourceFormat::Tiff] {
        let reference =
            make(&write_with_orientation(&DynamicImage::from(upright.clone()), format, 1)).unwrap();
        let reference = decode(thumbnail(&reference, 100)).into_rgb8();
        for exif in 1..=8 {
            let made = make(&write_with_orientation(&stored(&upright, exif), format, exif)).unwrap();
            assert_eq!(
                (made.facts.format, made.facts.width, made.facts.height),
                (format, 300, 200),
                "{exif}"
            );
            let small = thumbnail(&made, 100);
            assert_eq!((small.width, small.height), (100, 67));
            let apart = difference(&decode(small).into_rgb8(), &reference);
            assert!(apart < 3.0, "{format:?} with orientation {exif} differs by {apart}");
            made.thumbnails.iter().for_each(assert_bare);
        }
    }
}

#[test]
fn each_format_comes_out_as_documented() {
    let opaque = DynamicImage::from(scene(600, 400));
    let mut see_through = opaque.to_rgba8();
    see_through.pixels_mut().filter(|pixel| pixel.0[0] > 200).for_each(|pixel| pixel.0[3] = 0);
    let see_through = DynamicImage::from(see_through);
    let outputs = |picture: &DynamicImage, format| {
        let made = make(&write(picture, format)).unwrap();
        assert_eq!(made.thumbnails.iter().map(|thumbnail| thumbnail.asked_width).collect::<Vec<_>>(), WIDTHS);
        for thumbnail in &made.thumbnails {
            decode(thumbnail);
            assert_eq!(thumbnail.width, thumbnail.asked_width.min(600));
            assert_eq!(thumbnail.height, (thumbnail.width * 400 + 300) / 600);
            assert_bare(thumbnail);
        }
        let holes = made.thumbnails.iter().filter(|thumbnail| has_holes(thumbnail)).count();
        assert!(holes == 0 || holes == WIDTHS.len());
        (made.thumbnails[0].format, made.thumbnails[3].format, holes > 0)
    };
    use OutputFormat::{Gif, Jpeg, Png, Webp};
    assert_eq!(outputs(&opaque, ImageFormat::Jpeg), (Jpeg, Jpeg, false));
    assert_eq!(outputs(&opaque, ImageFormat::Png), (Png, Png, false));
    assert_eq!(outputs(&see_through, ImageFormat::Png), (Png, Png, true));
    assert_eq!(outputs(&opaque, ImageFormat::Gif), (Gif, Gif, false));
    assert_eq!(outputs(&see_through, ImageFormat::Gif), (Gif, Gif, true));
    assert_eq!(outputs(&opaque, ImageFormat::WebP), (Webp, Jpeg, false));
    assert_eq!(outputs(&see_through, ImageFormat::WebP), (Webp, Webp, true));
    assert_eq!(outputs(&opaque, ImageFormat::Bmp), (Jpeg, Jpeg, false));
    assert_eq!(outputs(&opaque, ImageFormat::Tiff), (Jpeg, Jpeg, false));
    assert_eq!(outputs(&see_through, ImageFormat::Tiff), (Png, Png, true));
}

fn has_holes(thumbnail: &thumbnails::Thumbnail) -> bool {
    decode(thumbnail).into_rgba8().pixels().any(|pixel| pixel.0[3] == 0)
}

#[test]
fn an_icon_comes_out_by_its_transparency() {
    let icon = RgbaImage::from_pixel(64, 64, Rgba([10, 200, 30, 128]));
    let made = make(&write(&icon.into(), ImageFormat::Ico)).unwrap();
    assert_eq!(
        (made.facts.width, made.thumbnails[0].width, made.thumbnails[0].format),
        (64, 64, OutputFormat::Png)
    );
}

#[test]
fn deep_samples_come_out_in_eight_bits() {
    let gray = ImageBuffer::<image::Luma<u16>, _>::from_pixel(200, 100, image::Luma([0x8080]));
    let colour = ImageBuffer::<image::Rgb<u16>, _>::from_pixel(200, 100, image::Rgb([0xffff, 0x8080, 0]));
    let light = image::Rgb32FImage::from_pixel(200, 100, image::Rgb([1.0, 0.5, 0.0]));
    for (picture, format, expected) in [
        (DynamicImage::from(gray.clone()), ImageFormat::Png, [128, 128, 128]),
        (DynamicImage::from(gray), ImageFormat::Tiff, [128, 128, 128]),
        (DynamicImage::from(colour.clone()), ImageFormat::Png, [255, 128, 0]),
        (DynamicImage::from(colour), ImageFormat::Tiff, [255, 128, 0]),
        (DynamicImage::from(light), ImageFormat::Tiff, [255, 128, 0]),
    ] {
        let made = make(&write(&picture, format)).unwrap();
        let pixel = decode(thumbnail(&made, 100)).into_rgb8().get_pixel(50, 25).0;
        assert!(
            pixel.iter().zip(expected).all(|(&is, expected)| is.abs_diff(expected) <= 3),
            "{format:?} {pixel:?}"
        );
    }
}

#[test]
fn inks_become_light() {
    let colour = |components: &[u8], inks| {
        let made = make(&one_block(components, inks)).unwrap();
        assert_eq!((made.facts.width, made.facts.height), (8, 8));
        decode(&made.thumbnails[0]).into_rgb8().get_pixel(4, 4).0
    };
    let near = |is: [u8; 3], expected: [u8; 3]| {
        assert!(
            is.iter().zip(expected).all(|(&is, expected)| is.abs_diff(expected) <= 4),
            "{is:?} {expected:?}"
        );
    };
    // Adobe stores light: all of red, none of green and blue, no black.
    near(colour(&[255, 0, 0, 255], Inks::Adobe), [255, 0, 0]);
    near(colour(&[255, 255, 255, 0], Inks::Adobe), [0, 0, 0]);
    // Without its mark the values are ink: no cyan, all of magenta and yellow.
    near(colour(&[0, 255, 255, 0], Inks::Plain), [255, 0, 0]);
    // Cyan as luminance and chrominance, stands for its opposite.
    near(colour(&[179, 171, 1, 255], Inks::AdobeYcck), [255, 0, 0]);
}

#[test]
fn smaller_than_asked_is_never_enlarged() {
    let made = make(&write(&scene(60, 40).into(), ImageFormat::Png)).unwrap();
    for thumbnail in &made.thumbnails {
        assert_eq!((thumbnail.width, thumbnail.height), (60, 40));
        assert_eq!(decode(thumbnail).into_rgb8(), scene(60, 40));
    }
}

#[test]
fn extreme_shapes_keep_a_pixel() {
    let sizes = |width, height| {
        let made = make(&write(&scene(width, height).into(), ImageFormat::Png)).unwrap();
        made.thumbnails.iter().map(|thumbnail| (thumbnail.width, thumbnail.height)).collect::<Vec<_>>()
    };
    assert_eq!(sizes(1, 30_000), [(1, 1200), (1, 3000), (1, 6000), (1, 15_360)]);
    assert_eq!(sizes(30_000, 1), [(100, 1), (250, 1), (500, 1), (1280, 1)]);
    assert_eq!(sizes(1, 1), [(1, 1); 4]);
}

#[test]
fn only_the_first_frame_of_an_animation_counts() {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for colour in [[255, 0, 0, 255], [0, 0, 255, 255], [0, 0, 0, 255]] {
        encoder.encode_frame(Frame::new(RgbaImage::from_pixel(20, 10, Rgba(colour)))).unwrap();
    }
    drop(encoder);
    let made = make(&bytes).unwrap();
    assert!(made.facts.animated);
    assert_eq!(decode(&made.thumbnails[0]).into_rgba8().get_pixel(5, 5).0, [255, 0, 0, 255]);
    // What follows the first frame is not even read.
    let second_frame = bytes.iter().enumerate().filter(|(_, byte)| **byte == 0x2c).nth(1).unwrap().0;
    let made = make(&bytes[..second_frame + 12]).unwrap();
    assert_eq!(made.thumbnails[0].width, 20);
}

#[test]
fn facts_without_thumbnails_cost_no_decode() {
    let mut bytes = write(&scene(300, 200).into(), ImageFormat::Png);
    // The pixels are spoilt, the header is not.
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    let options = Options { widths: Vec::new() };
    let made = render(support::file(&bytes), &options, &Limits::default()).unwrap();
    assert_eq!((made.facts.width, made.facts.height, made.thumbnails.len()), (300, 200, 0));
    assert_eq!(make(&bytes).unwrap_err().word(), "damaged");
}

#[test]
fn widths_come_in_any_order_and_once() {
    let options = Options { widths: vec![50, 10, 50, 30] };
    let bytes = write(&scene(300, 200).into(), ImageFormat::Jpeg);
    let made = render(support::file(&bytes), &options, &Limits::default()).unwrap();
    assert_eq!(made.thumbnails.iter().map(|thumbnail| thumbnail.width).collect::<Vec<_>>(), [10, 30, 50]);
}

#[test]
fn a_jpeg_that_is_cut_gives_what_is_there() {
    let bytes = write(&scene(640, 480).into(), ImageFormat::Jpeg);
    let made = make(&bytes[..bytes.len() * 2 / 3]).unwrap();
    let picture = decode(thumbnail(&made, 100)).into_rgb8();
    assert!(picture.get_pixel(10, 10).0[0] > 180, "{:?}", picture.get_pixel(10, 10));
}

#[test]
fn the_profile_of_a_picture_is_applied() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let picture = image::RgbImage::from_pixel(40, 40, image::Rgb([200, 100, 100]));
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_icc_profile(profile).unwrap();
    encoder.write_image(picture.as_raw(), 40, 40, ExtendedColorType::Rgb8).unwrap();
    let made = make(&bytes).unwrap();
    let pixel = decode(&made.thumbnails[0]).into_rgb8().get_pixel(20, 20).0;
    assert!(pixel[0] > 205 && pixel[1] < 98, "{pixel:?}");
}
