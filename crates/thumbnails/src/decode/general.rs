//! GIF, WebP, BMP, TIFF and ICO, decoded whole by `image`.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek};

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::ico::IcoDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder};

use super::{Decoded, Picture, Pixels, reduced};
use crate::container::{self, Extras, MAX_PROFILE};
use crate::error::Error;
use crate::facts::{Exif, MAX_EXIF};
use crate::format::SourceFormat;
use crate::geometry::Size;
use crate::limits::Limits;
use crate::raster::Channels;

pub(super) struct Source {
    decoder: Box<dyn ImageDecoder>,
    /// How often the pixels stand in memory while the decoder works.
    copies: u64,
}

pub(super) fn open(
    mut file: BufReader<File>,
    format: SourceFormat,
    limits: &Limits,
) -> Result<Picture, Error> {
    let extras = match format {
        SourceFormat::Webp => container::webp(&mut file),
        SourceFormat::Gif => container::gif(&mut file),
        SourceFormat::Bmp => container::bmp(&mut file),
        _ => Extras::default(),
    };
    if let Some(announced) = extras.announced {
        limits.check_size(announced)?;
    }
    file.rewind().map_err(|error| Error::io(&error))?;
    let mut exif = extras.exif.map(Exif::parse).unwrap_or_default();
    if format == SourceFormat::Tiff {
        // it is EXIF itself; what stands far behind in a large one is not looked for
        let mut block = Vec::new();
        file.by_ref().take(MAX_EXIF as u64).read_to_end(&mut block).map_err(|error| Error::io(&error))?;
        exif = Exif::parse(block);
        file.rewind().map_err(|error| Error::io(&error))?;
    }
    let (mut decoder, copies): (Box<dyn ImageDecoder>, _) = match format {
        // The frame beside the canvas.
        SourceFormat::Gif => (Box::new(GifDecoder::new(file)?), 2),
        // Planes or a lossless copy beside the pixels, for an animation the canvas too.
        SourceFormat::Webp => (Box::new(WebPDecoder::new(file)?), 3),
        // The library's buffer beside ours.
        SourceFormat::Tiff => (Box::new(TiffDecoder::new(file)?), 2),
        SourceFormat::Ico => (Box::new(IcoDecoder::new(file)?), 1),
        SourceFormat::Bmp => (Box::new(BmpDecoder::new(file)?), 1),
        SourceFormat::Jpeg | SourceFormat::Png => return Err(Error::unsupported("another decoder's format")),
    };
    let (width, height) = decoder.dimensions();
    let size = Size { width, height };
    limits.check_size(size)?;
    decoder.set_limits(limits.for_image())?;
    let mut profile = extras.profile;
    if format == SourceFormat::Tiff {
        exif.orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        profile = decoder.icc_profile().ok().flatten().filter(|profile| profile.len() <= MAX_PROFILE);
    }
    Ok(Picture {
        size,
        animated: extras.animated,
        exif,
        profile,
        pixels: Pixels::General(Source { decoder, copies }),
    })
}

impl Source {
    pub(super) fn decode(self, needed: Size, limits: &Limits) -> Result<Decoded, Error> {
        let (width, height) = self.decoder.dimensions();
        let size = Size { width, height };
        let colour = self.decoder.color_type();
        let (channels, sample) = match colour {
            ColorType::L8 => (Channels::Gray, Sample::Byte),
            ColorType::La8 => (Channels::GrayAlpha, Sample::Byte),
            ColorType::Rgb8 => (Channels::Rgb, Sample::Byte),
            ColorType::Rgba8 => (Channels::Rgba, Sample::Byte),
            ColorType::L16 => (Channels::Gray, Sample::Word),
            ColorType::La16 => (Channels::GrayAlpha, Sample::Word),
            ColorType::Rgb16 => (Channels::Rgb, Sample::Word),
            ColorType::Rgba16 => (Channels::Rgba, Sample::Word),
            ColorType::Rgb32F => (Channels::Rgb, Sample::Float),
            ColorType::Rgba32F => (Channels::Rgba, Sample::Float),
            other => return Err(Error::unsupported(format!("pixels of type {other:?}"))),
        };
        let bytes = self.decoder.total_bytes();
        limits.check_memory(bytes.saturating_mul(self.copies))?;
        let mut raw = vec![0; bytes as usize];
        self.decoder.read_image_boxed(&mut raw)?;
        reduced(size, channels, sample.to_bytes(raw), needed)
    }
}

/// How a decoder writes one sample, in the machine's byte order.
enum Sample {
    Byte,
    Word,
    Float,
}

impl Sample {
    /// One byte a sample. Works within the buffer, which may be hundreds of megabytes.
    fn to_bytes(&self, mut raw: Vec<u8>) -> Vec<u8> {
        let width = match self {
            Self::Byte => return raw,
            Self::Word => 2,
            Self::Float => 4,
        };
        let count = raw.len() / width;
        for index in 0..count {
            let at = index * width;
            raw[index] = if width == 2 {
                let value = u32::from(u16::from_ne_bytes([raw[at], raw[at + 1]]));
                // 65,535 is 255 times 257.
                ((value + 128) / 257) as u8
            } else {
                let value = f32::from_ne_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
                // The conversion of a float saturates, and gives 0 for what is no number.
                (value * 255.0 + 0.5) as u8
            };
        }
        raw.truncate(count);
        raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_samples_become_bytes() {
        let words: Vec<u8> =
            [0_u16, 128, 129, 0x8080, u16::MAX].iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(Sample::Word.to_bytes(words), [0, 0, 1, 128, 255]);
        let floats: Vec<u8> =
            [-1.0_f32, 0.0, 0.5, 1.0, 9.0, f32::NAN].iter().flat_map(|float| float.to_ne_bytes()).collect();
        assert_eq!(Sample::Float.to_bytes(floats), [0, 0, 128, 255, 255, 0]);
        assert_eq!(Sample::Byte.to_bytes(vec![1, 2]), [1, 2]);
    }
}
