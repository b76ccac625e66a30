//! The type of a content, found by looking at its first bytes. What a client says of it is never asked.
//!
//! The name only refines what the bytes allow: text of a known kind, an office document inside a zip. So nothing that looks like markup
//! gets a harmless type, and nothing else gets a dangerous one.

mod iso_media;
mod markup;
mod ogg;
mod text;

use common::files::NodeName;

/// How much of a content is looked at.
pub(crate) const HEAD_BYTES: usize = 8 * 1024;

/// Type of what nobody knows.
const UNKNOWN: &str = "application/octet-stream";

/// The type of a content that starts with `head` (up to [`HEAD_BYTES`] of it); `whole` says that nothing follows.
pub(crate) fn detect(head: &[u8], whole: bool, name: &NodeName) -> &'static str {
    let extension = Extension::of(name);
    let extension = extension.as_str();
    if head.is_empty() {
        return empty(extension);
    }
    if let Some(found) = by_signature(head, extension) {
        return found;
    }
    if let Some(text) = text::decode(head, whole) {
        return match markup::detect(&text) {
            // it often starts with a tag, and no browser takes it for markup
            Some(_) if matches!(extension, "md" | "markdown") => "text/markdown",
            Some(found) => found,
            None => text::refine(extension),
        };
    }
    infer::get(head).map_or(UNKNOWN, |found| found.mime_type())
}

/// The charset of a text that starts with `head`, as far as it shows.
pub(crate) fn charset(head: &[u8], whole: bool) -> Option<&'static str> {
    text::charset(head, whole)
}

/// The extension of a name in lower case. Longer ones than any that is known count as none.
struct Extension {
    bytes: [u8; 16],
    len: usize,
}

impl Extension {
    fn of(name: &NodeName) -> Self {
        let extension = name.split_extension().1.strip_prefix('.').unwrap_or_default();
        let mut own = Self { bytes: [0; 16], len: 0 };
        if extension.is_ascii() && extension.len() <= own.bytes.len() {
            own.len = extension.len();
            own.bytes[..own.len].copy_from_slice(extension.as_bytes());
            own.bytes.make_ascii_lowercase();
        }
        own
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

/// Nothing to look at: the name alone speaks.
fn empty(extension: &str) -> &'static str {
    match extension {
        "" => UNKNOWN,
        "html" | "htm" => "text/html",
        _ => mime_guess::from_ext(extension).first_raw().unwrap_or_else(|| text::refine(extension)),
    }
}

/// What is told by fixed bytes and matters too much, or is told too vaguely, to leave to `infer`.
fn by_signature(head: &[u8], extension: &str) -> Option<&'static str> {
    let starts = |signature: &[u8]| head.starts_with(signature);
    let at =
        |offset: usize, signature: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(signature));
    if at(4, b"ftyp") {
        return Some(iso_media::detect(head, extension));
    }
    if starts(b"OggS") {
        return Some(ogg::detect(head));
    }
    if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") || starts(b"PK\x07\x08") {
        return Some(in_zip(head, extension));
    }
    if starts(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
        return Some(in_compound_file(extension));
    }
    if starts(b"\x1A\x45\xDF\xA3") {
        return Some(matroska(head, extension));
    }
    // packets of 188 bytes that each begin with the same one; three in a row are no chance
    if head.len() > 376 && [0, 188, 376].iter().all(|offset| head[*offset] == 0x47) {
        return Some("video/mp2t");
    }
    if starts(b"fLaC") {
        return Some("audio/flac");
    }
    if starts(b"RIFF") && at(8, b"WAVE") {
        return Some("audio/wav");
    }
    if starts(b"ID3") {
        return Some("audio/mpeg");
    }
    // eleven set bits, then a layer (mp3) or none (AAC)
    if let [0xFF, second, third, ..] = *head
        && second & 0xE0 == 0xE0
        && third != 0xFF
        && second != 0xFF
    {
        return match second & 0b0110 {
            0 if second & 0xF0 == 0xF0 => Some("audio/aac"),
            0b0010 | 0b0100 if second & 0b0001_1000 != 0b0000_1000 => Some("audio/mpeg"),
            _ => None,
        };
    }
    if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") {
        return Some(tiff(extension));
    }
    if starts(b"BM")
        && head.len() >= 18
        && matches!(head[14..18], [12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])
    {
        return Some("image/bmp");
    }
    if starts(b"\0\0\x01\0") && head.get(4..6).is_some_and(|count| count != [0, 0]) {
        return Some("image/x-icon");
    }
    if starts(b"%PDF-") {
        return Some("application/pdf");
    }
    if starts(b"{\\rtf") {
        return Some("application/rtf");
    }
    None
}

