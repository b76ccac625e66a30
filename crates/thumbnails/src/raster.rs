//! Pixels in memory: resize, turn, drop what is not needed.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{InnerPixel, U8, U8x2, U8x3, U8x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};

use crate::error::Error;
use crate::geometry::Size;

/// What the 8-bit samples of a pixel mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channels {
    Gray,
    GrayAlpha,
    Rgb,
    Rgba,
    /// Amounts of ink, 0 is none.
    Cmyk,
}

impl Channels {
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }

    pub(crate) fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }
}

/// A picture of 8-bit samples, rows from the top, without padding. Alpha is not multiplied in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raster {
    pub(crate) size: Size,
    pub(crate) channels: Channels,
    pub(crate) samples: Vec<u8>,
}

impl Raster {
    /// # Errors
    /// If there are not exactly as many samples as the size says, which a decoder may get wrong.
    pub(crate) fn new(size: Size, channels: Channels, samples: Vec<u8>) -> Result<Self, Error> {
        if samples.len() as u64 != size.pixels() * channels.count() as u64 {
            return Err(Error::damaged("the decoder gave another number of pixels than the header says"));
        }
        Ok(Self { size, channels, samples })
    }

    /// Resizes the part of `self` that starts at the upper left corner and measures `visible` (in pixels, with
    /// fractions: a reduced decode rounds the last column and row up) to exactly `target`.
    pub(crate) fn resized(
        &self,
        visible: (f64, f64),
        target: Size,
        resizer: &mut Resizer,
    ) -> Result<Self, Error> {
        // Named types: the resizer's choice by value would compile all of its sixteen kinds of pixel into this
        // crate, of which these are used.
        let resize = match self.channels {
            Channels::Gray => resize_typed::<U8>,
            Channels::GrayAlpha => resize_typed::<U8x2>,
            Channels::Rgb => resize_typed::<U8x3>,
            Channels::Rgba | Channels::Cmyk => resize_typed::<U8x4>,
        };
        let (width, height) = (f64::from(self.size.width), f64::from(self.size.height));
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
            .crop(0.0, 0.0, visible.0.min(width), visible.1.min(height))
            .use_alpha(self.channels.has_alpha());
        let mut samples = vec![0; target.pixels() as usize * self.channels.count()];
        resize(resizer, (self.size, &self.samples), (target, &mut samples), &options)
            .map_err(|error| Error::damaged(format!("resizing failed: {error}")))?;
        Ok(Self { size: target, channels: self.channels, samples })
    }

    /// A smaller copy of the whole.
    pub(crate) fn smaller(&self, target: Size, resizer: &mut Resizer) -> Result<Self, Error> {
        self.resized((self.size.width.into(), self.size.height.into()), target, resizer)
    }

    /// Turns and mirrors as EXIF says. Colours must have been converted: CMYK is left as it is.
    pub(crate) fn upright(self, orientation: Orientation) -> Self {
        let Self { size, channels, samples } = self;
        if orientation == Orientation::NoTransforms || channels == Channels::Cmyk {
            return Self { size, channels, samples };
        }
        let Size { width, height } = size;
        let invariant = "a raster has as many samples as its size says";
        let mut picture = match channels {
            Channels::Gray => {
                DynamicImage::from(GrayImage::from_raw(width, height, samples).expect(invariant))
            }
            Channels::GrayAlpha => GrayAlphaImage::from_raw(width, height, samples).expect(invariant).into(),
            Channels::Rgb => RgbImage::from_raw(width, height, samples).expect(invariant).into(),
            Channels::Rgba | Channels::Cmyk => {
                RgbaImage::from_raw(width, height, samples).expect(invariant).into()
            }
        };
        picture.apply_orientation(orientation);
        Self { size: size.turned(orientation), channels, samples: picture.into_bytes() }
    }

    /// Drops an alpha channel that hides nothing.
    pub(crate) fn without_idle_alpha(self) -> Self {
        let count = self.channels.count();
        let channels = match self.channels {
            Channels::GrayAlpha => Channels::Gray,
            Channels::Rgba => Channels::Rgb,
            _ => return self,
        };
        if self.samples.chunks_exact(count).any(|pixel| pixel[count - 1] != u8::MAX) {
            return self;
        }
        let samples =
            self.samples.chunks_exact(count).flat_map(|pixel| pixel[..count - 1].iter().copied()).collect();
        Self { size: self.size, channels, samples }
    }

