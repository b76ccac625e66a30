use std::fmt;

use common::PortError;
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

use super::PART;

/// Why the work of a request is to be undone.
#[derive(Debug)]
pub(crate) enum Abort<R> {
    /// A rule of the domain.
    Rule(R),
    /// SQLite could not do it.
    Sql(rusqlite::Error),
}

impl<R> From<rusqlite::Error> for Abort<R> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl<R: From<PortError>> Abort<R> {
    /// The error that the caller sees.
    pub(crate) fn into_error(self) -> R {
        match self {
            Self::Rule(rule) => rule,
            Self::Sql(error) => sql_error(error).into(),
        }
    }
}

macro_rules! rules {
    ($($rule:ty),*) => {$(
        impl From<$rule> for Abort<$rule> {
            fn from(rule: $rule) -> Self {
                Self::Rule(rule)
            }
        }
    )*};
}

rules!(
    PortError,
    common::auth::ChangeAddressError,
    common::auth::CreateUserError,
    common::auth::CreateTokenError,
    common::auth::ChangeUserError,
    common::auth::UseInvitationError,
    common::auth::GroupError,
    common::auth::AddIdentityError,
    common::auth::CreateIdentifiedError,
    common::auth::RemoveIdentityError,
    common::files::NodeError,
    common::jobs::LostLease,
    common::jobs::ChangeJobError,
    common::jobs::ChangeScheduleError,
    common::webhooks::ChangeWebhookError
);

/// What the file holds cannot be read as what it should be.
pub(crate) fn damaged(what: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Null, what.into())
}

/// Sorts SQLite's errors by what a caller can do.
pub(crate) fn sql_error(error: rusqlite::Error) -> PortError {
    match class(&error) {
        Class::Full => PortError::full(PART, error),
        Class::Unavailable => PortError::unavailable(PART, error),
        Class::Broken => PortError::broken(PART, error),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Full,
    Unavailable,
    Broken,
}

pub(super) fn class(error: &rusqlite::Error) -> Class {
    let rusqlite::Error::SqliteFailure(code, _) = error else { return Class::Broken };
    match code.code {
        // SQLite itself makes SQLITE_FULL of ENOSPC; only growing the shared-memory file reports it otherwise
        ErrorCode::DiskFull => Class::Full,
        ErrorCode::SystemIoFailure if code.extended_code == SQLITE_IOERR_SHMSIZE => Class::Full,
        ErrorCode::SystemIoFailure
        | ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::OutOfMemory
        | ErrorCode::CannotOpen
        | ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::OperationInterrupted => Class::Unavailable,
        _ => Class::Broken,
    }
}

/// The failure of a whole group, told to each of its callers.
#[derive(Debug, Clone)]
pub(super) struct GroupFailure {
    class: Class,
    message: String,
}

impl GroupFailure {
    /// The transaction ended without a word.
    pub(super) fn unknown() -> Self {
        Self { class: Class::Unavailable, message: "the transaction was rolled back".to_owned() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.class == Class::Full
    }

    pub(super) fn to_error(&self) -> PortError {
        let source = self.message.clone();
        match self.class {
            Class::Full => PortError::full(PART, source),
            Class::Unavailable => PortError::unavailable(PART, source),
            Class::Broken => PortError::broken(PART, source),
        }
    }
}

impl From<&rusqlite::Error> for GroupFailure {
    fn from(error: &rusqlite::Error) -> Self {
        Self { class: class(error), message: error.to_string() }
    }
}

impl From<rusqlite::Error> for GroupFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::from(&error)
    }
}

impl fmt::Display for GroupFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
