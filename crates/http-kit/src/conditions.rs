//! Conditional requests (RFC 9110, 13): entity tags, dates, and what to do.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use common::Timestamp;

/// An entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag {
    weak: bool,
    tag: String,
}

/// A text that is no entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an entity tag")]
pub struct InvalidETag;

impl ETag {
    /// A strong tag with this text between the quotes.
    ///
    /// # Errors
    /// [`InvalidETag`] if the text holds quotes, white space, control or non-ASCII characters.
    pub fn strong(tag: impl Into<String>) -> Result<Self, InvalidETag> {
        let tag = tag.into();
        if tag.bytes().all(is_tag_byte) { Ok(Self { weak: false, tag }) } else { Err(InvalidETag) }
    }

    /// Equal and both strong.
    pub fn matches_strongly(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.tag == other.tag
    }

    /// Equal, strong or weak.
    pub fn matches_weakly(&self, other: &Self) -> bool {
        self.tag == other.tag
    }

    /// The value of an `ETag` field.
    pub fn to_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string()).expect("a tag is visible ASCII")
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}\"", if self.weak { "W/" } else { "" }, self.tag)
    }
}

impl FromStr for ETag {
    type Err = InvalidETag;

    fn from_str(text: &str) -> Result<Self, InvalidETag> {
        match split_tag(text.trim_matches([' ', '\t'])) {
            Some((tag, "")) => Ok(tag),
            _ => Err(InvalidETag),
        }
    }
}

/// The field's own grammar is wider (obs-text); what we make and compare is visible ASCII.
fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"'
}

fn split_tag(text: &str) -> Option<(ETag, &str)> {
    let (weak, text) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
    let (tag, rest) = text.strip_prefix('"')?.split_once('"')?;
    tag.bytes().all(is_tag_byte).then(|| (ETag { weak, tag: tag.to_owned() }, rest))
}

/// What an `If-Match` or `If-None-Match` names.
enum Named {
    Any,
    /// Those that could be read: one that cannot matches nothing.
    Tags(Vec<ETag>),
}

fn named(headers: &HeaderMap, name: HeaderName) -> Option<Named> {
    let mut fields = headers.get_all(name).peekable();
    fields.peek()?;
    let mut tags = Vec::new();
    for field in fields {
        let mut rest = field.to_str().unwrap_or_default().trim_matches([' ', '\t']);
        if rest == "*" {
            return Some(Named::Any);
        }
        while !rest.is_empty() {
            match split_tag(rest) {
                Some((tag, after)) => {
                    tags.push(tag);
                    rest = after;
                }
                None => rest = rest.split_once(',').map_or("", |(_, after)| after),
            }
            rest = rest.trim_start_matches([' ', '\t', ',']);
        }
    }
    Some(Named::Tags(tags))
}

/// What is there now.
#[derive(Debug, Clone, Copy)]
pub struct Current<'a> {
    /// Its tag.
    pub etag: &'a ETag,
    /// What dates are held against; none where there is no date, and conditions on dates are passed over.
    pub modified_at: Option<Modified>,
}

/// What is known of when it last changed. The dates themselves may be anybody's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modified {
    /// It is as it is since then and was never anything else, so that whoever has it has this; whole seconds count.
    Since(Timestamp),
    /// It was something else before, which may have had the same date, or a later one: no date says which of them somebody has.
    Replaced,
}

impl Modified {
    /// Whether it is certain that whoever has it from then has what is there now.
    fn is_since(self, date: i64) -> bool {
        match self {
            Self::Since(at) => at.seconds().max(0) <= date,
            Self::Replaced => false,
        }
    }
}

/// What to do with a conditional request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Proceed,
    /// 304 with the validators.
    NotModified,
    /// 412.
    PreconditionFailed,
}

