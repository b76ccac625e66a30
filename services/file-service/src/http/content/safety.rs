//! How a content is sent so that no script of it runs in the product's origin.

use actix_web::http::header::{self, HeaderName, HeaderValue};
use http_kit::disposition::Disposition;

/// What is sent with a content that a browser might run: it gets an origin of its own, and may load nothing.
const SANDBOX: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; form-action 'none'; frame-ancestors 'self'";

/// The policy for contents.
pub(in crate::http) fn sandbox() -> (HeaderName, HeaderValue) {
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX))
}

/// How a content of this type is sent.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct Sent {
    /// The value of `Content-Type`.
    pub(in crate::http) content_type: String,
    /// Shown or saved, where the client does not say.
    pub(in crate::http) disposition: Disposition,
}

impl Sent {
    /// For a sniffed type. Markup is saved, not shown; text says that it is UTF-8 unless it shows another charset, which then nobody guesses at.
    pub(in crate::http) fn of(mime: &str, charset: Option<&str>) -> Self {
        let disposition = if is_markup(mime) { Disposition::Attachment } else { Disposition::Inline };
        let content_type = match charset {
            Some(charset) if mime.starts_with("text/") => format!("{mime}; charset={charset}"),
            _ => mime.to_owned(),
        };
        Self { content_type, disposition }
    }
}

fn is_markup(mime: &str) -> bool {
    matches!(
        mime,
        "text/html"
            | "text/xml"
            | "application/xml"
            | "application/xhtml+xml"
            | "image/svg+xml"
            | "application/pdf+xml"
    ) || mime.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_saved_and_everything_else_shown() {
        for mime in ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/rss+xml"]
        {
            assert_eq!(Sent::of(mime, None).disposition, Disposition::Attachment, "{mime}");
        }
        for mime in ["text/plain", "image/png", "video/mp4", "application/pdf", "application/octet-stream"] {
            assert_eq!(Sent::of(mime, None).disposition, Disposition::Inline, "{mime}");
        }
        assert_eq!(Sent::of("text/plain", Some("utf-8")).content_type, "text/plain; charset=utf-8");
        assert_eq!(Sent::of("image/png", Some("utf-8")).content_type, "image/png");
    }
}
