//! The collection of sample files, if it is there: every row of its index, and how the colours come out.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;

use support::{assert_bare, decode, difference, thumbnail};
use thumbnails::{Error, Limits, Made, Options, WIDTHS, render, supports};

fn make(folder: &Path, name: &str) -> Result<Made, Error> {
    render(File::open(folder.join(name)).unwrap(), &Options::default(), &Limits::default())
}

/// The thumbnail of 250 pixels as RGB.
fn small(folder: &Path, name: &str) -> image::RgbImage {
    decode(thumbnail(&make(folder, name).unwrap(), 250)).into_rgb8()
}

/// `1800x1200`.
fn parse_size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

fn check_made(name: &str, made: &Made) {
    assert_eq!(
        made.thumbnails.iter().map(|thumbnail| thumbnail.asked_width).collect::<Vec<_>>(),
        WIDTHS,
        "{name}"
    );
    for thumbnail in &made.thumbnails {
        decode(thumbnail);
        assert_bare(thumbnail);
        assert!(thumbnail.width <= thumbnail.asked_width.min(made.facts.width), "{name}");
        let (width, height) = (u64::from(made.facts.width), u64::from(made.facts.height));
        if height <= width * 12 {
            assert_eq!(u64::from(thumbnail.width), width.min(thumbnail.asked_width.into()), "{name}");
            let in_proportion = f64::from(thumbnail.width) * height as f64 / width as f64;
            assert!((f64::from(thumbnail.height) - in_proportion.max(1.0)).abs() <= 0.5, "{name}");
        }
    }
}

#[test]
fn every_row_of_the_index() {
    let Some(folder) = support::samples() else { return };
    let index = fs::read_to_string(folder.join("INDEX.tsv")).unwrap();
    let mut lines = index.lines();
    let columns: HashMap<_, _> = lines.next().unwrap().split('\t').zip(0..).collect();
    let mut rows = 0;
    for line in lines {
        let row: Vec<_> = line.split('\t').collect();
        let column = |name: &str| row[columns[name]];
        let name = column("file");
        let result = make(&folder, name);
        if let Err(error) = &result {
            assert!(error.is_permanent(), "{name}: {error}");
            assert!(error.to_string().len() > 20, "{name}: {error}");
        }
        match column("thumbnails") {
            "yes" => {
                let made = result.unwrap_or_else(|error| panic!("{name}: {error}"));
                check_made(name, &made);
                let size = (made.facts.width, made.facts.height);
                assert_eq!(Some(size), parse_size(column("size_after_orientation")), "{name}");
                assert!(column("mime").split('|').any(supports), "{name}");
            }
            "error" => assert!(result.is_err(), "{name}"),
            "no" => {
                let error = result.expect_err(name);
                assert_eq!(error.word(), "not_a_picture", "{name}");
                assert!(!column("mime").split('|').any(supports), "{name}");
            }
            "optional" => {
                if let Ok(made) = &result {
                    check_made(name, made);
                }
            }
            other => panic!("{name}: {other:?} is no expectation"),
        }
        rows += 1;
    }
    assert!(rows > 100, "the index has only {rows} rows");
}

#[test]
fn refusals_name_their_reason() {
    let Some(folder) = support::samples() else { return };
    let word = |name| make(&folder, name).map(|made| made.facts).map_err(|error| error.word());
    assert_eq!(word("bomb-50000x50000.png"), Err("too_large"));
    assert_eq!(word("bmp-really-big.bmp"), Err("too_large"));
    assert_eq!(word("pngsuite-xhdn0g08.png"), Err("damaged"));
    assert_eq!(word("truncated-header.jpg"), Err("damaged"));
    assert_eq!(word("empty.jpg"), Err("not_a_picture"));
    let too_large = make(&folder, "bomb-50000x50000.png").unwrap_err().to_string();
    assert!(too_large.contains("2500000000 pixels") && too_large.contains("limit"), "{too_large}");
}

