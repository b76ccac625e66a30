//! What a picture may cost.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Limit};
use crate::geometry::Size;

/// Bounds on one picture. The first four are checked before anything is allocated, from what the header says;
/// the last two are resource limits of the child process, which hold whatever a decoder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of the file. Default 1 GiB: an uncompressed TIFF of 256 megapixels fits.
    pub max_input_bytes: u64,
    /// Width times height. Default 2^28, 268 megapixels: above the 200-megapixel sensors of phones, below what
    /// a small file that unpacks to gigapixels announces.
    pub max_pixels: u64,
    /// Pixels along either side. Default 65,535, which is all that JPEG and GIF can say.
    pub max_side: u32,
    /// Bytes that the pixels and the decoder's own tables need by calculation. Default 512 MiB: enough for 128
    /// megapixels of RGBA where a format must be unpacked whole. JPEG is decoded at a reduced scale and PNG row
    /// by row, so that the largest of them need a few dozen MiB.
    pub max_memory_bytes: u64,
    /// Address space that the child may take beyond what the program has when it starts. Default 768 MiB: the
    /// memory above, the picture while it is being resized, thread stacks.
    pub child_memory_bytes: u64,
    /// Processor seconds of the child. Default 30: the slowest picture within the other limits takes about 10.
    pub cpu_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_input_bytes: 1 << 30,
            max_pixels: 1 << 28,
            max_side: 65_535,
            max_memory_bytes: 512 << 20,
            child_memory_bytes: 768 << 20,
            cpu_seconds: 30,
        }
    }
}

impl Limits {
    pub(crate) fn check_input(&self, bytes: u64) -> Result<(), Error> {
        at_most(Limit::InputBytes, bytes, self.max_input_bytes)
    }

    /// Checks what a header announces; nothing may be allocated for the pixels before.
    pub(crate) fn check_size(&self, size: Size) -> Result<(), Error> {
        if size.width == 0 || size.height == 0 {
            return Err(Error::damaged("the picture has no pixels"));
        }
        at_most(Limit::Pixels, size.pixels(), self.max_pixels)?;
        at_most(Limit::Side, size.width.max(size.height).into(), self.max_side.into())
    }

    pub(crate) fn check_memory(&self, bytes: u64) -> Result<(), Error> {
        at_most(Limit::Memory, bytes, self.max_memory_bytes)
    }

    /// The same bounds as the decoders of `image` take them.
    pub(crate) fn for_image(&self) -> image::Limits {
        let mut limits = image::Limits::no_limits();
        limits.max_image_width = Some(self.max_side);
        limits.max_image_height = Some(self.max_side);
        limits.max_alloc = Some(self.max_memory_bytes);
        limits
    }
}

fn at_most(limit: Limit, value: u64, max: u64) -> Result<(), Error> {
    if value > max { Err(Error::TooLarge { limit, value, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_photos_pass_and_bombs_do_not() {
        let limits = Limits::default();
        let check = |width, height| limits.check_size(Size { width, height }).map_err(|error| error.word());
        assert_eq!(check(12_000, 9_000), Ok(()));
        assert_eq!(check(16_320, 12_240), Ok(()));
        assert_eq!(check(1, 30_000), Ok(()));
        assert_eq!(check(50_000, 50_000), Err("too_large"));
        assert_eq!(check(1, 70_000), Err("too_large"));
        assert_eq!(check(u32::MAX, u32::MAX), Err("too_large"));
        assert_eq!(check(0, 10), Err("damaged"));
    }
}