/// Evaluates the preconditions of a request in the order of RFC 9110, 13.2.2. `current` is none where nothing exists yet.
pub fn evaluate(headers: &HeaderMap, method: &Method, current: Option<Current<'_>>) -> Verdict {
    let reads = method == Method::GET || method == Method::HEAD;
    if let Some(wanted) = named(headers, header::IF_MATCH) {
        let matched = match (wanted, current) {
            (_, None) => false,
            (Named::Any, Some(_)) => true,
            (Named::Tags(tags), Some(now)) => tags.iter().any(|tag| tag.matches_strongly(now.etag)),
        };
        if !matched {
            return Verdict::PreconditionFailed;
        }
    } else if let (Some(date), Some(modified)) =
        (date(headers, header::IF_UNMODIFIED_SINCE), modified(current))
        && !modified.is_since(date)
    {
        return Verdict::PreconditionFailed;
    }
    if let Some(unwanted) = named(headers, header::IF_NONE_MATCH) {
        let matched = match (unwanted, current) {
            (_, None) => false,
            (Named::Any, Some(_)) => true,
            (Named::Tags(tags), Some(now)) => tags.iter().any(|tag| tag.matches_weakly(now.etag)),
        };
        return match (matched, reads) {
            (false, _) => Verdict::Proceed,
            (true, true) => Verdict::NotModified,
            (true, false) => Verdict::PreconditionFailed,
        };
    }
    if reads
        && let (Some(date), Some(modified)) = (date(headers, header::IF_MODIFIED_SINCE), modified(current))
        && modified.is_since(date)
    {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether a `Range` field may be followed (RFC 9110, 13.1.5): there is no `If-Range`, or it names exactly what is there by a strong tag. A date does not: it
/// would have to be a strong validator (8.8.2.2), and dates that clients choose are none.
pub fn range_applies(headers: &HeaderMap, current: Current<'_>) -> bool {
    let mut fields = headers.get_all(header::IF_RANGE);
    let Some(field) = fields.next() else {
        return true;
    };
    let Ok(text) = field.to_str() else {
        return false;
    };
    if fields.next().is_some() {
        return false;
    }
    text.parse::<ETag>().is_ok_and(|tag| tag.matches_strongly(current.etag))
}

/// A time as the value of `Last-Modified`, cut to whole seconds. Times before 1970 are written as 1970.
pub fn http_date(at: Timestamp) -> HeaderValue {
    let seconds = u64::try_from(at.seconds()).unwrap_or(0);
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
    HeaderValue::from_str(&text).expect("a date is visible ASCII")
}

fn modified(current: Option<Current<'_>>) -> Option<Modified> {
    current?.modified_at
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<i64> {
    seconds(headers.get(name)?.to_str().ok()?)
}

fn seconds(text: &str) -> Option<i64> {
    let at = httpdate::parse_http_date(text.trim()).ok()?;
    i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: i64 = 1_700_000_000;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        map
    }

    fn verdict(method: Method, fields: &[(&str, &str)], exists: bool) -> Verdict {
        // half a second past the whole second that clients see
        let since = Modified::Since(Timestamp::from_millis(AT * 1000 + 500));
        verdict_on(since, method, fields, exists)
    }

    fn verdict_on(modified: Modified, method: Method, fields: &[(&str, &str)], exists: bool) -> Verdict {
        let etag = ETag::strong("v1").unwrap();
        let current = exists.then_some(Current { etag: &etag, modified_at: Some(modified) });
        evaluate(&headers(fields), &method, current)
    }

    fn date_at(offset: i64) -> String {
        http_date(Timestamp::from_millis((AT + offset) * 1000)).to_str().unwrap().to_owned()
    }

    #[test]
    fn tags_are_read_and_written() {
        for text in ["\"v1\"", "W/\"v1\"", "\"\""] {
            assert_eq!(text.parse::<ETag>().unwrap().to_string(), text);
        }
        for text in ["", "v1", "w/\"v1\"", "\"v1", "\"a\"b\"", "\"ä\"", "\"a b\"", "*"] {
            assert_eq!(text.parse::<ETag>(), Err(InvalidETag), "{text}");
        }
        assert_eq!(ETag::strong("a\"b"), Err(InvalidETag));
        let (strong, weak): (ETag, ETag) = ("\"v1\"".parse().unwrap(), "W/\"v1\"".parse().unwrap());
        assert!(
            strong.matches_strongly(&strong)
                && !strong.matches_strongly(&weak)
                && !weak.matches_strongly(&weak)
        );
        assert!(strong.matches_weakly(&weak) && weak.matches_weakly(&weak));
    }

    #[test]
    fn if_match_compares_strongly() {
        for (value, proceeds) in [
            ("\"v1\"", true),
            ("*", true),
            ("\"v0\", \"v1\"", true),
            ("\"v0\",,junk, \"v1\"", true),
            ("W/\"v1\"", false),
            ("\"v0\"", false),
            ("v1", false),
            ("", false),
        ] {
            let expected = if proceeds { Verdict::Proceed } else { Verdict::PreconditionFailed };
            assert_eq!(verdict(Method::PUT, &[("if-match", value)], true), expected, "{value}");
            assert_eq!(verdict(Method::GET, &[("if-match", value)], true), expected, "{value}");
        }
        assert_eq!(verdict(Method::PUT, &[("if-match", "*")], false), Verdict::PreconditionFailed);
        assert_eq!(
            verdict(Method::PUT, &[("if-match", "\"a\""), ("if-match", "\"v1\"")], true),
            Verdict::Proceed
        );
    }

    #[test]
    fn if_none_match_compares_weakly() {
        for value in ["\"v1\"", "W/\"v1\"", "*", "\"x\", W/\"v1\""] {
            assert_eq!(
                verdict(Method::GET, &[("if-none-match", value)], true),
                Verdict::NotModified,
                "{value}"
            );
            assert_eq!(
                verdict(Method::HEAD, &[("if-none-match", value)], true),
                Verdict::NotModified,
                "{value}"
            );
            assert_eq!(
                verdict(Method::PUT, &[("if-none-match", value)], true),
                Verdict::PreconditionFailed,
                "{value}"
            );
            assert_eq!(verdict(Method::PUT, &[("if-none-match", value)], false), Verdict::Proceed, "{value}");
        }
        assert_eq!(verdict(Method::GET, &[("if-none-match", "\"v2\"")], true), Verdict::Proceed);
    }

    #[test]
    fn dates_count_in_whole_seconds_and_after_tags() {
        let (before, same, after) = (&*date_at(-1), &*date_at(0), &*date_at(1));
        assert_eq!(verdict(Method::GET, &[("if-modified-since", same)], true), Verdict::NotModified);
        assert_eq!(verdict(Method::GET, &[("if-modified-since", after)], true), Verdict::NotModified);
        assert_eq!(verdict(Method::GET, &[("if-modified-since", before)], true), Verdict::Proceed);
        assert_eq!(verdict(Method::PUT, &[("if-modified-since", after)], true), Verdict::Proceed);
        assert_eq!(verdict(Method::GET, &[("if-modified-since", "yesterday")], true), Verdict::Proceed);
        assert_eq!(
            verdict(Method::GET, &[("if-none-match", "\"v2\""), ("if-modified-since", after)], true),
            Verdict::Proceed
        );
        assert_eq!(verdict(Method::PUT, &[("if-unmodified-since", same)], true), Verdict::Proceed);
        assert_eq!(
            verdict(Method::PUT, &[("if-unmodified-since", before)], true),
            Verdict::PreconditionFailed
        );
        assert_eq!(
            verdict(Method::PUT, &[("if-match", "\"v1\""), ("if-unmodified-since", before)], true),
            Verdict::Proceed
        );
    }

    #[test]
    fn no_date_says_that_a_replaced_content_is_the_same() {
        for offset in [-1, 0, 1] {
            let date = &*date_at(offset);
            let on_date = |method, name| verdict_on(Modified::Replaced, method, &[(name, date)], true);
            assert_eq!(on_date(Method::GET, "if-modified-since"), Verdict::Proceed);
            assert_eq!(on_date(Method::GET, "if-unmodified-since"), Verdict::PreconditionFailed);
            assert_eq!(on_date(Method::PUT, "if-unmodified-since"), Verdict::PreconditionFailed);
        }
        // a tag goes before a date
        let fields = [("if-match", "\"v1\""), ("if-unmodified-since", &*date_at(0))];
        assert_eq!(verdict_on(Modified::Replaced, Method::GET, &fields, true), Verdict::Proceed);
    }

    #[test]
    fn c047_a_range_of_another_version_is_not_followed() {
        let etag = ETag::strong("v1").unwrap();
        let since = Modified::Since(Timestamp::from_millis(AT * 1000 + 500));
        for modified_at in [None, Some(since), Some(Modified::Replaced)] {
            let current = Current { etag: &etag, modified_at };
            let applies = |fields: &[(&str, &str)]| range_applies(&headers(fields), current);
            assert!(applies(&[]));
            assert!(applies(&[("if-range", "\"v1\"")]));
            for value in ["\"v2\"", "W/\"v1\"", "v1", "*", &date_at(1), &date_at(0), &date_at(-1)] {
                assert!(!applies(&[("if-range", value)]), "{value}");
            }
            assert!(!applies(&[("if-range", "\"v1\""), ("if-range", "\"v1\"")]));
        }
    }

    #[test]
    fn dates_before_1970_are_written_as_1970() {
        assert_eq!(http_date(Timestamp::MIN), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(Timestamp::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    proptest! {
        #[test]
        fn no_field_upsets_it(value in "[\"W/,* a-z\\t]{0,40}", exists in any::<bool>()) {
            for name in ["if-match", "if-none-match", "if-range", "if-modified-since", "if-unmodified-since"] {
                verdict(Method::GET, &[(name, &value)], exists);
            }
        }

        #[test]
        fn a_list_matches_exactly_what_is_in_it(tags in proptest::collection::vec("[a-z,]{0,4}", 0..6), own in "[a-z,]{0,4}") {
            let list: Vec<_> = tags.iter().map(|tag| format!("\"{tag}\"")).collect();
            let etag = ETag::strong(own.clone()).unwrap();
            let current = Current { etag: &etag, modified_at: None };
            let proceeds = evaluate(&headers(&[("if-match", &list.join(", "))]), &Method::PUT, Some(current)) == Verdict::Proceed;
            prop_assert_eq!(proceeds, tags.contains(&own));
        }
    }
}