#[test]
fn all_orientations_come_out_upright() {
    let Some(folder) = support::samples() else { return };
    let first = small(&folder, "orient-landscape-1.jpg");
    for number in 2..=8 {
        // The pictures name their number in the middle; the rest is the same but for compression.
        let apart = difference(&first, &small(&folder, &format!("orient-landscape-{number}.jpg")));
        assert!(apart < 3.0, "orientation {number} differs by {apart}");
    }
    let same_scene = |name, reference, at_most| {
        let (turned, upright) = (make(&folder, name).unwrap(), make(&folder, reference).unwrap());
        let turned = decode(thumbnail(&turned, 100)).into_rgb8();
        let upright = decode(thumbnail(&upright, 100)).into_rgb8();
        let apart = difference(&turned, &upright);
        assert!(apart < at_most, "{name} differs by {apart}");
    };
    same_scene("png-exif-orientation-3.png", "restart-markers.jpg", 6.0);
    same_scene("webp-exif-orientation-6.webp", "baseline.jpg", 6.0);
}

#[test]
fn colours_come_out_natural() {
    let Some(folder) = support::samples() else { return };
    let natural = small(&folder, "baseline.jpg");
    for (name, at_most) in
        [("cmyk-adobe.jpg", 6.0), ("cmyk-no-adobe-marker.jpg", 6.0), ("icc-swapped-red-green.jpg", 8.0)]
    {
        let apart = difference(&natural, &small(&folder, name));
        assert!(apart < at_most, "{name} differs by {apart}");
    }
    // The first hat is yellow, the second red: means of small areas, so that compression does not matter.
    for name in ["cmyk-adobe.jpg", "icc-swapped-red-green.jpg"] {
        let picture = small(&folder, name);
        let mean = |x: u32, y: u32| {
            let sum = (0..8).flat_map(|dx| (0..8).map(move |dy| (dx, dy))).fold(
                [0; 3],
                |sum: [u32; 3], (dx, dy)| {
                    let pixel = picture.get_pixel(x + dx, y + dy).0;
                    [0, 1, 2].map(|channel| sum[channel] + u32::from(pixel[channel]))
                },
            );
            sum.map(|channel| channel / 64)
        };
        let [red, green, blue] = mean(50, 60);
        assert!(red > 100 && green > 100 && blue < 60, "{name}: {red} {green} {blue} is not yellow");
        let [red, green, blue] = mean(118, 84);
        assert!(red > 100 && 2 * green < red && 2 * blue < red, "{name}: {red} {green} {blue} is not red");
    }
}

#[test]
fn the_embedded_preview_is_not_used() {
    let Some(folder) = support::samples() else { return };
    let picture = small(&folder, "exif-thumbnail-differs.jpg");
    let magenta = image::RgbImage::from_pixel(picture.width(), picture.height(), image::Rgb([255, 0, 255]));
    assert!(difference(&picture, &magenta) > 60.0);
    let apart = difference(&picture, &small(&folder, "exif-markup.jpg"));
    assert!(apart < 3.0, "differs by {apart}");
}

#[test]
fn facts_are_read() {
    let Some(folder) = support::samples() else { return };
    let facts = |name| make(&folder, name).unwrap().facts;
    let taken_at = facts("exif-markup.jpg").taken_at.unwrap();
    assert_eq!(
        (taken_at.local.as_str(), taken_at.offset.as_deref()),
        ("2024-02-29T23:59:59", Some("+05:45"))
    );
    assert_eq!(facts("invalid-exif.jpg").taken_at, None);
    for (name, animated) in [
        ("gif-any-disposal.gif", true),
        ("gif-alpha.gif", false),
        ("webp-animated-lossy.webp", true),
        ("webp-lossy.webp", false),
        ("apng-delay.png", true),
        ("apng-syntax_num_frames_zero_default.png", false),
    ] {
        assert_eq!(facts(name).animated, animated, "{name}");
    }
}

#[test]
fn transparency_is_kept() {
    let Some(folder) = support::samples() else { return };
    for name in [
        "webp-alpha.webp",
        "pngsuite-basn6a16.png",
        "pngsuite-tbbn3p08.png",
        "gif-alpha.gif",
        "bmp-rgba32.bmp",
    ] {
        let made = make(&folder, name).unwrap();
        let picture = decode(thumbnail(&made, 100)).into_rgba8();
        assert!(picture.pixels().any(|pixel| pixel.0[3] < 128), "{name}");
        assert!(picture.pixels().any(|pixel| pixel.0[3] > 128), "{name}");
    }
}
