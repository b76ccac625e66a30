//! From pixels to the bytes of a thumbnail. Nothing of the original but its pixels gets in: no EXIF, no profile,
//! no text.

use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::error::Error;
use crate::format::OutputFormat;
use crate::raster::{Channels, Raster};

/// Above 80 a photo grows quickly and does not look better at these sizes.
const JPEG_QUALITY: u8 = 80;

/// Effort of the GIF palette, 1 (best) to 30. 10 is the library's own compromise.
const GIF_SPEED: i32 = 10;

/// From this alpha on a pixel of a GIF, which knows only on and off, is shown.
const GIF_VISIBLE: u8 = 128;

pub(crate) fn encode(raster: &Raster, format: OutputFormat) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    match format {
        OutputFormat::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
            write(encoder, raster)?;
        }
        OutputFormat::Png => {
            let compression = CompressionType::Default;
            write(PngEncoder::new_with_quality(&mut bytes, compression, FilterType::Adaptive), raster)?;
        }
        OutputFormat::Webp => write(WebPEncoder::new_lossless(&mut bytes), raster)?,
        OutputFormat::Gif => {
            let mut raster = raster.clone().into_colour();
            if raster.channels == Channels::Rgba {
                for pixel in raster.samples.chunks_exact_mut(4) {
                    match pixel[3] {
                        GIF_VISIBLE.. => pixel[3] = u8::MAX,
                        // One colour for all that is hidden leaves the palette to the rest.
                        _ => pixel.fill(0),
                    }
                }
            }
            let colour = colour_type(raster.channels)?;
            let mut encoder = GifEncoder::new_with_speed(&mut bytes, GIF_SPEED);
            encoder.encode(&raster.samples, raster.size.width, raster.size.height, colour)?;
        }
    }
    Ok(bytes)
}

fn write(encoder: impl ImageEncoder, raster: &Raster) -> Result<(), Error> {
    let colour = colour_type(raster.channels)?;
    Ok(encoder.write_image(&raster.samples, raster.size.width, raster.size.height, colour)?)
}

fn colour_type(channels: Channels) -> Result<ExtendedColorType, Error> {
    match channels {
        Channels::Gray => Ok(ExtendedColorType::L8),
        Channels::GrayAlpha => Ok(ExtendedColorType::La8),
        Channels::Rgb => Ok(ExtendedColorType::Rgb8),
        Channels::Rgba => Ok(ExtendedColorType::Rgba8),
        Channels::Cmyk => Err(Error::unsupported("inks that were not converted to light")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    #[test]
    fn every_format_writes_every_kind_of_pixel_it_is_given() {
        let size = Size { width: 3, height: 2 };
        for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba] {
            let raster = Raster::new(size, channels, vec![200; 6 * channels.count()]).unwrap();
            for format in [OutputFormat::Jpeg, OutputFormat::Png, OutputFormat::Gif, OutputFormat::Webp] {
                if format == OutputFormat::Jpeg && channels.has_alpha() {
                    continue;
                }
                let bytes = encode(&raster, format).unwrap();
                let decoded = image::load_from_memory(&bytes).unwrap();
                assert_eq!((decoded.width(), decoded.height()), (3, 2));
            }
        }
    }

    #[test]
    fn gif_keeps_transparency_on_or_off() {
        let size = Size { width: 2, height: 1 };
        let raster = Raster::new(size, Channels::Rgba, vec![9, 9, 9, 127, 200, 10, 10, 128]).unwrap();
        let decoded =
            image::load_from_memory(&encode(&raster, OutputFormat::Gif).unwrap()).unwrap().into_rgba8();
        assert_eq!(decoded.get_pixel(0, 0).0[3], 0);
        assert_eq!(decoded.get_pixel(1, 0).0, [200, 10, 10, 255]);
    }
}
