//! Trace context: what names one piece of work, whatever it leads to, across processes, calls and jobs.
//!
//! The form is that of W3C Trace Context, level 1: the header field `traceparent`. Its companion `tracestate` is not kept.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Name of the header field, in HTTP and in messages.
pub const TRACEPARENT: &str = "traceparent";

/// The one flag that level 1 knows: whoever came before may have recorded the trace. Others are sent as zero.
const SAMPLED: u8 = 1;

/// Length of a `traceparent` of version 00.
const LEN: usize = 55;

/// A text that is not a `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent")]
pub struct InvalidTraceparent;

macro_rules! hex_ids {
    ($($(#[$doc:meta])* $name:ident($len:literal);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The id with these bytes, which are random. All of them zero is no id; then it is the one that ends in 1.
            pub const fn from_random(mut bytes: [u8; $len]) -> Self {
                if is_zero(&bytes) {
                    bytes[$len - 1] = 1;
                }
                Self(bytes)
            }

            /// Reads its digits, in lower case. None if it is all zeros.
            fn parse(text: &str) -> Option<Self> {
                let mut bytes = [0; $len];
                lower_hex(text, &mut bytes)?;
                (!is_zero(&bytes)).then_some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; 2 * $len];
                hex::encode_to_slice(self.0, &mut text).expect("two digits hold a byte");
                f.write_str(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

hex_ids! {
    /// Names all that one cause leads to. Never zero.
    TraceId(16);
    /// Names one step of it: a request, a call, an attempt at a job. Never zero.
    SpanId(8);
}

/// One step of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: TraceId,
    span: SpanId,
    sampled: bool,
}

impl TraceContext {
    /// The first step of a new trace. It counts as recorded, since its ids stand in the logs.
    pub const fn begin(trace: TraceId, span: SpanId) -> Self {
        Self { trace, span, sampled: true }
    }

    /// A step that this one leads to.
    #[must_use]
    pub const fn child(self, span: SpanId) -> Self {
        Self { span, ..self }
    }

    /// What it is part of.
    pub const fn trace_id(&self) -> TraceId {
        self.trace
    }

    /// Which step it is.
    pub const fn span_id(&self) -> SpanId {
        self.span
    }

    /// Whether the trace may have been recorded.
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// Reads a `traceparent`. Of a version that is not known yet, its first four fields count.
    ///
    /// # Errors
    /// [`InvalidTraceparent`] for version ff, ids that are zero, digits in upper case, and whatever else the standard does not allow.
    pub fn parse(text: &str) -> Result<Self, InvalidTraceparent> {
        Self::read(text).ok_or(InvalidTraceparent)
    }

    fn read(text: &str) -> Option<Self> {
        let (known, rest) = (text.get(..LEN)?, text.get(LEN..)?);
        let mut fields = known.split('-');
        let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let (mut version_byte, mut flag_byte) = ([0], [0]);
        lower_hex(version, &mut version_byte)?;
        lower_hex(flags, &mut flag_byte)?;
        let good_end = match version_byte[0] {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let context = Self {
            trace: TraceId::parse(trace)?,
            span: SpanId::parse(span)?,
            sampled: flag_byte[0] & SAMPLED != 0,
        };
        (good_end && fields.next().is_none()).then_some(context)
    }
}

/// A `traceparent` of version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, if self.sampled { SAMPLED } else { 0 })
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceparent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceparent> {
        Self::parse(text)
    }
}

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// For a field that may be missing. One that cannot be read counts as missing: nothing that carries a trace may fail for it.
pub(crate) fn if_readable<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<TraceContext>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(TraceContext::read))
}

const fn is_zero(bytes: &[u8]) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != 0 {
            return false;
        }
        at += 1;
    }
    true
}

/// As many digits as the bytes need, none of them in upper case.
fn lower_hex(text: &str, bytes: &mut [u8]) -> Option<()> {
    let lower = text.bytes().all(|sign| matches!(sign, b'0'..=b'9' | b'a'..=b'f'));
    (lower && hex::decode_to_slice(text, bytes).is_ok()).then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The standard's own example.
    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn reads(text: &str) -> bool {
        TraceContext::parse(text).is_ok()
    }

    #[test]
    fn the_example_of_the_standard_is_read_and_said_again() {
        let context = TraceContext::parse(GOOD).unwrap();
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id().to_string(), "00f067aa0ba902b7");
        assert!(context.is_sampled());
        assert_eq!(context.to_string(), GOOD);
    }

    #[test]
    fn what_the_standard_forbids_is_refused() {
        for wrong in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
            "0A-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é",
        ] {
            assert!(!reads(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn later_versions_are_read_by_the_fields_that_are_known() {
        for later in ["01", "cc", "fe"] {
            for more in ["", "-", "-what-comes-later", "-é"] {
                let text = format!("{later}{}{more}", &GOOD[2..]);
                assert_eq!(TraceContext::parse(&text).unwrap().to_string(), GOOD, "{text}");
            }
        }
    }

    #[test]
    fn flags_that_are_not_known_are_not_passed_on() {
        for (came, goes) in [("00", "00"), ("01", "01"), ("02", "00"), ("ff", "01")] {
            let text = format!("{}{came}", &GOOD[..53]);
            assert_eq!(TraceContext::parse(&text).unwrap().to_string(), format!("{}{goes}", &GOOD[..53]));
        }
    }

    #[test]
    fn zeros_make_no_id() {
        assert_eq!(SpanId::from_random([0; 8]).to_string(), "0000000000000001");
        assert_eq!(TraceId::from_random([0; 16]).to_string(), format!("{:032x}", 1));
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_read_again(trace: [u8; 16], span: [u8; 8], next: [u8; 8]) {
            let begun = TraceContext::begin(TraceId::from_random(trace), SpanId::from_random(span));
            let child = begun.child(SpanId::from_random(next));
            prop_assert_eq!(TraceContext::parse(&begun.to_string()), Ok(begun));
            prop_assert_eq!(TraceContext::parse(&child.to_string()), Ok(child));
            prop_assert_eq!(child.trace_id(), begun.trace_id());
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = TraceContext::parse(&text);
        }

        /// The standard's grammar, said another way.
        #[test]
        fn just_what_the_grammar_says_is_read(text in "[0-9a-f]{2}-[0-9a-fA]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{2}(-[a-z]{0,3})?") {
            let parts: Vec<_> = text.splitn(5, '-').collect();
            let lower = |part: &str| part.bytes().all(|sign| sign.is_ascii_digit() || sign.is_ascii_lowercase());
            let good = parts[1].len() == 32
                && parts[2].len() == 16
                && lower(parts[1])
                && parts[1].bytes().any(|sign| sign != b'0')
                && parts[2].bytes().any(|sign| sign != b'0')
                && parts[0] != "ff"
                && (parts[0] != "00" || parts.len() == 4);
            prop_assert_eq!(reads(&text), good);
        }

        #[test]
        fn one_changed_sign_is_read_as_it_stands_or_refused(at in 0..GOOD.len(), sign in "[ -~]") {
            let mut text = GOOD.to_owned();
            text.replace_range(at..=at, &sign);
            if let Ok(context) = TraceContext::parse(&text) {
                prop_assert_eq!(&context.to_string()[3..53], &text[3..53]);
            }
        }
    }
}
