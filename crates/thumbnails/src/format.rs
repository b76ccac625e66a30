//! The formats that come in and go out.

use serde::{Deserialize, Serialize};

/// A format that can be decoded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SourceFormat {
    /// JPEG: baseline and progressive, gray, colour, CMYK and YCCK.
    Jpeg,
    /// PNG, also the default picture of an APNG.
    Png,
    /// GIF, its first frame.
    Gif,
    /// WebP, its first frame.
    Webp,
    /// Windows bitmap.
    Bmp,
    /// TIFF, its first page.
    Tiff,
    /// Windows icon, its largest picture.
    Ico,
}

impl SourceFormat {
    /// The format by the first bytes of a file; names and declared types do not count.
    pub(crate) fn sniff(start: &[u8]) -> Option<Self> {
        use image::ImageFormat;
        match image::guess_format(start).ok()? {
            ImageFormat::Jpeg => Some(Self::Jpeg),
            ImageFormat::Png => Some(Self::Png),
            ImageFormat::Gif => Some(Self::Gif),
            ImageFormat::WebP => Some(Self::Webp),
            ImageFormat::Bmp => Some(Self::Bmp),
            ImageFormat::Tiff => Some(Self::Tiff),
            ImageFormat::Ico => Some(Self::Ico),
            _ => None,
        }
    }
}

/// The format of a thumbnail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OutputFormat {
    /// JPEG, without transparency.
    Jpeg,
    /// PNG.
    Png,
    /// GIF, one frame of at most 256 colours, transparency on or off.
    Gif,
    /// Lossless WebP.
    Webp,
}

impl OutputFormat {
    /// The media type to serve it with.
    #[must_use]
    pub fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
        }
    }

    /// What a thumbnail of `source` is written as: the format of the original where a browser shows it, else
    /// JPEG or, for transparency, PNG.
    ///
    /// WebP can only be written lossless here (there is no encoder of lossy WebP without C code). That is kept
    /// for the small widths, whose format must be the original's; above [`MAX_LOSSLESS_WEBP_WIDTH`] an opaque
    /// picture is written as JPEG, which is a tenth of the size.
    pub(crate) fn of(source: SourceFormat, asked_width: u32, opaque: bool) -> Self {
        match (source, opaque) {
            (SourceFormat::Webp, true) if asked_width > MAX_LOSSLESS_WEBP_WIDTH => Self::Jpeg,
            (SourceFormat::Webp, _) => Self::Webp,
            (SourceFormat::Png, _) => Self::Png,
            (SourceFormat::Gif, _) => Self::Gif,
            (SourceFormat::Jpeg, _) => Self::Jpeg,
            (SourceFormat::Bmp | SourceFormat::Tiff | SourceFormat::Ico, true) => Self::Jpeg,
            (SourceFormat::Bmp | SourceFormat::Tiff | SourceFormat::Ico, false) => Self::Png,
        }
    }
}

/// Widest opaque thumbnail that is written as lossless WebP.
const MAX_LOSSLESS_WEBP_WIDTH: u32 = 500;

/// Whether files of this type can have thumbnails. The type must be the one found in the content, not the one
/// a client declared. Parameters and letter case do not count.
///
/// HEIC, AVIF, SVG, PDF and video are not decoded here.
#[must_use]
pub fn supports(mime: &str) -> bool {
    let essence = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(
        essence.as_str(),
        "image/jpeg"
            | "image/jpg"
            | "image/pjpeg"
            | "image/png"
            | "image/apng"
            | "image/x-png"
            | "image/gif"
            | "image/webp"
            | "image/bmp"
            | "image/x-bmp"
            | "image/x-ms-bmp"
            | "image/tiff"
            | "image/vnd.microsoft.icon"
            | "image/x-icon"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_can_have_thumbnails() {
        for mime in ["image/jpeg", "IMAGE/PNG", "image/x-icon", "image/gif; foo=bar", "image/webp"] {
            assert!(supports(mime), "{mime}");
        }
        for mime in
            ["", "image/heic", "image/avif", "image/svg+xml", "application/pdf", "video/mp4", "text/html"]
        {
            assert!(!supports(mime), "{mime}");
        }
    }

    #[test]
    fn content_decides() {
        assert_eq!(SourceFormat::sniff(b"\x89PNG\r\n\x1a\n...."), Some(SourceFormat::Png));
        assert_eq!(SourceFormat::sniff(b"\xff\xd8\xff\xe0"), Some(SourceFormat::Jpeg));
        assert_eq!(SourceFormat::sniff(b"RIFF\x01\x02\x03\x04WEBP"), Some(SourceFormat::Webp));
        assert_eq!(SourceFormat::sniff(b"\x89PNG\n\x1a\n"), None);
        assert_eq!(SourceFormat::sniff(b"P6 1 1 255"), None);
        assert_eq!(SourceFormat::sniff(b"<svg"), None);
        assert_eq!(SourceFormat::sniff(b""), None);
    }
}
