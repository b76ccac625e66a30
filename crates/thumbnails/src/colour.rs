//! Converts pixels to sRGB, which is what a picture without a profile means everywhere.
//!
//! This runs on the largest thumbnail, not on the original: a hundredth of the pixels, and no visible difference.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use crate::raster::{Channels, Raster};

/// Applies the embedded profile. A profile that is broken or belongs to another kind of pixel is ignored, as
/// browsers do.
pub(crate) fn to_srgb(raster: Raster, profile: Option<&[u8]>) -> Raster {
    let profile = profile.and_then(|bytes| ColorProfile::new_from_slice(bytes).ok());
    let converted = profile.and_then(|profile| convert(&raster, &profile));
    match converted {
        Some(converted) => converted,
        None if raster.channels == Channels::Cmyk => naive_rgb(&raster),
        None => raster,
    }
}

fn convert(raster: &Raster, profile: &ColorProfile) -> Option<Raster> {
    let gray = matches!(raster.channels, Channels::Gray | Channels::GrayAlpha);
    let (channels, layout, source) = match (raster.channels, profile.color_space) {
        (Channels::Cmyk, DataColorSpace::Cmyk) => (Channels::Rgb, Layout::Rgb, Layout::Rgba),
        (Channels::Rgb, DataColorSpace::Rgb) => (Channels::Rgb, Layout::Rgb, Layout::Rgb),
        (Channels::Rgba, DataColorSpace::Rgb) => (Channels::Rgba, Layout::Rgba, Layout::Rgba),
        (Channels::Gray, DataColorSpace::Gray) => (Channels::Rgb, Layout::Rgb, Layout::Gray),
        (Channels::GrayAlpha, DataColorSpace::Gray) => (Channels::Rgba, Layout::Rgba, Layout::GrayAlpha),
        _ => return None,
    };
    let srgb = ColorProfile::new_srgb();
    let options =
        TransformOptions { rendering_intent: profile.rendering_intent, ..TransformOptions::default() };
    let transform = profile.create_transform_8bit(source, &srgb, layout, options).ok()?;
    let mut samples = vec![0; raster.samples.len() / raster.channels.count() * channels.count()];
    // Row by row: some transforms keep temporary copies as large as what they are given.
    let width = raster.size.width as usize;
    let rows = raster.samples.chunks_exact(width * raster.channels.count());
    for (from, to) in rows.zip(samples.chunks_exact_mut(width * channels.count())) {
        transform.transform(from, to).ok()?;
    }
    let converted = Raster { size: raster.size, channels, samples };
    Some(if gray { converted.into_gray() } else { converted })
}

/// The conversion that browsers use where no profile says better: each ink takes away its share.
fn naive_rgb(raster: &Raster) -> Raster {
    let samples = raster
        .samples
        .chunks_exact(4)
        .flat_map(|ink| {
            let light = 255 - u32::from(ink[3]);
            [ink[0], ink[1], ink[2]].map(|ink| {
                let product = (255 - u32::from(ink)) * light;
                u8::try_from((product + 127) / 255).unwrap_or(u8::MAX)
            })
        })
        .collect();
    Raster { size: raster.size, channels: Channels::Rgb, samples }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    fn one_pixel(channels: Channels, samples: &[u8]) -> Raster {
        Raster::new(Size { width: 1, height: 1 }, channels, samples.to_vec()).unwrap()
    }

    #[test]
    fn inks_without_a_profile() {
        let rgb = |ink: [u8; 4]| to_srgb(one_pixel(Channels::Cmyk, &ink), None).samples;
        assert_eq!(rgb([0, 0, 0, 0]), [255, 255, 255]);
        assert_eq!(rgb([0, 255, 255, 0]), [255, 0, 0]);
        assert_eq!(rgb([0, 0, 0, 255]), [0, 0, 0]);
    }

    #[test]
    fn a_wide_profile_makes_colours_stronger() {
        let profile = ColorProfile::new_display_p3().encode().unwrap();
        let converted = to_srgb(one_pixel(Channels::Rgb, &[200, 100, 100]), Some(&profile));
        assert!(converted.samples[0] > 205 && converted.samples[1] < 98, "{:?}", converted.samples);
        let with_alpha = to_srgb(one_pixel(Channels::Rgba, &[200, 100, 100, 77]), Some(&profile));
        assert_eq!(with_alpha.samples[..3], converted.samples);
        assert_eq!(with_alpha.samples[3], 77);
    }

    #[test]
    fn gray_stays_gray() {
        let profile = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        let converted = to_srgb(one_pixel(Channels::Gray, &[55]), Some(&profile));
        assert_eq!(converted.channels, Channels::Gray);
        assert!(converted.samples[0] > 120, "{:?}", converted.samples);
        let with_alpha = to_srgb(one_pixel(Channels::GrayAlpha, &[55, 9]), Some(&profile));
        assert_eq!(with_alpha.samples, [converted.samples[0], 9]);
    }

    #[test]
    fn profiles_that_make_no_sense_are_ignored() {
        let picture = one_pixel(Channels::Rgb, &[1, 2, 3]);
        assert_eq!(to_srgb(picture.clone(), Some(b"not a profile")), picture);
        let gray = ColorProfile::new_gray_with_gamma(2.2).encode().unwrap();
        assert_eq!(to_srgb(picture.clone(), Some(&gray)), picture);
        let colour = ColorProfile::new_display_p3().encode().unwrap();
        let picture = one_pixel(Channels::Gray, &[99]);
        assert_eq!(to_srgb(picture.clone(), Some(&colour)), picture);
    }
}
