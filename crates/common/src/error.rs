//! Errors by what the caller does next, and the table of stable codes that clients see.

use std::time::Duration;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a port could not answer. Rules of the domain (a taken name, a full quota) are not here: each port has its own type for them.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// A dependency does not answer now; the same call may work later. Becomes 503 with `Retry-After`.
    #[error("{part} is unavailable")]
    Unavailable {
        /// The part that fails, as readiness names it: `store`, `blobs`, `auth`, `bus`.
        part: &'static str,
        /// What it said.
        #[source]
        source: Source,
    },
    /// The part has no room for what was to be written; nothing was written. Becomes 507.
    #[error("{part} has no room left")]
    Full {
        /// The part that is full.
        part: &'static str,
        /// What it said.
        #[source]
        source: Source,
    },
    /// What the part holds is damaged, or we use it wrongly. Becomes 500; someone should look.
    #[error("{part} failed")]
    Broken {
        /// The part that failed.
        part: &'static str,
        /// What it said.
        #[source]
        source: Source,
    },
}

/// What every port call returns.
pub type PortResult<T> = Result<T, PortError>;

impl PortError {
    /// How long a client should wait before it asks an unavailable part again.
    pub const RETRY_AFTER: Duration = Duration::from_secs(2);

    /// The part does not answer now.
    pub fn unavailable(part: &'static str, source: impl Into<Source>) -> Self {
        Self::Unavailable { part, source: source.into() }
    }

    /// The part has no room.
    pub fn full(part: &'static str, source: impl Into<Source>) -> Self {
        Self::Full { part, source: source.into() }
    }

    /// The part is damaged or wrongly used.
    pub fn broken(part: &'static str, source: impl Into<Source>) -> Self {
        Self::Broken { part, source: source.into() }
    }
}

/// Shows an error with everything behind it, for the log.
pub struct Causes<'a>(pub &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}

