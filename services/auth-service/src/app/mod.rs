//! The use cases: one function each, over the ports, knowing nothing of HTTP.

pub(crate) mod accounts;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub(crate) mod sign_up;
pub(crate) mod source;
pub(crate) mod upkeep;

use std::net::IpAddr;

use common::UserId;
use common::auth::{Address, Role, User};
use common::jobs::Cause;

/// Who makes a call, as far as a use case cares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its network address; none on a Unix socket.
    pub(crate) ip: Option<IpAddr>,
    /// Its `User-Agent`, cut to [`Client::DEVICE_BYTES`].
    pub(crate) device: Option<String>,
    /// What it makes the call for, for jobs that come of it.
    pub(crate) cause: Cause,
    /// The request says that it came through a gateway.
    pub(crate) forwarded: bool,
}

impl Client {
    /// As much of a `User-Agent` as a session keeps.
    pub(crate) const DEVICE_BYTES: usize = 256;
}

/// An account as answers show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Its id.
    pub(crate) id: UserId,
    /// Its address, as typed.
    pub(crate) address: Address,
    /// What it may do.
    pub(crate) role: Role,
    /// When it was made.
    pub(crate) created_at: common::Timestamp,
}

impl From<User> for Profile {
    fn from(user: User) -> Self {
        Self { id: user.id, address: user.address, role: user.role, created_at: user.created_at }
    }
}
