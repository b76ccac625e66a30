use std::fmt;
use std::time::Duration;

use common::PortError;
use mongodb::error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR, WriteFailure};

use super::PART;

/// Why the database did not do it.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The driver or the server said so.
    Driver(Error),
    /// What the database holds cannot be read as what it should be.
    Damaged(&'static str),
    /// Another transaction was quicker: to be run again.
    Raced,
    /// Another run of the same request has its key.
    Overtaken,
    /// No answer in this time. What was asked for may have been done.
    Deadline(Duration),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl Fault {
    /// A document with this unique key is there already. The server says it in another shape for a single write, a write of many, and
    /// find-and-modify.
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Driver(error) if is_duplicate(error))
    }

    /// The whole transaction may be run again.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Driver(error) => error.contains_label(TRANSIENT_TRANSACTION_ERROR),
            Self::Raced => true,
            Self::Damaged(_) | Self::Deadline(_) | Self::Overtaken => false,
        }
    }
}

/// The places of the documents that an unordered insertion of many found there already.
///
/// # Errors
/// Whatever else is wrong.
pub(crate) fn duplicates(
    inserted: Result<mongodb::results::InsertManyResult, Error>,
) -> Result<Vec<usize>, Fault> {
    let error = match inserted {
        Ok(_) => return Ok(Vec::new()),
        Err(error) => error,
    };
    let ErrorKind::InsertMany(many) = &*error.kind else { return Err(error.into()) };
    match &many.write_errors {
        Some(failed)
            if many.write_concern_error.is_none()
                && failed.iter().all(|failed| failed.code == DUPLICATE_KEY) =>
        {
            Ok(failed.iter().map(|failed| failed.index).collect())
        }
        _ => Err(error.into()),
    }
}

/// As [`Fault::is_duplicate`].
pub(crate) fn is_duplicate(error: &Error) -> bool {
    codes(error).contains(&DUPLICATE_KEY)
}

pub(super) const DUPLICATE_KEY: i32 = 11000;
pub(super) const WRITE_CONFLICT: i32 = 112;

/// What the server's log calls OutOfDiskSpace.
const OUT_OF_DISK_SPACE: i32 = 14031;

/// Codes of a server that cannot now and may be able to later, from the server's `error_codes.yml`: not primary, recovering, shutting down
/// or unreachable; time limits; conflicts that somebody else won; a list whose rest it has forgotten, as after a restart in the middle of it.
const UNAVAILABLE: &[i32] = &[
    6,   // HostUnreachable
    7,   // HostNotFound
    24,  // LockTimeout
    43,  // CursorNotFound
    46,  // LockBusy
    50,  // MaxTimeMSExpired
    64,  // WriteConcernTimeout
    89,  // NetworkTimeout
    91,  // ShutdownInProgress
    100, // UnsatisfiableWriteConcern
    WRITE_CONFLICT,
    133,   // FailedToSatisfyReadPreference
    134,   // ReadConcernMajorityNotAvailableYet
    175,   // QueryPlanKilled
    189,   // PrimarySteppedDown
    202,   // NetworkInterfaceExceededTimeLimit
    237,   // CursorKilled
    246,   // SnapshotUnavailable
    251,   // NoSuchTransaction
    262,   // ExceededTimeLimit
    9001,  // SocketException
    10058, // LegacyNotPrimary
    10107, // NotWritablePrimary
    11600, // InterruptedAtShutdown
    11601, // Interrupted
    11602, // InterruptedDueToReplStateChange
    13435, // NotPrimaryNoSecondaryOk
    13436, // NotPrimaryOrSecondary
];

fn codes(error: &Error) -> Vec<i32> {
    match &*error.kind {
        ErrorKind::Command(command) => vec![command.code],
        ErrorKind::Write(WriteFailure::WriteError(write)) => vec![write.code],
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => vec![concern.code],
        ErrorKind::InsertMany(many) => many
            .write_errors
            .iter()
            .flatten()
            .map(|write| write.code)
            .chain(many.write_concern_error.iter().map(|concern| concern.code))
            .collect(),
        ErrorKind::BulkWrite(bulk) => bulk
            .write_errors
            .values()
            .map(|write| write.code)
            .chain(bulk.write_concern_errors.iter().map(|concern| concern.code))
            .collect(),
        _ => Vec::new(),
    }
}

