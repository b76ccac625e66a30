use std::fmt;

use async_trait::async_trait;

use super::{Address, AddressKey, CreateUserError, User};
use crate::error::PortResult;
use crate::{Timestamp, UserId};

/// A password as another product kept it.
#[derive(Clone, PartialEq, Eq)]
pub enum FormerPassword {
    /// Its SHA-1, without salt. Never stored as it is.
    Sha1([u8; 20]),
    /// Nothing that a password can be held against: its owner has to ask for a new one.
    Unusable,
}

impl fmt::Debug for FormerPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1(_) => "Sha1(…)",
            Self::Unusable => "Unusable",
        })
    }
}

/// An account of another product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerAccount {
    /// The id that it keeps.
    pub id: UserId,
    /// Its address.
    pub address: Address,
    /// Its password.
    pub password: FormerPassword,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Takes accounts of another product over, for administrator's commands.
#[async_trait]
pub trait AccountIntake: Send + Sync {
    /// The account with this id.
    async fn find_by_id(&self, id: UserId) -> PortResult<Option<User>>;

    /// The account with this address.
    async fn find_by_address(&self, key: &AddressKey) -> PortResult<Option<User>>;

    /// Makes an ordinary account with the id and the password that it had, with its line of the audit log. Nobody is written to.
    ///
    /// # Errors
    /// `AddressTaken`.
    async fn take(&self, account: &FormerAccount) -> Result<(), CreateUserError>;
}
