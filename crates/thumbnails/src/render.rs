//! The whole way from a file to its thumbnails, in the calling process.

use std::fs::File;
use std::io::{Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};

use fast_image_resize::Resizer;
use serde::{Deserialize, Serialize};

use crate::colour::to_srgb;
use crate::decode::Picture;
use crate::encode::encode;
use crate::error::{Error, Limit};
use crate::facts::Facts;
use crate::format::{OutputFormat, SourceFormat};
use crate::limits::Limits;

/// The widths that the product offers, in pixels.
pub const WIDTHS: [u32; 4] = [100, 250, 500, 1280];

/// Most bytes of all thumbnails of a picture together: what the parent process will take from a child. The
/// usual four need about 2 MiB as PNG and a tenth of it as JPEG.
pub(crate) const MAX_OUTPUT_BYTES: usize = 32 << 20;

/// Longest start of a file that tells its format.
const SNIFFED_BYTES: u64 = 16;

/// What to make of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Widths of the thumbnails in pixels, in any order, each made once. None: facts only, no pixel is decoded.
    pub widths: Vec<u32>,
}

impl Default for Options {
    /// All of [`WIDTHS`].
    fn default() -> Self {
        Self { widths: WIDTHS.to_vec() }
    }
}

/// What was made of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Facts about the original.
    pub facts: Facts,
    /// One thumbnail for each width asked for, the smallest first.
    pub thumbnails: Vec<Thumbnail>,
}

/// A small picture: upright, in sRGB, without metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// The width that was asked for.
    pub asked_width: u32,
    /// Its own width: the one asked for, or less where the original or the bound on tall pictures says so.
    pub width: u32,
    /// Its height, in proportion, at least 1 and at most twelve times the width asked for.
    pub height: u32,
    /// How `bytes` are written.
    pub format: OutputFormat,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Makes thumbnails in the calling process.
///
/// The pixels are decoded once and each thumbnail is made from the next larger one. The first frame or page
/// counts. Previews that cameras embed in EXIF are never used. The limits on memory and processor time that a
/// child process has do not hold here, and a decoder that crashes or hangs takes the caller with it: use
/// [`Pool`](crate::Pool) for strangers' pictures.
///
/// # Errors
/// See [`Error`]. A panic of a decoder is [`Error::Damaged`].
pub fn render(picture: File, options: &Options, limits: &Limits) -> Result<Made, Error> {
    // Nothing that the closure touches is used after a panic.
    catch_unwind(AssertUnwindSafe(|| render_unguarded(picture, options, limits)))
        .unwrap_or_else(|_panic| Err(Error::damaged("the decoder failed on it")))
}

fn render_unguarded(file: File, options: &Options, limits: &Limits) -> Result<Made, Error> {
    let (file, format) = sniff(file, limits)?;
    let mut picture = Picture::open(file, format, limits)?;
    let orientation = picture.exif.orientation;
    let upright = picture.size.turned(orientation);
    let facts = Facts {
        format,
        width: upright.width,
        height: upright.height,
        animated: picture.animated,
        taken_at: picture.exif.taken_at.take(),
        camera: picture.exif.camera.take(),
    };

    let mut widths = options.widths.clone();
    widths.sort_unstable_by(|a, b| b.cmp(a));
    widths.dedup();
    let Some(&widest) = widths.first() else {
        return Ok(Made { facts, thumbnails: Vec::new() });
    };

    let mut resizer = Resizer::new();
    let needed = upright.fit(widest).turned(orientation);
    let profile = picture.profile.take();
    let decoded = picture.decode(needed, limits)?;
    let raster = if decoded.raster.size == needed {
        decoded.raster
    } else {
        decoded.raster.resized(decoded.visible, needed, &mut resizer)?
    };
    let mut raster = to_srgb(raster, profile.as_deref()).upright(orientation).without_idle_alpha();

    let mut thumbnails: Vec<Thumbnail> = Vec::with_capacity(widths.len());
    let mut total = 0;
    for asked_width in widths {
        let size = upright.fit(asked_width);
        if raster.size != size {
            raster = raster.smaller(size, &mut resizer)?;
        }
        let output = OutputFormat::of(format, asked_width, !raster.channels.has_alpha());
        let bytes = match thumbnails.last() {
            // A small original is the same for several widths.
            Some(last) if (last.width, last.height, last.format) == (size.width, size.height, output) => {
                last.bytes.clone()
            }
            _ => encode(&raster, output)?,
        };
        total += bytes.len();
        if total > MAX_OUTPUT_BYTES {
            let (value, max) = (total as u64, MAX_OUTPUT_BYTES as u64);
            return Err(Error::TooLarge { limit: Limit::OutputBytes, value, max });
        }
        let (width, height) = (size.width, size.height);
        thumbnails.push(Thumbnail { asked_width, width, height, format: output, bytes });
    }
    thumbnails.reverse();
    Ok(Made { facts, thumbnails })
}

/// Checks that the file may be read and tells its format. Returns it set to its start.
fn sniff(mut file: File, limits: &Limits) -> Result<(File, SourceFormat), Error> {
    let io = |error| Error::io(&error);
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(io(std::io::Error::other("not a regular file")));
    }
    if metadata.len() == 0 {
        return Err(Error::not_a_picture("it is empty"));
    }
    limits.check_input(metadata.len())?;
    file.rewind().map_err(io)?;
    let mut start = Vec::new();
    file.by_ref().take(SNIFFED_BYTES).read_to_end(&mut start).map_err(io)?;
    file.rewind().map_err(io)?;
    let format = SourceFormat::sniff(&start).ok_or_else(|| {
        Error::not_a_picture("it does not start like JPEG, PNG, GIF, WebP, BMP, TIFF or ICO")
    })?;
    Ok((file, format))
}