/// Nobody has answered: what was asked for may have been done, or not.
pub(super) fn is_unanswered(error: &Error) -> bool {
    matches!(
        &*error.kind,
        ErrorKind::ServerSelection { .. }
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::Io(_)
            | ErrorKind::DnsResolve { .. }
            | ErrorKind::Shutdown
    )
}

fn is_unavailable(error: &Error) -> bool {
    is_unanswered(error)
        || error.contains_label(TRANSIENT_TRANSACTION_ERROR)
        || error.contains_label(mongodb::error::RETRYABLE_WRITE_ERROR)
        || error.contains_label(mongodb::error::SYSTEM_OVERLOADED_ERROR)
        || codes(error).iter().any(|code| UNAVAILABLE.contains(code))
}

impl From<Fault> for PortError {
    fn from(fault: Fault) -> Self {
        match &fault {
            Fault::Deadline(_) | Fault::Raced => Self::unavailable(PART, fault),
            // its sentence is the same for all stores
            Fault::Overtaken => common::idempotency::Run::overtaken(PART),
            Fault::Damaged(_) => Self::broken(PART, fault),
            Fault::Driver(error) if codes(error).contains(&OUT_OF_DISK_SPACE) => Self::full(PART, fault),
            Fault::Driver(error) if is_unavailable(error) => Self::unavailable(PART, fault),
            Fault::Driver(_) => Self::broken(PART, fault),
        }
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    /// Never what the documents hold: the server quotes keys, among which are addresses of people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = match self {
            Self::Deadline(deadline) => return write!(f, "no answer within {} ms", deadline.as_millis()),
            Self::Damaged(what) => return f.write_str(what),
            Self::Overtaken => return f.write_str("another run has the key"),
            Self::Raced => return f.write_str("another transaction was quicker"),
            Self::Driver(error) => error,
        };
        match &*error.kind {
            ErrorKind::Command(command) if command.code != DUPLICATE_KEY => {
                write!(f, "{} ({}): {}", command.code_name, command.code, command.message)
            }
            ErrorKind::ServerSelection { message, .. } => f.write_str(message),
            ErrorKind::ConnectionPoolCleared { message, .. } => f.write_str(message),
            ErrorKind::Io(error) => write!(f, "input or output: {error}"),
            ErrorKind::Transaction { message, .. }
            | ErrorKind::Internal { message, .. }
            | ErrorKind::InvalidResponse { message, .. }
            | ErrorKind::IncompatibleServer { message, .. } => f.write_str(message),
            ErrorKind::BsonDeserialization(_) => f.write_str("a document cannot be read"),
            ErrorKind::Authentication { .. } => f.write_str("the database refuses the credentials"),
            _ => match codes(error).as_slice() {
                [] => f.write_str("the driver refused"),
                codes => write!(f, "the server refused with {codes:?}"),
            },
        }
    }
}

/// Why the work of a call is to be undone.
#[derive(Debug)]
pub(crate) enum Abort<R> {
    /// A rule of the domain: the answer, not repeated.
    Rule(R),
    /// The database could not do it.
    Fault(Fault),
}

impl<R: From<PortError>> Abort<R> {
    /// The error that the caller sees.
    pub(crate) fn into_error(self) -> R {
        match self {
            Self::Rule(rule) => rule,
            Self::Fault(fault) => PortError::from(fault).into(),
        }
    }
}

impl<R> From<Fault> for Abort<R> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<R> From<Error> for Abort<R> {
    fn from(error: Error) -> Self {
        Self::Fault(Fault::Driver(error))
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
    common::jobs::ChangeJobError,
    common::jobs::ChangeScheduleError,
    common::webhooks::ChangeWebhookError,
    common::jobs::LostLease
);

#[cfg(test)]
mod tests {
    use mongodb::bson::{deserialize_from_document, doc};

    use super::*;

    #[test]
    fn a_cursor_that_a_restart_has_ended_is_unavailable() {
        for code in [43, 175, 237] {
            let said = doc! { "code": code, "codeName": "", "errmsg": "it is gone" };
            let error = Error::from(ErrorKind::Command(deserialize_from_document(said).unwrap()));
            assert!(matches!(PortError::from(Fault::from(error)), PortError::Unavailable { .. }), "{code}");
        }
    }
}
