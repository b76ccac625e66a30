//! `Range: bytes=…` (RFC 9110, 14).

use std::fmt::Write as _;

/// More ranges than this are ignored and the whole content is sent (RFC 9110, 14.2, lets a server guard itself against many small ones).
pub const MAX_RANGES: usize = 50;

/// A part of a content, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// How many.
    pub len: u64,
}

impl ByteRange {
    fn end(self) -> u64 {
        self.start + self.len
    }

    /// The value of `Content-Range` for this part of `size` bytes.
    pub fn content_range(self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.start, self.end() - 1)
    }
}

/// What a `Range` field asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeSet {
    /// All of it, with 200: there is no such field, or it is one that a server ignores.
    Whole,
    /// One part, with 206.
    One(ByteRange),
    /// Several parts that neither overlap nor touch, in the order asked for, with 206 and `multipart/byteranges`.
    Many(Vec<ByteRange>),
    /// Nothing of it exists: 416 with `Content-Range: bytes */<size>`.
    Unsatisfiable,
}

/// Reads a `Range` field for a content of `size` bytes.
///
/// Other units, malformed fields and more than [`MAX_RANGES`] ranges are ignored. Parts that reach beyond the end are cut, parts beyond it
/// left out, and parts that overlap or touch merged. Of an empty content a suffix is the whole and anything else unsatisfiable.
pub fn parse(field: Option<&str>, size: u64) -> RangeSet {
    let Some(specs) = field.and_then(specs) else {
        return RangeSet::Whole;
    };
    if specs.len() > MAX_RANGES {
        return RangeSet::Whole;
    }
    if size == 0 {
        let suffix = specs.iter().any(|spec| matches!(spec, Spec::Suffix(len) if *len > 0));
        return if suffix { RangeSet::Whole } else { RangeSet::Unsatisfiable };
    }
    let mut parts: Vec<ByteRange> = Vec::new();
    for part in specs.into_iter().filter_map(|spec| spec.within(size)) {
        merge_into(&mut parts, part);
    }
    match parts.as_slice() {
        [] => RangeSet::Unsatisfiable,
        [one] => RangeSet::One(*one),
        _ => RangeSet::Many(parts),
    }
}

/// The value of `Content-Range` in a 416.
pub fn unsatisfied(size: u64) -> String {
    format!("bytes */{size}")
}

#[derive(Debug, Clone, Copy)]
enum Spec {
    From(u64),
    FromTo(u64, u64),
    Suffix(u64),
}

impl Spec {
    fn within(self, size: u64) -> Option<ByteRange> {
        let (start, end) = match self {
            Self::From(first) => (first, size),
            Self::FromTo(first, last) => (first, last.saturating_add(1).min(size)),
            Self::Suffix(len) => (size - len.min(size), size),
        };
        (start < end).then(|| ByteRange { start, len: end - start })
    }
}

fn specs(field: &str) -> Option<Vec<Spec>> {
    let (unit, list) = field.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut specs = Vec::new();
    for item in list.split(',').map(|item| item.trim_matches([' ', '\t'])).filter(|item| !item.is_empty()) {
        let (first, last) = item.split_once('-')?;
        specs.push(match (first, last) {
            ("", last) => Spec::Suffix(number(last)?),
            (first, "") => Spec::From(number(first)?),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first {
                    return None;
                }
                Spec::FromTo(first, last)
            }
        });
    }
    if specs.is_empty() { None } else { Some(specs) }
}

/// A number of any length; one that does not fit is as good as the largest.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

/// Adds a part; merged with those that it overlaps or touches, at the place of the first of them.
fn merge_into(parts: &mut Vec<ByteRange>, mut part: ByteRange) {
    let mut place = parts.len();
    let mut at = 0;
    while let Some(other) = parts.get(at).copied() {
        if other.start <= part.end() && part.start <= other.end() {
            let end = part.end().max(other.end());
            part.start = part.start.min(other.start);
            part.len = end - part.start;
            parts.remove(at);
            place = place.min(at);
            // what was passed before may touch the grown part
            at = 0;
        } else {
            at += 1;
        }
    }
    parts.insert(place.min(parts.len()), part);
}

/// Frames the parts of a `multipart/byteranges` answer (RFC 9110, 14.6).
#[derive(Debug, Clone)]
pub struct Multipart {
    boundary: String,
    content_type: String,
    size: u64,
}

impl Multipart {
    /// Frames for parts of a content of `size` bytes and this type. The boundary is random, so that no content can hold it by design.
    pub fn new(content_type: &str, size: u64) -> Self {
        Self {
            boundary: format!("{:032x}", rand::random::<u128>()),
            content_type: content_type.to_owned(),
            size,
        }
    }

    /// The value of `Content-Type` for the answer.
    pub fn media_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// What stands before the bytes of a part.
    pub fn head(&self, part: ByteRange) -> String {
        let mut head = String::with_capacity(160);
        let Self { boundary, content_type, size } = self;
        let range = part.content_range(*size);
        write!(head, "\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {range}\r\n\r\n")
            .expect("a String takes everything");
        head
    }

    /// What stands after the last part.
    pub fn tail(&self) -> String {
        format!("\r\n--{}--\r\n", self.boundary)
    }

