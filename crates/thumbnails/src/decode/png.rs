//! PNG: rows are averaged as they come out of the decompressor, so that even 100 megapixels need little memory.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Seek};

use ::png::{ColorType, Decoder, DecodingError, Reader, Transformations};

use super::{Decoded, Picture, Pixels, reduced, visible};
use crate::container;
use crate::error::{Error, Limit};
use crate::facts::Exif;
use crate::geometry::{Size, shrink_factor};
use crate::limits::Limits;
use crate::raster::Channels;
use crate::shrink::Shrinker;

/// What the decoder may allocate for all but the pixels: one row, the colour profile, small blocks.
const DECODER_BYTES: usize = 32 << 20;

pub(super) struct Source {
    reader: Reader<BufReader<File>>,
    size: Size,
}

pub(super) fn open(mut file: BufReader<File>, limits: &Limits) -> Result<Picture, Error> {
    let extras = container::png(&mut file);
    file.rewind().map_err(|error| Error::io(&error))?;
    let mut decoder = Decoder::new_with_limits(file, ::png::Limits { bytes: DECODER_BYTES });
    // Text may unpack to gigabytes, and nothing here reads it.
    decoder.set_ignore_text_chunk(true);
    // Eight bits a sample, palettes and transparent colours resolved.
    decoder.set_transformations(Transformations::normalize_to_color8());
    let header = decoder.read_header_info().map_err(from_decoder)?;
    let size = Size { width: header.width, height: header.height };
    limits.check_size(size)?;
    let reader = decoder.read_info().map_err(from_decoder)?;
    Ok(Picture {
        size,
        animated: extras.animated,
        exif: extras.exif.map(Exif::parse).unwrap_or_default(),
        profile: reader.info().icc_profile.as_ref().map(|profile| profile.to_vec()),
        pixels: Pixels::Png(Box::new(Source { reader, size })),
    })
}

impl Source {
    pub(super) fn decode(mut self, needed: Size, limits: &Limits) -> Result<Decoded, Error> {
        let channels = match self.reader.output_color_type().0 {
            ColorType::Grayscale => Channels::Gray,
            ColorType::GrayscaleAlpha => Channels::GrayAlpha,
            ColorType::Rgb => Channels::Rgb,
            ColorType::Rgba => Channels::Rgba,
            ColorType::Indexed => return Err(Error::damaged("the palette is missing")),
        };
        if self.reader.info().interlaced {
            self.interlaced(channels, needed, limits)
        } else {
            self.by_rows(channels, needed, limits)
        }
    }

    fn by_rows(&mut self, channels: Channels, needed: Size, limits: &Limits) -> Result<Decoded, Error> {
        let factor = shrink_factor(self.size, needed);
        let result = Shrinker::result_size(self.size, factor);
        limits.check_memory(result.pixels().saturating_mul(channels.count() as u64))?;
        let mut shrinker = Shrinker::new(self.size, channels, factor);
        for _ in 0..self.size.height {
            match self.reader.next_row().map_err(from_decoder)? {
                Some(row) => shrinker.push(row.data())?,
                None => return Err(Error::damaged("rows are missing")),
            }
        }
        // The checksum of the last block comes after the last row. A file that is cut right there is complete
        // enough.
        match self.reader.next_row() {
            Ok(None) => {}
            Ok(Some(_)) => return Err(Error::damaged("there are more rows than the header says")),
            Err(DecodingError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(from_decoder(error)),
        }
        Ok(Decoded { raster: shrinker.finish()?, visible: visible(self.size, factor) })
    }

    fn interlaced(&mut self, channels: Channels, needed: Size, limits: &Limits) -> Result<Decoded, Error> {
        let bytes = self.size.pixels() * channels.count() as u64;
        limits.check_memory(bytes)?;
        let mut samples = vec![0; bytes as usize];
        let frame = self.reader.next_frame(&mut samples).map_err(from_decoder)?;
        if (frame.width, frame.height) != (self.size.width, self.size.height) {
            return Err(Error::damaged("the first frame does not fill the picture"));
        }
        reduced(self.size, channels, samples, needed)
    }
}

fn from_decoder(error: DecodingError) -> Error {
    match error {
        DecodingError::IoError(error) => Error::reading(&error),
        DecodingError::LimitsExceeded => {
            let max = DECODER_BYTES as u64;
            Error::TooLarge { limit: Limit::Memory, value: max + 1, max }
        }
        DecodingError::Format(_) | DecodingError::Parameter(_) => Error::damaged(error),
    }
}
