//! From a file to pixels, in two steps: the header, which decides whether and how far to go, then the pixels.

mod general;
mod jpeg;
mod jpeg_header;
mod png;

use std::fs::File;
use std::io::BufReader;

use crate::error::Error;
use crate::facts::Exif;
use crate::format::SourceFormat;
use crate::geometry::{Size, shrink_factor};
use crate::limits::Limits;
use crate::raster::{Channels, Raster};
use crate::shrink::Shrinker;

/// A picture whose header has been read and found within the limits.
pub(crate) struct Picture {
    /// Size as stored, before it is turned upright.
    pub(crate) size: Size,
    pub(crate) animated: bool,
    pub(crate) exif: Exif,
    /// ICC profile.
    pub(crate) profile: Option<Vec<u8>>,
    pixels: Pixels,
}

/// Where the pixels come from.
enum Pixels {
    Jpeg(Box<jpeg::Source>),
    Png(Box<png::Source>),
    General(general::Source),
}

/// Pixels as stored, reduced as far as the thumbnails allow.
pub(crate) struct Decoded {
    pub(crate) raster: Raster,
    /// How much of the raster is picture: a reduced decode rounds the last column and row up.
    pub(crate) visible: (f64, f64),
}

impl Picture {
    /// Reads the header. Nothing is allocated for the pixels.
    pub(crate) fn open(file: File, format: SourceFormat, limits: &Limits) -> Result<Self, Error> {
        let file = BufReader::with_capacity(64 << 10, file);
        match format {
            SourceFormat::Jpeg => jpeg::open(file, limits),
            SourceFormat::Png => png::open(file, limits),
            other => general::open(file, other, limits),
        }
    }

    /// Decodes to a raster that has at least the size `needed` (as stored, not upright).
    pub(crate) fn decode(self, needed: Size, limits: &Limits) -> Result<Decoded, Error> {
        match self.pixels {
            Pixels::Jpeg(source) => source.decode(needed, limits),
            Pixels::Png(source) => source.decode(needed, limits),
            Pixels::General(source) => source.decode(needed, limits),
        }
    }
}

/// Reduces samples that stand in memory whole, where that saves work later.
fn reduced(size: Size, channels: Channels, samples: Vec<u8>, needed: Size) -> Result<Decoded, Error> {
    let factor = shrink_factor(size, needed);
    let whole = Raster::new(size, channels, samples)?;
    if factor == 1 {
        return Ok(Decoded { raster: whole, visible: visible(size, 1) });
    }
    let mut shrinker = Shrinker::new(size, channels, factor);
    for row in whole.samples.chunks_exact(size.width as usize * channels.count()) {
        shrinker.push(row)?;
    }
    Ok(Decoded { raster: shrinker.finish()?, visible: visible(size, factor) })
}

/// The part of a picture reduced by `factor` that is not rounded up.
fn visible(full: Size, factor: u32) -> (f64, f64) {
    (f64::from(full.width) / f64::from(factor), f64::from(full.height) / f64::from(factor))
}