/// Raw pictures of cameras are TIFF files by their first bytes.
fn tiff(extension: &str) -> &'static str {
    match extension {
        "dng" => "image/x-adobe-dng",
        "nef" => "image/x-nikon-nef",
        "cr2" => "image/x-canon-cr2",
        "arw" => "image/x-sony-arw",
        _ => "image/tiff",
    }
}

/// Documents that are zip archives. Those that name their type in the first entry (EPUB and OpenDocument) are believed whatever they are called.
fn in_zip(head: &[u8], extension: &str) -> &'static str {
    if let Some(found) = named_in_zip(head) {
        return found;
    }
    match extension {
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "dotx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.template",
        "xltx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.template",
        "docm" => "application/vnd.ms-word.document.macroenabled.12",
        "xlsm" => "application/vnd.ms-excel.sheet.macroenabled.12",
        "pptm" => "application/vnd.ms-powerpoint.presentation.macroenabled.12",
        "odt" => "application/vnd.oasis.opendocument.text",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "odp" => "application/vnd.oasis.opendocument.presentation",
        "odg" => "application/vnd.oasis.opendocument.graphics",
        "epub" => "application/epub+zip",
        "jar" => "application/java-archive",
        "apk" => "application/vnd.android.package-archive",
        _ => "application/zip",
    }
}

fn named_in_zip(head: &[u8]) -> Option<&'static str> {
    // a local header (APPNOTE 4.3.7) of an entry `mimetype` that is stored, so that its content follows as it is
    let name_len = usize::from(u16::from_le_bytes([*head.get(26)?, *head.get(27)?]));
    let extra_len = usize::from(u16::from_le_bytes([*head.get(28)?, *head.get(29)?]));
    let stored = head.get(8..10)? == [0, 0];
    let name = head.get(30..30 + name_len)?;
    if name != b"mimetype" || !stored {
        return None;
    }
    let content = head.get(30 + name_len + extra_len..)?;
    const NAMED: [&str; 7] = [
        "application/epub+zip",
        // the template types go before those that they begin with
        "application/vnd.oasis.opendocument.text-template",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.presentation",
        "application/vnd.oasis.opendocument.graphics",
        "application/vnd.oasis.opendocument.formula",
    ];
    NAMED.into_iter().find(|kind| content.starts_with(kind.as_bytes()))
}

/// The old office documents.
fn in_compound_file(extension: &str) -> &'static str {
    match extension {
        "doc" | "dot" => "application/msword",
        "xls" | "xlt" => "application/vnd.ms-excel",
        "ppt" | "pps" => "application/vnd.ms-powerpoint",
        "msg" => "application/vnd.ms-outlook",
        "msi" => "application/x-msi",
        "vsd" => "application/vnd.visio",
        "pub" => "application/vnd.ms-publisher",
        _ => "application/x-ole-storage",
    }
}

/// WebM says so in its header; anything else of this kind is Matroska.
fn matroska(head: &[u8], extension: &str) -> &'static str {
    let start = &head[..head.len().min(128)];
    let is_webm = start.windows(4).any(|window| window == b"webm");
    match (is_webm, extension) {
        (true, "weba") => "audio/webm",
        (true, _) => "video/webm",
        (false, "mka") => "audio/x-matroska",
        (false, _) => "video/x-matroska",
    }
}

#[cfg(test)]
mod tests;
