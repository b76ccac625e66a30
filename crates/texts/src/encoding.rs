//! Which encoding a text has: a byte order mark says it, else UTF-8 shows, else it is guessed by the letters.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
pub use encoding_rs::Encoding;
use encoding_rs::UTF_8;

/// How much of a text is looked at for a guess: enough for letters of several lines.
const GUESS_BYTES: usize = 64 * 1024;

/// The encoding of a text that starts with `head`, and the length of its byte order mark; `whole` says that nothing follows.
pub fn detect(head: &[u8], whole: bool) -> (&'static Encoding, usize) {
    if let Some((marked, length)) = Encoding::for_bom(head) {
        return (marked, length);
    }
    if is_utf8(head, whole) {
        return (UTF_8, 0);
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let looked_at = &head[..head.len().min(GUESS_BYTES)];
    detector.feed(looked_at, whole && looked_at.len() == head.len());
    (detector.guess(None, Utf8Detection::Deny), 0)
}

/// A character that the end of the head cuts is no fault; escapes are, by which ISO-2022-JP changes between sets of characters.
fn is_utf8(head: &[u8], whole: bool) -> bool {
    let is_valid = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && !whole,
    };
    is_valid && !head.windows(3).any(|bytes| matches!(bytes, b"\x1B$B" | b"\x1B$@" | b"\x1B(J"))
}

/// The text that `head` is the start of. What cannot be decoded becomes U+FFFD.
pub(crate) fn decode(head: &[u8], whole: bool) -> String {
    let (encoding, mark) = detect(head, whole);
    encoding.decode_without_bom_handling(&head[mark..]).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{
        EUC_KR, GBK, ISO_2022_JP, KOI8_U, SHIFT_JIS, UTF_16BE, UTF_16LE, WINDOWS_1251, WINDOWS_1252,
    };

    #[test]
    fn encodings_are_told_apart() {
        let russian = "Съешь ещё этих мягких французских булок, да выпей чаю. Это проверка кодировки текста.";
        let japanese = "これは日本語の文章です。漢字とかなとカタカナがまざっています。";
        let chinese = "这是一个中文文本,用来检查编码的识别。我们希望它能够被正确地识别出来。";
        let german = "Die Größe der Straße ärgert übermäßig viele Bürger in Österreich.";
        let korean = "이것은 한국어 문장입니다. 문자 인코딩을 올바르게 인식해야 합니다.";
        for (encoding, text) in [
            (WINDOWS_1251, russian),
            (KOI8_U, russian),
            (SHIFT_JIS, japanese),
            (ISO_2022_JP, japanese),
            (GBK, chinese),
            (EUC_KR, korean),
            (WINDOWS_1252, german),
            (UTF_8, german),
        ] {
            let (bytes, _, failed) = encoding.encode(text);
            assert!(!failed);
            assert_eq!(detect(&bytes, true), (encoding, 0), "{text}");
            assert_eq!(decode(&bytes, true), text);
        }
        assert_eq!(detect(b"\xFF\xFEa\0", true), (UTF_16LE, 2));
        assert_eq!(detect(b"\xFE\xFF\0a", true), (UTF_16BE, 2));
        assert_eq!(decode(b"\xEF\xBB\xBFa", true), "a");
        assert_eq!(detect(&"é".as_bytes()[..1], false).0, UTF_8);
        assert_eq!(decode(b"", true), "");
    }
}