macro_rules! codes {
    ($($variant:ident $word:literal $status:literal $title:literal,)*) => {
        /// A stable word for one kind of failure. Clients may rely on the words; they never change meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $word, "`, status ", stringify!($status), ": ", $title)] $variant,)*
        }

        impl Code {
            /// Every code, in the order of its status.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word that clients see.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// A short sentence that does not depend on the case at hand.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    };
}

codes! {
    InvalidRequest "invalid_request" 400 "The request is not valid",
    InvalidJson "invalid_json" 400 "The body is not the JSON that this call takes",
    InvalidName "invalid_name" 400 "The name is not allowed",
    InvalidCursor "invalid_cursor" 400 "The cursor does not belong to this list",
    InvalidIdempotencyKey "invalid_idempotency_key" 400 "The Idempotency-Key cannot be used",
    InvalidRange "invalid_range" 400 "The range cannot be read",
    DigestMismatch "digest_mismatch" 400 "The content does not match its digest",
    IncompleteBody "incomplete_body" 400 "The body ended early",
    UploadComplete "upload_complete" 400 "The upload has all its bytes",
    UploadLength "upload_length" 400 "The upload has another length",
    ProviderState "provider_state" 400 "The sign-in was begun in another browser, or too long ago",
    Unauthorized "unauthorized" 401 "Sign in first",
    InvalidCredentials "invalid_credentials" 401 "The address or the password is wrong",
    SecondFactorRequired "second_factor_required" 401 "A code of the second factor is wanted",
    InvalidSecondFactor "invalid_second_factor" 401 "The code of the second factor is wrong, or was used before",
    LinkLocked "link_locked" 401 "The link needs its password",
    Forbidden "forbidden" 403 "Not allowed",
    InsufficientScope "insufficient_scope" 403 "The token is not good for this call",
    CrossOrigin "cross_origin" 403 "The request came from another site",
    RegistrationClosed "registration_closed" 403 "Registration is closed",
    InvalidSetupCode "invalid_setup_code" 403 "The set-up code is wrong",
    InvalidCode "invalid_code" 403 "The code is wrong, was used before, or has expired",
    ProviderRefused "provider_refused" 403 "The identity provider did not sign in",
    ProviderAnswer "provider_answer" 403 "What the identity provider answered cannot be trusted",
    AddressUnverified "address_unverified" 403 "The identity provider does not say that the address is verified",
    AccountClosed "account_closed" 403 "The account is closed",
    NotVerified "not_verified" 403 "The address is not verified yet",
    DeletionScheduled "deletion_scheduled" 403 "The account waits to be deleted",
    InvitationRequired "invitation_required" 403 "An invitation is needed to register",
    WrongPassword "wrong_password" 403 "The password is wrong",
    InvalidInvitation "invalid_invitation" 403 "The invitation is not good",
    NotFound "not_found" 404 "Not found",
    ParentNotFound "parent_not_found" 404 "The folder was not found",
    NoThumbnail "no_thumbnail" 404 "There is no thumbnail",
    MethodNotAllowed "method_not_allowed" 405 "The method is not allowed here",
    NotAcceptable "not_acceptable" 406 "No acceptable form of the answer exists",
    BodyTooSlow "body_too_slow" 408 "The body came too slowly",
    NameTaken "name_taken" 409 "The name is taken",
    ParentNotFolder "parent_not_folder" 409 "The parent is not a folder",
    WouldMakeCycle "would_make_cycle" 409 "A folder cannot move into itself",
    TooDeep "too_deep" 409 "The folders would be nested too deeply",
    RootIsFixed "root_is_fixed" 409 "The root folder cannot be changed",
    NotAFile "not_a_file" 409 "A folder has no content",
    NotAFolder "not_a_folder" 409 "A file has no children",
    NotInTrash "not_in_trash" 409 "This is not in the trash",
    VersionIsCurrent "version_is_current" 409 "The content that a file has is no old version",
    AddressTaken "address_taken" 409 "The address has an account already",
    LinkRequired "link_required" 409 "An account has this address; sign in to it, and link the identity there",
    IdentityTaken "identity_taken" 409 "The identity belongs to an account already",
    LastWayIn "last_way_in" 409 "Nothing else opens the account",
    AlreadySetUp "already_set_up" 409 "There is an administrator already",
    HasSecondFactor "has_second_factor" 409 "There is a second factor already",
    NoSecondFactor "no_second_factor" 409 "There is no second factor",
    JobState "job_state" 409 "The state of the job does not allow this",
    RequestUnderWay "request_under_way" 409 "A request with this Idempotency-Key is under way",
    AnswerLost "answer_lost" 409 "A request with this Idempotency-Key was carried out, and its answer is not at hand",
    KeyTaken "key_taken" 409 "Another live job has this unique key",
    LeaseLost "lease_lost" 409 "The job is no longer this worker's",
    UploadOffset "upload_offset" 409 "The upload stands at another offset",
    LastAdministrator "last_administrator" 409 "The installation needs an administrator",
    TooMany "too_many" 409 "There are as many as there may be",
    CalledOff "called_off" 409 "It was called off",
    Conflict "conflict" 409 "Something else changed it at the same time",
    ChangedSince "changed_since" 409 "It has changed since, or this was undone already",
    NotUndoable "not_undoable" 409 "This cannot be undone",
    LinkExhausted "link_exhausted" 410 "The link has been used as often as it may be",
    LengthRequired "length_required" 411 "The length must be given",
    PreconditionFailed "precondition_failed" 412 "It has changed since",
    TooLarge "too_large" 413 "Too large",
    UnsupportedMediaType "unsupported_media_type" 415 "The content type is not supported here",
    RangeNotSatisfiable "range_not_satisfiable" 416 "The range lies outside the content",
    ExpectationFailed "expectation_failed" 417 "The expectation cannot be met",
    IdempotencyKeyReused "idempotency_key_reused" 422 "The Idempotency-Key was used for another request",
    UnreadableArchive "unreadable_archive" 422 "The archive cannot be read",
    UnknownPerson "unknown_person" 422 "There is no such account",
    Unprocessable "unprocessable" 422 "Understood, but not possible",
    Locked "locked" 423 "Another request is at it",
    RateLimited "rate_limited" 429 "Too many attempts",
    HeadersTooLarge "headers_too_large" 431 "The header fields are too large",
    ChecksumMismatch "checksum_mismatch" 460 "The bytes do not match their checksum",
    Internal "internal" 500 "A fault on our side",
    ProviderUnavailable "provider_unavailable" 503 "The identity provider does not answer",
    Unavailable "unavailable" 503 "A part of the service does not answer",
    QuotaExceeded "quota_exceeded" 507 "The space is full",
    DiskFull "disk_full" 507 "The server has no room left",
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn causes_are_shown_one_after_another() {
        let error = PortError::unavailable("store", std::io::Error::other("no route"));
        assert_eq!(Causes(&error).to_string(), "store is unavailable: no route");
    }

    #[test]
    fn the_guide_lists_each_code_under_its_status() {
        let (_, section) = include_str!("../../../docs/api.md").split_once("\n## Error codes\n").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let mut listed = Vec::new();
        for line in section.lines().filter_map(|line| line.strip_prefix("- ")) {
            let (status, words) = line.split_once(": ").unwrap();
            let words = words.split(", ").map(|word| word.trim_matches('`'));
            listed.extend(words.map(|word| (status.parse::<u16>().unwrap(), word)));
        }
        let codes: Vec<_> = Code::ALL.iter().map(|code| (code.status(), code.word())).collect();
        assert_eq!(listed, codes);
    }

    #[test]
    fn words_are_unique_and_ordered_by_status() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        assert!(Code::ALL.is_sorted_by_key(|code| code.status()));
    }
}
