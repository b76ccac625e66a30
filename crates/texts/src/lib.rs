//! Reads the text that contents have, and decodes it. It is given strangers' bytes: whatever they are, it neither fails otherwise than by [`Error`] nor takes more
//! than a few times the room of what it is given, and it is given at most [`MAX_INPUT_BYTES`].
//!
//! Each kind of content has an [`Extractor`]; [`EXTRACTORS`] is the table of them. Another kind, such as PDF, is one more row.

mod encoding;
mod html;
mod preview;

pub use encoding::{Encoding, detect};
pub use preview::{Piece, decode_piece, is_plain};

/// How much of a content is read for its text.
pub const MAX_INPUT_BYTES: u64 = 4 * 1024 * 1024;

/// How much text is kept of a content.
pub const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// Why a content has no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody knows how to read this type.
    #[error("no text can be read from this type of content")]
    Unknown,
    /// It is not what its type says.
    #[error("the content is not what its type says")]
    Damaged,
}

/// Reads the text of one kind of content.
pub trait Extractor: Send + Sync {
    /// Whether it reads contents of this type, such as `text/html`.
    fn reads(&self, mime: &str) -> bool;

    /// The text of a content that starts with `head`; `whole` says that nothing follows. It may be longer than what is kept.
    ///
    /// # Errors
    /// `Damaged`.
    fn text(&self, head: &[u8], whole: bool) -> Result<String, Error>;
}

/// Text as it is written: plain text, source code, Markdown, tables.
struct Plain;

/// Markup, of which the text between the tags is taken.
struct Markup;

impl Extractor for Plain {
    fn reads(&self, mime: &str) -> bool {
        preview::is_plain(mime) && !Markup.reads(mime)
    }

    fn text(&self, head: &[u8], whole: bool) -> Result<String, Error> {
        Ok(encoding::decode(head, whole))
    }
}

impl Extractor for Markup {
    fn reads(&self, mime: &str) -> bool {
        matches!(mime, "text/html" | "text/xml" | "application/xhtml+xml" | "image/svg+xml")
    }

    fn text(&self, head: &[u8], whole: bool) -> Result<String, Error> {
        Ok(html::text(&encoding::decode(head, whole)))
    }
}

/// The first that reads a type does.
pub const EXTRACTORS: &[&dyn Extractor] = &[&Markup, &Plain];

fn extractor(mime: &str) -> Option<&'static dyn Extractor> {
    EXTRACTORS.iter().copied().find(|extractor| extractor.reads(mime))
}

/// Whether contents of this type have text.
pub fn supports(mime: &str) -> bool {
    extractor(mime).is_some()
}

/// The text of a content of this type that starts with `head`, without NULs and cut after [`MAX_TEXT_BYTES`]. Takes some milliseconds for each MiB.
///
/// # Errors
/// As [`Error`] says.
pub fn read_text(mime: &str, head: &[u8], whole: bool) -> Result<String, Error> {
    let limit = usize::try_from(MAX_INPUT_BYTES).unwrap_or(usize::MAX);
    let (head, whole) = if head.len() > limit { (&head[..limit], false) } else { (head, whole) };
    let mut text = extractor(mime).ok_or(Error::Unknown)?.text(head, whole)?;
    if text.contains('\0') {
        text = text.replace('\0', " ");
    }
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_has_text_is_read_by_the_extractor_of_its_type() {
        let page = b"<p>Gr&uuml;&szlig;e</p><script>var secret</script>";
        assert_eq!(read_text("text/html", page, true).unwrap().trim(), "Grüße");
        assert!(read_text("text/markdown", page, true).unwrap().contains("secret"));
        assert_eq!(
            read_text("text/plain", b"na\xEFve caf\xE9 \xE0 la carte", true).unwrap(),
            "naïve café à la carte"
        );
        for mime in ["text/x-rust", "application/json", "application/yaml", "message/rfc822", "image/svg+xml"]
        {
            assert!(supports(mime), "{mime}");
        }
        for mime in ["image/png", "application/pdf", "application/zip", "application/octet-stream", ""] {
            assert_eq!(read_text(mime, b"x", true), Err(Error::Unknown), "{mime}");
        }
    }

    #[test]
    fn only_so_much_is_kept() {
        let text = read_text("text/plain", "ü".repeat(MAX_TEXT_BYTES).as_bytes(), true).unwrap();
        assert_eq!(text.len(), MAX_TEXT_BYTES);
        assert_eq!(read_text("text/plain", b"\xFF\xFEa\0\0\0b\0", true).unwrap(), "a b");
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(content: Vec<u8>, whole: bool, markup: bool) {
            let text = read_text(if markup { "text/html" } else { "text/plain" }, &content, whole).unwrap();
            prop_assert!(text.len() <= 3 * content.len() + 3);
        }

        #[test]
        fn nor_does_broken_markup(content in "[<>!/a-z&#;x0-9\"'=\\- \\[\\]]{0,200}") {
            let text = read_text("text/html", content.as_bytes(), true).unwrap();
            prop_assert!(text.len() <= 3 * content.len() + 3);
        }
    }
}
