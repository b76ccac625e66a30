//! The `Content-Type` of the classic API: by the name of a file, not by what is in it.

/// Where the type follows from the name.
pub(super) enum ByName {
    /// The extension has a type.
    Known(String),
    /// No extension, or one that nobody knows: the content decides between text and bytes.
    Unknown,
}

/// Type of what nobody knows and is no text.
pub(super) const BYTES: &str = "application/octet-stream";
/// Type of what nobody knows and is text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// The type of a file of this name, in any case of the extension. Text types say that they are UTF-8.
pub(super) fn by_name(name: &str) -> ByName {
    let Some((_, extension)) = name.rsplit_once('.') else {
        return ByName::Unknown;
    };
    match mime_guess::from_ext(extension).first_raw() {
        Some(kind) if kind.starts_with("text/") => ByName::Known(format!("{kind}; charset=utf-8")),
        Some(kind) => ByName::Known(kind.to_owned()),
        None => ByName::Unknown,
    }
}

/// How much of a content is looked at to tell text from bytes.
pub(super) const SAMPLE_BYTES: u64 = 64 * 1024;

/// The type of a content that starts with `sample`; `whole` says that nothing follows. A character that the end of the sample cuts is no fault.
pub(super) fn by_content(sample: &[u8], whole: bool) -> &'static str {
    match std::str::from_utf8(sample) {
        Ok(_) => TEXT,
        Err(error) if error.error_len().is_none() && !whole => TEXT,
        Err(_) => BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_decides_in_any_case() {
        for (name, kind) in [
            ("a.txt", "text/plain; charset=utf-8"),
            ("A.TXT", "text/plain; charset=utf-8"),
            ("page.html", "text/html; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.csv", "text/csv; charset=utf-8"),
            ("image.png", "image/png"),
            ("photo.JPG", "image/jpeg"),
            ("photo.jpeg", "image/jpeg"),
            ("a.gif", "image/gif"),
            ("a.svg", "image/svg+xml"),
            ("a.json", "application/json"),
            ("a.pdf", "application/pdf"),
            ("a.tar.gz", "application/gzip"),
            ("日本.webp", "image/webp"),
        ] {
            match by_name(name) {
                ByName::Known(known) => assert_eq!(known, kind, "{name}"),
                ByName::Unknown => panic!("{name} has a type"),
            }
        }
        for name in ["README", "a.", "a.nosuchextension", "a.b c", ""] {
            assert!(matches!(by_name(name), ByName::Unknown), "{name}");
        }
    }

    #[test]
    fn without_an_extension_the_content_decides() {
        assert_eq!(by_content(b"Hello Webstack!\n", true), TEXT);
        assert_eq!(by_content(b"", true), TEXT);
        assert_eq!(by_content("日本".as_bytes(), true), TEXT);
        assert_eq!(by_content(&"日本".as_bytes()[..5], false), TEXT);
        assert_eq!(by_content(&"日本".as_bytes()[..5], true), BYTES);
        assert_eq!(by_content(b"\x89PNG\r\n\x1a\n", false), BYTES);
    }
}
