//! Handing contents over to the gateway, which then sends the bytes itself (`X-Accel-Redirect`).
//!
//! The gateway takes the address, the header fields that stand in our answer, and the client's own `Range`. So that one program decides, it
//! is given a range only where that was found good here, in a form that leaves no room for another reading.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, header::HeaderMap};
use common::routes::WHOLE_LOCATION;
use common::{BlobKey, PortError, PortResult};

use crate::state::{Delivery, FileService};

const ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");

/// What is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it, whatever the request says of ranges.
    Whole,
    /// The one part that the request asks for.
    Part,
}

/// The field that hands a blob over; none if this answer is ours to send.
///
/// # Errors
/// `Broken` if the bytes are fewer or more than `size`. `Unavailable`.
pub(super) async fn field(
    service: &FileService,
    request: &HttpRequest,
    blob: BlobKey,
    size: u64,
    wanted: Wanted,
) -> PortResult<Option<(HeaderName, HeaderValue)>> {
    let Delivery::Gateway(locator) = &service.settings.delivery else { return Ok(None) };
    if request.method() != Method::GET || size == 0 || !is_plain(request.headers(), wanted) {
        return Ok(None);
    }
    let Some(address) = locator.locate(blob, size).await? else { return Ok(None) };
    let address = match wanted {
        Wanted::Whole => format!("{WHOLE_LOCATION}{address}"),
        Wanted::Part => address,
    };
    let address = HeaderValue::try_from(address).map_err(|error| PortError::broken("blobs", error))?;
    Ok(Some((ACCEL_REDIRECT, address)))
}

/// Whether nginx, which looks at these fields too, comes to the same end as we did.
fn is_plain(headers: &HeaderMap, wanted: Wanted) -> bool {
    let conditional = [header::IF_MATCH, header::IF_UNMODIFIED_SINCE];
    if conditional.iter().any(|name| headers.contains_key(name)) {
        return false;
    }
    if wanted == Wanted::Whole {
        return true;
    }
    let single = |name| headers.get_all(name).count() <= 1;
    // of a date nginx would think otherwise than we do
    let by_tag = headers.get(header::IF_RANGE).is_none_or(|value| value.as_bytes().starts_with(b"\""));
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    single(header::RANGE) && single(header::IF_RANGE) && by_tag && range.is_some_and(is_plain_range)
}

/// `bytes=`, then one range without white space, in numbers that fit everywhere.
fn is_plain_range(range: &str) -> bool {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    let number = |text: &str| text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    number(first) && number(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_ranges_are_left_to_the_gateway() {
        for plain in ["bytes=0-9", "bytes=5-", "bytes=-5", "bytes=0-999999999999999999"] {
            assert!(is_plain_range(plain), "{plain}");
        }
        for other in [
            "",
            "bytes",
            "bytes=",
            "Bytes=0-9",
            "bytes= 0-9",
            "bytes=0 - 9",
            "bytes=0-4,5-9",
            "bytes=0-4,",
            "bytes=-18446744073709551616",
            "bytes=+1-2",
            "bytes=1--2",
            "items=0-9",
        ] {
            assert!(!is_plain_range(other), "{other}");
        }
    }

    #[test]
    fn conditions_that_nginx_would_evaluate_again_are_not() {
        let headers = |fields: &[(&str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in fields {
                map.append(
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                );
            }
            map
        };
        let range = ("range", "bytes=0-9");
        for wanted in [Wanted::Whole, Wanted::Part] {
            assert!(is_plain(&headers(&[range, ("if-range", "\"a\""), ("if-none-match", "\"b\"")]), wanted));
            for condition in ["if-match", "if-unmodified-since"] {
                assert!(!is_plain(&headers(&[range, (condition, "*")]), wanted), "{condition}");
            }
        }
        for twice in [[range, range], [("if-range", "\"a\""), ("if-range", "\"a\"")]] {
            let fields = headers(&[&[range], &twice[..]].concat());
            assert!(!is_plain(&fields, Wanted::Part));
            assert!(is_plain(&fields, Wanted::Whole));
        }
        assert!(!is_plain(&headers(&[]), Wanted::Part));
        for no_tag in ["Thu, 01 Jan 1970 00:00:01 GMT", "W/\"a\"", ""] {
            let fields = headers(&[range, ("if-range", no_tag)]);
            assert!(!is_plain(&fields, Wanted::Part), "{no_tag}");
            assert!(is_plain(&fields, Wanted::Whole), "{no_tag}");
        }
    }
}
