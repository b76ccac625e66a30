//! How a content is sent so that no script of it runs in the product's origin.

use actix_web::http::header::{self, HeaderName, HeaderValue};
use http_kit::disposition::Disposition;

/// What is sent with a content that a browser might run: it gets an origin of its own, and may load nothing.
const SANDBOX: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; form-action 'none'; frame-ancestors 'self'";

/// What is sent with pictures, sound, films and PDF. No browser runs script of these in the origin that they come from, and with an origin of their own
/// the browser's players could not load them by cookie, nor its PDF viewer open them at all.
const PASSIVE: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; media-src 'self'; object-src 'self'; form-action 'none'; frame-ancestors 'self'";

/// The policy for a content that is sent with this type.
pub(in crate::http) fn policy(content_type: &str) -> (HeaderName, HeaderValue) {
    let policy = if is_passive(content_type) { PASSIVE } else { SANDBOX };
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy))
}

fn is_passive(content_type: &str) -> bool {
    let media = ["image/", "audio/", "video/"].iter().any(|kind| content_type.starts_with(kind));
    (media && !is_markup(content_type)) || content_type == "application/pdf"
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
    /// For a sniffed type. Markup is saved, not shown; script is sent as plain text, so that no page can be made to run it; text says its charset
    /// where that shows.
    pub(in crate::http) fn of(mime: &str, charset: Option<&str>) -> Self {
        let mime = if mime == "text/javascript" { "text/plain" } else { mime };
        let disposition = if is_markup(mime) { Disposition::Attachment } else { Disposition::Inline };
        let content_type = match charset {
            Some(charset) if mime.starts_with("text/") => format!("{mime}; charset={charset}"),
            _ => mime.to_owned(),
        };
        Self { content_type, disposition }
    }
}

fn is_markup(mime: &str) -> bool {
    matches!(mime, "text/html" | "text/xml" | "application/xml" | "application/xhtml+xml" | "image/svg+xml")
        || mime.ends_with("+xml")
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
        for (mime, sandboxed) in [
            ("text/html", true),
            ("image/svg+xml", true),
            ("text/plain; charset=utf-8", true),
            ("application/octet-stream", true),
            ("application/xml", true),
            ("image/png", false),
            ("video/mp4", false),
            ("application/pdf", false),
        ] {
            assert_eq!(policy(mime).1.to_str().unwrap().starts_with("sandbox;"), sandboxed, "{mime}");
        }
        assert_eq!(Sent::of("text/javascript", Some("utf-8")).content_type, "text/plain; charset=utf-8");
        assert_eq!(Sent::of("text/plain", Some("utf-8")).content_type, "text/plain; charset=utf-8");
        assert_eq!(Sent::of("image/png", Some("utf-8")).content_type, "image/png");
    }
}
