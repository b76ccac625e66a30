//! What a server refused, and what the caller can do about it.

use std::error::Error as StdError;
use std::time::Duration;

use common::PortError;
use object_store::client::HttpError;

use crate::PART;

/// Codes of a bucket, an account or a disk that is full. Some servers give them with a status that means something else.
const FULL: [&str; 5] = [
    "QuotaExceeded",
    "QuotaExceededException",
    "StorageFull",
    "XMinioStorageFull",
    "XMinioAdminBucketQuotaExceeded",
];

/// Codes of credentials that are not accepted, whatever their status.
const DENIED: [&str; 5] =
    ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"];

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{method} was answered with {status} {code} {message}")]
pub(super) struct Refused {
    pub(super) method: String,
    pub(super) status: u16,
    /// The word of the server for it. Empty where there is no body.
    pub(super) code: String,
    pub(super) message: String,
}

/// The server did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub(super) struct TimedOut(pub(super) Duration);

/// What is wrong with the bucket, its server or how we use them.
#[derive(Debug, thiserror::Error)]
pub(super) enum S3Error {
    #[error("access to the bucket {bucket} is denied: {refused}")]
    Denied { bucket: String, refused: Refused },
    #[error("the bucket {0} does not exist")]
    NoBucket(String),
    #[error("bucket {bucket}: {refused}")]
    Refused { bucket: String, refused: Refused },
    #[error("bucket {bucket}")]
    Failed { bucket: String, source: object_store::Error },
    #[error("bucket {bucket}")]
    TimedOut { bucket: String, source: TimedOut },
    #[error("the key is in use")]
    Occupied,
    #[error("the blob is shorter than what is known of it")]
    Short,
    #[error("the blob changed or went away while it was read")]
    Changed,
    #[error("an upload that failed cannot be continued")]
    Lost,
    #[error("more than {0} bytes, or more than {1} parts, which is all that S3 takes")]
    TooLarge(u64, u32),
    #[error("more than a read may ask for")]
    LongRead,
    #[error("the blobs of the bucket {0} belong to another store")]
    Foreign(String),
    #[error("the mark of the blobs in the bucket {0} is gone: the bucket was changed")]
    MarkGone(String),
    #[error("there are blobs in the bucket {0}, and no mark that says whose they are")]
    Unmarked(String),
    #[error("this process has claimed the blobs for another store")]
    ClaimedTwice,
    #[error(
        "the server of the bucket {0} overwrites an object that must only be created (it ignores `If-None-Match: *`): if nothing else can be used, set FM_S3__CREATE to look"
    )]
    Overwrites(String),
    #[error("the mark of the blobs is not one of ours")]
    StrangeMark,
    #[error("a signed URL lives between a second and a week")]
    Lifetime,
    #[error("the server's list cannot be read")]
    List(#[source] Box<dyn StdError + Send + Sync>),
}

impl S3Error {
    pub(super) fn broken(self) -> PortError {
        PortError::broken(PART, self)
    }

    pub(super) fn unavailable(self) -> PortError {
        PortError::unavailable(PART, self)
    }
}

/// What the server refused, if this error is that.
pub(super) fn refused<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Refused> {
    within(error)
}

/// No such object, as an answer with a body says it.
pub(super) fn is_absent(error: &object_store::Error) -> bool {
    // an answer of 404 may also come from whoever gives out credentials, or mean the bucket
    refused(error).is_some_and(|refused| refused.status == 404 && refused.code == "NoSuchKey")
}

/// Turns what went wrong into what the caller can do about it. Only for errors that have no meaning of their own to the call.
pub(super) fn port_error(bucket: &str, error: object_store::Error) -> PortError {
    match refused(&error) {
        Some(refused) => from_refused(bucket, refused.clone()),
        None if is_transport(&error) => {
            S3Error::Failed { bucket: bucket.to_owned(), source: error }.unavailable()
        }
        None => S3Error::Failed { bucket: bucket.to_owned(), source: error }.broken(),
    }
}

pub(super) fn from_refused(bucket: &str, refused: Refused) -> PortError {
    let bucket = bucket.to_owned();
    let code = refused.code.as_str();
    if refused.status == 507 || FULL.contains(&code) {
        PortError::full(PART, S3Error::Refused { bucket, refused })
    } else if code == "NoSuchBucket" {
        S3Error::NoBucket(bucket).broken()
    } else if matches!(refused.status, 401 | 403) || DENIED.contains(&code) {
        S3Error::Denied { bucket, refused }.broken()
    } else if is_passing(&refused) {
        S3Error::Refused { bucket, refused }.unavailable()
    } else {
        S3Error::Refused { bucket, refused }.broken()
    }
}

/// The same request may work later.
pub(super) fn is_passing(refused: &Refused) -> bool {
    match refused.status {
        // not implemented, version not supported, full
        501 | 505 | 507 => false,
        408 | 409 | 425 | 429 | 500.. => true,
        _ => matches!(
            refused.code.as_str(),
            "RequestTimeout" | "SlowDown" | "InternalError" | "ServiceUnavailable"
        ),
    }
}

/// The server was not reached, or the connection broke.
fn is_transport(error: &object_store::Error) -> bool {
    within::<HttpError>(error).is_some()
}

/// The first error of this type in the chain of causes.
fn within<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::Causes;

    fn kind(status: u16, code: &str) -> &'static str {
        let refused =
            Refused { method: "PUT".to_owned(), status, code: code.to_owned(), message: String::new() };
        match from_refused("pail", refused) {
            PortError::Full { .. } => "full",
            PortError::Unavailable { .. } => "unavailable",
            error @ PortError::Broken { .. } => {
                assert!(Causes(&error).to_string().contains("pail"));
                "broken"
            }
        }
    }

    #[test]
    fn refusals_become_what_the_caller_can_do() {
        for (status, code, expected) in [
            (503, "SlowDown", "unavailable"),
            (500, "InternalError", "unavailable"),
            (200, "InternalError", "unavailable"),
            (502, "", "unavailable"),
            (429, "", "unavailable"),
            (400, "RequestTimeout", "unavailable"),
            (409, "OperationAborted", "unavailable"),
            (507, "", "full"),
            (507, "XMinioStorageFull", "full"),
            (403, "QuotaExceeded", "full"),
            (400, "XMinioAdminBucketQuotaExceeded", "full"),
            (403, "AccessDenied", "broken"),
            (403, "RequestTimeTooSkewed", "broken"),
            (400, "ExpiredToken", "broken"),
            (404, "NoSuchBucket", "broken"),
            (301, "PermanentRedirect", "broken"),
            (501, "NotImplemented", "broken"),
            (400, "", "broken"),
        ] {
            assert_eq!(kind(status, code), expected, "{status} {code}");
        }
    }
}
