//! What is text, in which encoding, and of which kind.

use std::borrow::Cow;

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";
const UTF16_LE_MARK: &[u8] = b"\xFF\xFE";
const UTF16_BE_MARK: &[u8] = b"\xFE\xFF";

/// The text that `head` is the start of; none if it is no text. Where the encoding does not show (the old ones of eight bits), each byte
/// stands for one character, which is right for what markup is made of.
pub(super) fn decode(head: &[u8], whole: bool) -> Option<Cow<'_, str>> {
    for (mark, unit) in [
        (UTF16_LE_MARK, u16::from_le_bytes as fn([u8; 2]) -> u16),
        (UTF16_BE_MARK, u16::from_be_bytes as fn([u8; 2]) -> u16),
    ] {
        if let Some(rest) = head.strip_prefix(mark) {
            let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
            let text: String =
                char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            return (!text.contains('\0')).then_some(Cow::Owned(text));
        }
    }
    if head.iter().any(|byte| is_binary(*byte)) {
        return None;
    }
    match valid_utf8(head, whole) {
        Some(text) => Some(Cow::Borrowed(text)),
        None => Some(Cow::Owned(head.iter().map(|byte| char::from(*byte)).collect())),
    }
}

/// Bytes that no text has ("binary data byte", WHATWG MIME Sniffing, 3).
fn is_binary(byte: u8) -> bool {
    matches!(byte, 0x00..=0x08 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F)
}

/// The text, if it is UTF-8. A character that the end of the head cuts is no fault.
fn valid_utf8(head: &[u8], whole: bool) -> Option<&str> {
    match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() && !whole => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// The charset of a text, for `Content-Type`; none where only a guess could be made.
pub(super) fn charset(head: &[u8], whole: bool) -> Option<&'static str> {
    if head.starts_with(UTF16_LE_MARK) {
        Some("utf-16le")
    } else if head.starts_with(UTF16_BE_MARK) {
        Some("utf-16be")
    } else if head.starts_with(UTF8_MARK) || valid_utf8(head, whole).is_some() {
        Some("utf-8")
    } else {
        None
    }
}

/// The kind of a text that does not start like markup, by the extension of its name. None of them is active in a browser unless somebody calls a
/// text with no tag at its start a page.
pub(super) fn refine(extension: &str) -> &'static str {
    match extension {
        "csv" => "text/csv",
        "tsv" => "text/tab-separated-values",
        "md" | "markdown" => "text/markdown",
        "json" | "map" => "application/json",
        "geojson" => "application/geo+json",
        "ndjson" | "jsonl" => "application/x-ndjson",
        "css" => "text/css",
        "js" | "mjs" | "cjs" => "text/javascript",
        "ts" | "mts" | "cts" | "tsx" => "text/x-typescript",
        "html" | "htm" => "text/html",
        "yaml" | "yml" => "application/yaml",
        "toml" => "application/toml",
        "sh" | "bash" | "zsh" => "text/x-shellscript",
        "py" => "text/x-python",
        "rs" => "text/x-rust",
        "c" | "h" => "text/x-c",
        "cpp" | "cc" | "hpp" | "cxx" => "text/x-c++",
        "java" => "text/x-java",
        "go" => "text/x-go",
        "sql" => "application/sql",
        "ics" => "text/calendar",
        "vcf" => "text/vcard",
        "vtt" => "text/vtt",
        "srt" => "application/x-subrip",
        "eml" => "message/rfc822",
        "tex" => "text/x-tex",
        "diff" | "patch" => "text/x-diff",
        "pem" | "crt" => "application/x-pem-file",
        _ => "text/plain",
    }
}