    /// The value of `Content-Length` for the answer.
    pub fn length(&self, parts: &[ByteRange]) -> u64 {
        let framed: u64 = parts.iter().map(|part| self.head(*part).len() as u64 + part.len).sum();
        framed + self.tail().len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(start: u64, len: u64) -> RangeSet {
        RangeSet::One(ByteRange { start, len })
    }

    #[test]
    fn c034_c038_parts_end_with_the_content() {
        assert_eq!(parse(Some("bytes=0-9"), 5), one(0, 5));
        assert_eq!(parse(Some("bytes=5-"), 5), RangeSet::Unsatisfiable);
        assert_eq!(parse(Some("bytes=-4"), 10), one(6, 4));
        assert_eq!(parse(Some("bytes=0-1"), 10), one(0, 2));
        assert_eq!(parse(Some(" Bytes = 3-3"), 10), one(3, 1));
        assert_eq!(ByteRange { start: 6, len: 4 }.content_range(10), "bytes 6-9/10");
        assert_eq!(unsatisfied(5), "bytes */5");
    }

    #[test]
    fn c035_numbers_do_not_overflow() {
        assert_eq!(parse(Some("bytes=-2000"), 1000), one(0, 1000));
        assert_eq!(parse(Some("bytes=-18446744073709551616"), 1000), one(0, 1000));
        assert_eq!(parse(Some("bytes=0-18446744073709551615"), 1000), one(0, 1000));
        assert_eq!(parse(Some("bytes=18446744073709551615-"), 1000), RangeSet::Unsatisfiable);
        assert_eq!(parse(Some("bytes=0-99999999999999999999999"), u64::MAX), one(0, u64::MAX));
    }

    #[test]
    fn c037_an_empty_content_has_an_empty_suffix_only() {
        assert_eq!(parse(Some("bytes=-1"), 0), RangeSet::Whole);
        for field in ["bytes=0-", "bytes=0-0", "bytes=-0"] {
            assert_eq!(parse(Some(field), 0), RangeSet::Unsatisfiable, "{field}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_ignored() {
        for field in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=2-1",
            "bytes=a-b",
            "bytes=1-2-3",
            "items=0-1",
            "bytes=+1-2",
            "bytes=1 - 2",
        ] {
            assert_eq!(parse(Some(field), 10), RangeSet::Whole, "{field}");
        }
        assert_eq!(parse(None, 10), RangeSet::Whole);
        let many: Vec<_> = (0..51).map(|n| format!("{}-{}", n * 3, n * 3)).collect();
        assert_eq!(parse(Some(&format!("bytes={}", many.join(","))), 1000), RangeSet::Whole);
    }

    #[test]
    fn several_parts_keep_their_order_and_are_merged() {
        let part = |start, len| ByteRange { start, len };
        assert_eq!(parse(Some("bytes=8-9, 0-1"), 10), RangeSet::Many(vec![part(8, 2), part(0, 2)]));
        assert_eq!(parse(Some("bytes=0-1,,20-30,4-5"), 10), RangeSet::Many(vec![part(0, 2), part(4, 2)]));
        assert_eq!(parse(Some("bytes=0-3,2-5,6-7"), 10), one(0, 8));
        assert_eq!(parse(Some("bytes=0-1,4-5,8-9,1-5"), 10), RangeSet::Many(vec![part(0, 6), part(8, 2)]));
    }

    #[test]
    fn the_frames_have_the_length_they_say() {
        let frames = Multipart::new("text/plain", 100);
        let parts = [ByteRange { start: 0, len: 5 }, ByteRange { start: 50, len: 7 }];
        let mut body = String::new();
        for part in parts {
            body += &frames.head(part);
            body += &"x".repeat(usize::try_from(part.len).unwrap());
        }
        body += &frames.tail();
        assert_eq!(body.len() as u64, frames.length(&parts));
        assert!(body.contains("Content-Range: bytes 50-56/100\r\n\r\nxxxxxxx\r\n--"));
        assert!(frames.media_type().starts_with("multipart/byteranges; boundary="));
    }

    proptest! {
        #[test]
        fn no_field_upsets_it(field in "(bytes=)?[-0-9, a]{0,40}", size in any::<u64>()) {
            match parse(Some(&field), size) {
                RangeSet::One(part) => prop_assert!(part.len > 0 && part.start.checked_add(part.len).unwrap() <= size),
                RangeSet::Many(parts) => {
                    prop_assert!(parts.len() > 1 && parts.len() <= MAX_RANGES);
                    for part in parts {
                        prop_assert!(part.len > 0 && part.start.checked_add(part.len).unwrap() <= size);
                    }
                }
                RangeSet::Whole | RangeSet::Unsatisfiable => {}
            }
        }

        /// The bytes that come are those that a set of single positions would say, each once.
        #[test]
        fn the_parts_cover_what_was_asked_for(
            specs in proptest::collection::vec((0u8..3, 0u64..30, 0u64..30), 1..8),
            size in 1u64..25,
        ) {
            let mut wanted = std::collections::BTreeSet::new();
            let mut field = String::from("bytes=");
            for (kind, a, b) in &specs {
                let (a, b) = (*a.min(b), *a.max(b));
                let (text, positions): (String, Box<dyn Iterator<Item = u64>>) = match kind {
                    0 => (format!("{a}-{b}"), Box::new(a..=b)),
                    1 => (format!("{a}-"), Box::new(a..size.max(a))),
                    _ => (format!("-{a}"), Box::new(size.saturating_sub(a)..size)),
                };
                field += &format!("{text},");
                wanted.extend(positions.filter(|at| *at < size));
            }
            let parts = match parse(Some(&field), size) {
                RangeSet::One(part) => vec![part],
                RangeSet::Many(parts) => parts,
                RangeSet::Unsatisfiable => vec![],
                RangeSet::Whole => panic!("{field}"),
            };
            let got: Vec<u64> = parts.iter().flat_map(|part| part.start..part.end()).collect();
            let distinct: std::collections::BTreeSet<_> = got.iter().copied().collect();
            prop_assert_eq!(got.len(), distinct.len());
            prop_assert_eq!(distinct, wanted);
        }
    }
}
