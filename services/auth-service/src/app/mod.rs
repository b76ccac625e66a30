//! The use cases: one function each, over the ports, knowing nothing of HTTP.

pub(crate) mod accounts;
pub(crate) mod addresses;
pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod audit_line;
pub(crate) mod codes;
pub(crate) mod deletion;
pub(crate) mod devices;
pub(crate) mod export;
pub(crate) mod groups;
pub(crate) mod identities;
mod intake;
pub(crate) mod invitations;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod mails;
pub(crate) mod my_sessions;
pub(crate) mod own_account;
pub(crate) mod own_credentials;
pub(crate) mod passwords;
pub(crate) mod profiles;
pub(crate) mod reseal;
pub(crate) mod second_factor;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub(crate) mod sign_up;
pub(crate) mod source;
pub(crate) mod stores;
pub(crate) mod tokens;
pub(crate) mod totp;
mod typed;
pub(crate) mod upkeep;
pub(crate) mod verification;

use std::net::IpAddr;

use common::UserId;
use common::auth::{Account, Address, Role};
use common::jobs::Cause;
use serde_json::{Map, Value};

/// Who makes a call, as far as a use case cares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its network address; none on a Unix socket.
    pub(crate) ip: Option<IpAddr>,
    /// Its `User-Agent`, cut to [`Client::DEVICE_BYTES`].
    pub(crate) device: Option<String>,
    /// What it makes the call for, for jobs that come of it.
    pub(crate) cause: Cause,
    /// The value of its device cookie, if it sent one that can be one.
    pub(crate) device_cookie: Option<String>,
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
    /// What others see instead of the address.
    pub(crate) name: Option<String>,
    /// Its owner proved that the address is theirs.
    pub(crate) verified: bool,
    /// A second factor is asked for.
    pub(crate) second_factor: bool,
    /// What programs keep for its owner.
    pub(crate) preferences: Map<String, Value>,
}

impl Profile {
    /// An account that was made this moment.
    pub(crate) fn fresh(user: common::auth::User) -> Self {
        let common::auth::User { id, address, role, created_at, .. } = user;
        let preferences = Map::new();
        Self { id, address, role, created_at, name: None, verified: false, second_factor: false, preferences }
    }
}

impl From<Account> for Profile {
    fn from(account: Account) -> Self {
        let (verified, second_factor) = (account.verified_at.is_some(), account.second_factor().is_some());
        let Account { user, name, preferences, .. } = account;
        let common::auth::User { id, address, role, created_at, .. } = user;
        Self { id, address, role, created_at, name, verified, second_factor, preferences }
    }
}
