use std::io;

use common::{PortError, PortResult};
use rustix::io::Errno;

use crate::PART;

/// Turns what the system said into what the caller can do about it.
pub(super) fn port_error(error: io::Error) -> PortError {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => PortError::full(PART, error),
        Some(
            Errno::MFILE
            | Errno::NFILE
            | Errno::NOMEM
            | Errno::AGAIN
            | Errno::BUSY
            // a shared disk whose server is away
            | Errno::TIMEDOUT
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::STALE
            | Errno::NOTCONN
            | Errno::NODEV
            | Errno::NXIO,
        ) => PortError::unavailable(PART, error),
        _ if error.kind() == io::ErrorKind::StorageFull => PortError::full(PART, error),
        _ if error.kind() == io::ErrorKind::NotConnected => PortError::unavailable(PART, error),
        _ => PortError::broken(PART, error),
    }
}

/// There is less room than was asked for.
pub(super) fn no_room(wanted: u64, free: u64) -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, format!("{wanted} bytes wanted, {free} free"))
}

/// The disk is not there now.
pub(super) fn away(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, what)
}

/// Something that is not as it must be.
pub(super) fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// None where the file that was to be opened or removed is not there.
pub(super) fn absent_as_none<T>(result: PortResult<T>) -> PortResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(PortError::Broken { source, .. })
            if source
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::NotFound) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
