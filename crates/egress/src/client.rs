use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use common::Timestamp;
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::RETRY_AFTER;
use tokio::time::timeout;

use crate::{Allowed, InvalidPlace, Place};

/// How long the body of an answer may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a request may take, and how much of its answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until there is a connection, the name's resolution and TLS included.
    pub connect: Duration,
    /// For all of it.
    pub whole: Duration,
    /// Bytes of an answer's body that are read; the rest is left alone.
    pub body_bytes: usize,
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Its status. A redirect is an answer like any other.
    pub status: u16,
    /// When it wants to be asked again, if it says so.
    pub retry_after: Option<RetryAfter>,
}

/// What `Retry-After` says (RFC 9110, 10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// When so much time has passed.
    Delay(Duration),
    /// At this time.
    At(Timestamp),
}

impl RetryAfter {
    /// Reads the field; none for what is neither a number of seconds nor a date.
    fn parse(field: &str) -> Option<Self> {
        let field = field.trim();
        if !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit()) {
            // more than fits is as good as the longest
            let seconds = field.parse().unwrap_or(u64::from(u32::MAX));
            return Some(Self::Delay(Duration::from_secs(seconds)));
        }
        let at = httpdate::parse_http_date(field).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self::At(Timestamp::from_millis(i64::try_from(at.as_millis()).ok()?)))
    }

    /// How long that is from `now`, and at most `most`.
    pub fn wait(self, now: Timestamp, most: Duration) -> Duration {
        let wait = match self {
            Self::Delay(delay) => delay,
            Self::At(at) => at.since(now),
        };
        wait.min(most)
    }
}

/// Why there is no answer. The texts are for whoever named the place: they say nothing about networks behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The place is none, or one that may not be reached.
    #[error("{0}")]
    Place(#[from] InvalidPlace),
    /// The name leads to an address that may not be reached.
    #[error("the name leads to an address that may not be reached")]
    Address,
    /// The name leads nowhere.
    #[error("the name cannot be resolved")]
    Name,
    /// It took too long.
    #[error("the receiver did not answer in time")]
    Time,
    /// No connection, or no valid certificate.
    #[error("no connection to the receiver")]
    Connection,
    /// It did not speak HTTP, or broke off.
    #[error("the receiver's answer could not be read")]
    Answer,
    /// It was longer than it may be.
    #[error("the receiver's answer is too long")]
    Size,
}

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the client of places outside")]
pub struct CannotBuild(#[source] pub(crate) reqwest::Error);

/// Sends requests to places that users name. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Egress {
    http: Client,
    allowed: Arc<Allowed>,
    limits: Limits,
}

impl Egress {
    /// A client that reaches what is allowed, and nothing else.
    ///
    /// # Errors
    /// [`CannotBuild`], as when the system's certificates cannot be read.
    #[expect(
        clippy::disallowed_methods,
        reason = "those of `clients` are for services, these for places that users name"
    )]
    pub fn new(allowed: Allowed, limits: Limits) -> Result<Self, CannotBuild> {
        let allowed = Arc::new(allowed);
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(Guard(Arc::clone(&allowed))))
            .connect_timeout(limits.connect)
            .timeout(limits.whole)
            // every request connects, so every request is checked
            .pool_max_idle_per_host(0)
            .referer(false)
            .build()
            .map_err(CannotBuild)?;
        Ok(Self { http, allowed, limits })
    }

    /// What may be reached.
    pub fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// Posts a body to the place that `place` names.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn post(
        &self,
        place: &str,
        fields: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Answer, NoAnswer> {
        // again: what is allowed may have changed since it was written down, and an address in a URL is resolved by nobody
        let place = Place::parse(place, &self.allowed)?;
        let mut request = self.http.post(place.url().clone());
        for (name, value) in fields {
            request = request.header(*name, value);
        }
        // also over what the client's own deadline does not cover
        let answer =
            timeout(self.limits.whole, request.body(body).send()).await.map_err(|_| NoAnswer::Time)?;
        let mut answer = answer.map_err(|error| reason(&error))?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(RetryAfter::parse);
        // the status is the answer: a receiver is not cut off while it says some words more, and that is all
        let words = async {
            let mut read = 0;
            while read < self.limits.body_bytes
                && let Ok(Some(chunk)) = answer.chunk().await
            {
                read += chunk.len();
            }
        };
        let _ = timeout(LAST_WORDS, words).await;
        Ok(Answer { status, retry_after })
    }
}

/// Resolves names as the system does, and lets no address through that may not be reached. Of a name with several, all have to be good.
struct Guard(Arc<Allowed>);

/// What the guard says.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Refused {
    #[error("an address that may not be reached")]
    Address,
    #[error("no addresses")]
    Name,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| Refused::Name)?;
            let found: Vec<SocketAddr> = found.collect();
            if found.is_empty() {
                return Err(Refused::Name.into());
            }
            if !found.iter().all(|address| allowed.permits(address.ip())) {
                return Err(Refused::Address.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

pub(crate) fn reason(error: &reqwest::Error) -> NoAnswer {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        match error.downcast_ref::<Refused>() {
            Some(Refused::Address) => return NoAnswer::Address,
            Some(Refused::Name) => return NoAnswer::Name,
            None => cause = error.source(),
        }
    }
    if error.is_timeout() {
        NoAnswer::Time
    } else if error.is_connect() {
        NoAnswer::Connection
    } else {
        NoAnswer::Answer
    }
}

#[cfg(test)]
mod tests;
