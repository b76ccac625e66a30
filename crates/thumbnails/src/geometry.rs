//! Sizes: what a thumbnail measures and how far a decoder may reduce.

use image::metadata::Orientation;

/// Tallest thumbnail, as a multiple of the width asked for.
///
/// Without a bound a picture of 1 x 30,000 pixels would be handed out whole as a "thumbnail of 100 pixels". A
/// ratio of 12 lets a long screenshot have its full width, and at 1,280 pixels the height stays below the
/// 16,383 that WebP can say.
pub(crate) const MAX_HEIGHT_RATIO: u32 = 12;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Size {
    pub(crate) fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// The size after turning by `orientation`; since turning back swaps the same sides, also the reverse.
    pub(crate) fn turned(self, orientation: Orientation) -> Self {
        match orientation {
            Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH => Self { width: self.height, height: self.width },
            _ => self,
        }
    }

    /// The size of the thumbnail that was asked for with `width`: that width, the height in proportion, neither
    /// below 1, never enlarged, and no taller than [`MAX_HEIGHT_RATIO`] times the width.
    pub(crate) fn fit(self, width: u32) -> Self {
        let width = width.max(1);
        let max_height = width.saturating_mul(MAX_HEIGHT_RATIO);
        if self.width <= width && self.height <= max_height {
            return self;
        }
        let by_width = Self { width, height: in_proportion(self.height, width, self.width) };
        if self.width > width && by_width.height <= max_height {
            return by_width;
        }
        Self { width: in_proportion(self.width, max_height, self.height), height: max_height }
    }
}

/// `side * numerator / denominator`, rounded, at least 1.
fn in_proportion(side: u32, numerator: u32, denominator: u32) -> u32 {
    let (side, numerator, denominator) = (u64::from(side), u64::from(numerator), u64::from(denominator));
    let scaled = (side * numerator + denominator / 2) / denominator;
    u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
}

/// The smallest of the scales 1/8, 2/8, 4/8 and 8/8 at which a JPEG can be decoded and still has both sides of
/// `needed`.
pub(crate) fn jpeg_eighths(full: Size, needed: Size) -> u32 {
    [1, 2, 4]
        .into_iter()
        .find(|&eighths| {
            let scaled = scaled_by_eighths(full, eighths);
            scaled.width >= needed.width && scaled.height >= needed.height
        })
        .unwrap_or(8)
}

/// What a JPEG measures when decoded at that scale: blocks that stand over the edge count whole.
pub(crate) fn scaled_by_eighths(full: Size, eighths: u32) -> Size {
    Size { width: (full.width * eighths).div_ceil(8), height: (full.height * eighths).div_ceil(8) }
}

/// How many pixels may be averaged to one in each direction before the precise resize: the result keeps twice
/// the size that is needed, so that the filter still decides how the thumbnail looks.
pub(crate) fn shrink_factor(full: Size, needed: Size) -> u32 {
    (full.width / (2 * needed.width)).min(full.height / (2 * needed.height)).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    #[test]
    fn known_sizes() {
        assert_eq!(size(4032, 3024).fit(500), size(500, 375));
        assert_eq!(size(60, 40).fit(500), size(60, 40));
        assert_eq!(size(1, 30_000).fit(100), size(1, 1200));
        assert_eq!(size(1, 30_000).fit(1280), size(1, 15_360));
        assert_eq!(size(10_799, 1).fit(100), size(100, 1));
        assert_eq!(size(1080, 10_000).fit(500), size(500, 4630));
        assert_eq!(size(3, 2).fit(0), size(1, 1));
    }

    #[test]
    fn both_axes_decide_the_jpeg_scale() {
        assert_eq!(jpeg_eighths(size(4032, 3024), size(500, 375)), 1);
        assert_eq!(jpeg_eighths(size(4032, 3024), size(1280, 960)), 4);
        assert_eq!(jpeg_eighths(size(4000, 100), size(500, 13)), 1);
        assert_eq!(jpeg_eighths(size(4000, 100), size(500, 14)), 2);
        assert_eq!(jpeg_eighths(size(600, 400), size(500, 333)), 8);
    }

    proptest! {
        #[test]
        fn fits_without_enlarging(width in 1_u32..70_000, height in 1_u32..70_000, asked in 1_u32..3000) {
            let full = size(width, height);
            let fitted = full.fit(asked);
            prop_assert!(fitted.width >= 1 && fitted.height >= 1);
            prop_assert!(fitted.width <= asked && fitted.width <= width && fitted.height <= height);
            prop_assert!(fitted.height <= asked * MAX_HEIGHT_RATIO);
            if width >= asked && u64::from(height) < u64::from(width) * u64::from(MAX_HEIGHT_RATIO) {
                prop_assert_eq!(fitted.width, asked);
            }
        }

        #[test]
        fn reduced_sources_are_large_enough(width in 1_u32..70_000, height in 1_u32..70_000, asked in 1_u32..3000) {
            let full = size(width, height);
            let needed = full.fit(asked);
            let scaled = scaled_by_eighths(full, jpeg_eighths(full, needed));
            prop_assert!(scaled.width >= needed.width && scaled.height >= needed.height);
            let factor = shrink_factor(full, needed);
            prop_assert!(full.width.div_ceil(factor) >= needed.width);
            prop_assert!(full.height.div_ceil(factor) >= needed.height);
        }

        #[test]
        fn turning_twice_gives_the_size_back(width in 1_u32..100, height in 1_u32..100, exif in 1_u8..9) {
            let orientation = Orientation::from_exif(exif).unwrap();
            let full = size(width, height);
            prop_assert_eq!(full.turned(orientation).turned(orientation), full);
        }
    }
}