    /// The same picture with three or, with alpha, four samples a pixel; CMYK is left as it is.
    pub(crate) fn into_colour(self) -> Self {
        let (channels, samples) = match self.channels {
            Channels::Gray => (Channels::Rgb, self.samples.iter().flat_map(|&gray| [gray; 3]).collect()),
            Channels::GrayAlpha => {
                let colour = |pixel: &[u8]| [pixel[0], pixel[0], pixel[0], pixel[1]];
                (Channels::Rgba, self.samples.chunks_exact(2).flat_map(colour).collect())
            }
            _ => return self,
        };
        Self { size: self.size, channels, samples }
    }

    /// The red channel of a picture whose colours are all gray, with its alpha.
    pub(crate) fn into_gray(self) -> Self {
        let (channels, samples) = match self.channels {
            Channels::Rgb => (Channels::Gray, self.samples.chunks_exact(3).map(|pixel| pixel[0]).collect()),
            Channels::Rgba => {
                let gray = |pixel: &[u8]| [pixel[0], pixel[3]];
                (Channels::GrayAlpha, self.samples.chunks_exact(4).flat_map(gray).collect())
            }
            _ => return self,
        };
        Self { size: self.size, channels, samples }
    }
}

fn resize_typed<P: PixelTrait + InnerPixel>(
    resizer: &mut Resizer,
    source: (Size, &[u8]),
    target: (Size, &mut [u8]),
    options: &ResizeOptions,
) -> Result<(), Box<dyn std::error::Error>> {
    let source = TypedImageRef::<P>::from_buffer(source.0.width, source.0.height, source.1)?;
    let mut target = TypedImage::<P>::from_buffer(target.0.width, target.0.height, target.1)?;
    Ok(resizer.resize_typed(&source, &mut target, options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raster(width: u32, height: u32, channels: Channels, samples: Vec<u8>) -> Raster {
        Raster::new(Size { width, height }, channels, samples).unwrap()
    }

    #[test]
    fn a_wrong_number_of_samples_is_an_error() {
        let size = Size { width: 2, height: 2 };
        assert!(Raster::new(size, Channels::Rgb, vec![0; 11]).is_err());
    }

    #[test]
    fn turning_swaps_the_sides() {
        let turned = raster(2, 1, Channels::Gray, vec![1, 2]).upright(Orientation::Rotate90);
        assert_eq!(turned, raster(1, 2, Channels::Gray, vec![1, 2]));
        let mirrored =
            raster(2, 1, Channels::GrayAlpha, vec![1, 2, 3, 4]).upright(Orientation::FlipHorizontal);
        assert_eq!(mirrored, raster(2, 1, Channels::GrayAlpha, vec![3, 4, 1, 2]));
    }

    #[test]
    fn alpha_stays_only_where_it_hides_something() {
        let opaque = raster(2, 1, Channels::Rgba, vec![1, 2, 3, 255, 4, 5, 6, 255]).without_idle_alpha();
        assert_eq!(opaque, raster(2, 1, Channels::Rgb, vec![1, 2, 3, 4, 5, 6]));
        let see_through = raster(1, 1, Channels::GrayAlpha, vec![1, 254]);
        assert_eq!(see_through.clone().without_idle_alpha(), see_through);
    }

    #[test]
    fn hidden_colours_do_not_bleed() {
        let samples = [[255, 0, 0, 0], [0, 0, 255, 255]].repeat(8).concat();
        let picture = raster(4, 4, Channels::Rgba, samples);
        let small = picture.smaller(Size { width: 2, height: 2 }, &mut Resizer::new()).unwrap();
        for pixel in small.samples.chunks_exact(4) {
            assert!(pixel[0] < 10 && pixel[2] > 245, "{pixel:?}");
        }
    }

    #[test]
    fn an_even_area_stays_even_under_a_fractional_crop() {
        let picture = raster(5, 5, Channels::Rgb, [10, 20, 30].repeat(25));
        let small = picture.resized((4.2, 4.7), Size { width: 3, height: 2 }, &mut Resizer::new()).unwrap();
        assert_eq!(small, raster(3, 2, Channels::Rgb, [10, 20, 30].repeat(6)));
    }
}
