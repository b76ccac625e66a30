//! JPEG: decoded at a reduced scale, which costs a fraction of the memory; what that decoder cannot do or finds
//! damaged is tried once more by another one, at full size.

use std::fs::File;
use std::io::{BufReader, Seek};

use image::ImageDecoder;
use image::codecs::jpeg::JpegDecoder;
use jpeg_decoder::{Decoder, PixelFormat};

use super::jpeg_header::JpegHeader;
use super::{Decoded, Picture, Pixels, reduced};
use crate::error::Error;
use crate::facts::Exif;
use crate::geometry::{Size, jpeg_eighths, scaled_by_eighths};
use crate::limits::Limits;
use crate::raster::{Channels, Raster};

pub(super) struct Source {
    file: BufReader<File>,
    header: JpegHeader,
}

pub(super) fn open(mut file: BufReader<File>, limits: &Limits) -> Result<Picture, Error> {
    let mut header = JpegHeader::read(&mut file)?;
    limits.check_size(header.size)?;
    Ok(Picture {
        size: header.size,
        animated: false,
        exif: header.exif.take().map(Exif::parse).unwrap_or_default(),
        profile: header.profile.take(),
        pixels: Pixels::Jpeg(Box::new(Source { file, header })),
    })
}

impl Source {
    pub(super) fn decode(mut self, needed: Size, limits: &Limits) -> Result<Decoded, Error> {
        let eighths = if self.header.lossless { 8 } else { jpeg_eighths(self.header.size, needed) };
        limits.check_memory(self.header.memory(eighths))?;
        self.rewind()?;
        match self.scaled(eighths) {
            Ok(decoded) => Ok(decoded),
            Err(first) => {
                self.rewind()?;
                self.whole(needed, limits).map_err(|second| worse(first, second))
            }
        }
    }

    fn rewind(&mut self) -> Result<(), Error> {
        self.file.rewind().map_err(|error| Error::io(&error))
    }

    fn scaled(&mut self, eighths: u32) -> Result<Decoded, Error> {
        let full = self.header.size;
        let scaled = scaled_by_eighths(full, eighths);
        let mut decoder = Decoder::new(&mut self.file);
        let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
        decoder.scale(side(scaled.width), side(scaled.height)).map_err(from_decoder)?;
        let mut samples = decoder.decode().map_err(from_decoder)?;
        let info = decoder.info().ok_or_else(|| Error::damaged("there is no frame header"))?;
        let channels = match info.pixel_format {
            PixelFormat::L8 => Channels::Gray,
            PixelFormat::RGB24 => Channels::Rgb,
            PixelFormat::CMYK32 => {
                // Adobe's programs store light instead of ink, and mark the file. The decoder turns every file
                // round; without the mark, as in libvips, the stored values are the ink.
                if !self.header.adobe {
                    samples.iter_mut().for_each(|sample| *sample = !*sample);
                }
                Channels::Cmyk
            }
            PixelFormat::L16 => return Err(Error::unsupported("16-bit gray JPEG")),
        };
        let size = Size { width: info.width.into(), height: info.height.into() };
        // A size that differs from the first header would be a second frame.
        if size != scaled {
            return Err(Error::damaged("the frame has another size than its header says"));
        }
        let part = f64::from(eighths) / 8.0;
        let visible = (f64::from(full.width) * part, f64::from(full.height) * part);
        Ok(Decoded { raster: Raster::new(size, channels, samples)?, visible })
    }

    /// The second decoder: reads the file into memory, wants the whole picture, forgives an early end (the rest
    /// of the picture is gray then).
    fn whole(&mut self, needed: Size, limits: &Limits) -> Result<Decoded, Error> {
        let input = self.file.get_ref().metadata().map_err(|error| Error::io(&error))?.len();
        limits.check_memory(self.header.memory(8).saturating_add(input))?;
        let mut decoder = JpegDecoder::new(&mut self.file)?;
        decoder.set_limits(limits.for_image())?;
        let (width, height) = decoder.dimensions();
        let size = Size { width, height };
        if size != self.header.size {
            return Err(Error::damaged("the frame has another size than its header says"));
        }
        let channels = match decoder.color_type() {
            image::ColorType::L8 => Channels::Gray,
            image::ColorType::Rgb8 => Channels::Rgb,
            other => return Err(Error::unsupported(format!("JPEG with pixels of type {other:?}"))),
        };
        let mut samples = vec![0; size.pixels() as usize * channels.count()];
        decoder.read_image(&mut samples)?;
        reduced(size, channels, samples, needed)
    }
}

fn from_decoder(error: jpeg_decoder::Error) -> Error {
    match error {
        jpeg_decoder::Error::Io(error) => Error::reading(&error),
        jpeg_decoder::Error::Unsupported(feature) => Error::unsupported(format!("JPEG with {feature:?}")),
        jpeg_decoder::Error::Format(_) | jpeg_decoder::Error::Internal(_) => Error::damaged(error),
    }
}

/// Which of two decoders' errors to report: that a feature is missing says more than what the other one made of
/// the bytes, and trouble with the system counts in any case.
fn worse(first: Error, second: Error) -> Error {
    match (&first, &second) {
        (_, Error::Io { .. }) => second,
        (Error::Io { .. } | Error::Unsupported { .. }, _) => first,
        _ => second,
    }
}
