//! How long a request may wait for stores and other services, in all: by what kind of listener it came, and how it is handed on to other services.

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName};
use common::allowance::{self, Allowance};

/// Name of the header field of internal calls that says for how many milliseconds the other service may wait. Whoever calls gives up a moment later, so the
/// answer still says what is missing.
pub const HEADER: HeaderName = HeaderName::from_static("x-waits-ms");

/// What an answer takes to be made and to come, beside the waits.
const ON_THE_WAY: Duration = Duration::from_millis(400);

/// What a listener lets its requests wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// No longer than this.
    AtMost(Duration),
    /// For as long as the caller says, by [`HEADER`]. Only for listeners of services: probes and older callers say nothing, and have what each part gives.
    AsCallersSay,
}

impl Default for Waits {
    /// A person waits for the answer.
    fn default() -> Self {
        Self::AtMost(allowance::WAITS)
    }
}

impl Waits {
    /// The allowance of a request.
    pub(crate) fn of(self, headers: &HeaderMap) -> Option<Allowance> {
        let whole = match self {
            Self::AtMost(whole) => Some(whole),
            Self::AsCallersSay => said(headers),
        };
        whole.map(Allowance::new)
    }
}

fn said(headers: &HeaderMap) -> Option<Duration> {
    let millis = headers.get(HEADER)?.to_str().ok()?.parse::<u32>().ok()?;
    Some(Duration::from_millis(millis.into()))
}

/// What to tell another service whose answer is waited for this long: the value of [`HEADER`].
pub fn for_callee(patience: Duration) -> u32 {
    let waits = patience.saturating_sub(ON_THE_WAY).max(patience / 2);
    u32::try_from(waits.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn whole(waits: Waits, sent: Option<HeaderValue>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        if let Some(sent) = sent {
            headers.insert(HEADER, sent);
        }
        waits.of(&headers).map(|allowance| allowance.left())
    }

    #[test]
    fn only_services_say_how_long_they_wait() {
        let sent = HeaderValue::from(for_callee(Duration::from_secs(60)));
        assert_eq!(whole(Waits::default(), Some(sent.clone())), Some(allowance::WAITS));
        assert_eq!(whole(Waits::AsCallersSay, Some(sent)), Some(Duration::from_millis(59_600)));
        assert_eq!(whole(Waits::AsCallersSay, None), None);
        for wrong in ["", "-1", "1.5", "much", "99999999999"] {
            assert_eq!(whole(Waits::AsCallersSay, Some(HeaderValue::from_static(wrong))), None, "{wrong}");
        }
    }

    #[test]
    fn whoever_is_called_has_less_than_whoever_calls() {
        for (patience, waits) in [(4500, 4100), (800, 400), (500, 250), (0, 0)] {
            assert_eq!(for_callee(Duration::from_millis(patience)), waits);
        }
    }
}
