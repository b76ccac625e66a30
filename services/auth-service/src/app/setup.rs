//! The first administrator: made by whoever has the set-up code, or by the administrator's command.

use std::fmt;

use common::auth::{
    Address, AuditAction, AuditEntry, InvalidAddress, InvalidPassword, Password, PasswordRules, User,
};
use common::{PortError, Sha256};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::Client;
use super::accounts::{Accounts, CreateAccountError};
use super::audit::Author;
use super::limits::{Limited, Refused};
use super::typed::{self, canonical};
use crate::AuthService;
use runtime::passwords::HashError;

/// What a new account needs, checked by the rules for everything but the classic sign-up: an address that mail can be sent to, and a
/// password by [`PasswordRules`].
#[derive(Debug, Clone)]
pub struct NewCredentials {
    /// The address.
    pub address: Address,
    /// The password.
    pub password: Password,
}

/// An address that a new account cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// No account can.
    #[error(transparent)]
    Invalid(#[from] InvalidAddress),
    /// No mail can be sent to it.
    #[error("the address has not the form name@domain")]
    NoMailbox,
}

/// What is wrong with new credentials; at least one of both.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", [self.address.as_ref().map(ToString::to_string), self.password.as_ref().map(ToString::to_string)].into_iter().flatten().collect::<Vec<_>>().join(", and "))]
pub struct InvalidNewCredentials {
    /// What is wrong with the address.
    pub address: Option<AddressFault>,
    /// What is wrong with the password.
    pub password: Option<InvalidPassword>,
}

impl NewCredentials {
    /// Checks both parts.
    ///
    /// # Errors
    /// [`InvalidNewCredentials`], with all that is wrong.
    pub fn parse(
        address: &str,
        password: &str,
        rules: &PasswordRules,
    ) -> Result<Self, InvalidNewCredentials> {
        let address = match Address::parse(address) {
            Ok(address) if address.is_mailbox() => Ok(address),
            Ok(_) => Err(AddressFault::NoMailbox),
            Err(error) => Err(error.into()),
        };
        let password = rules.check(password, address.as_ref().ok());
        match (address, password) {
            (Ok(address), Ok(password)) => Ok(Self { address, password }),
            (address, password) => {
                Err(InvalidNewCredentials { address: address.err(), password: password.err() })
            }
        }
    }

    /// Checks a new password of an account that is there.
    ///
    /// # Errors
    /// [`InvalidNewCredentials`].
    pub fn parse_password(
        password: &str,
        owner: &Address,
        rules: &PasswordRules,
    ) -> Result<Password, InvalidNewCredentials> {
        rules
            .check(password, Some(owner))
            .map_err(|error| InvalidNewCredentials { address: None, password: Some(error) })
    }
}

/// The code that a fresh installation shows to whoever started it. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct SetupCode(String);

impl SetupCode {
    /// A code of 80 bits from a key: the same in every replica and after each start, so that it can be read from any log.
    pub(crate) fn from_key(key: &[u8; 32]) -> Self {
        let bits = key[..10].iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let five = |place: u32| u8::try_from(bits >> (5 * place) & 31).expect("five bits fit");
        Self(typed::code((0..16).rev().map(five), 4))
    }

    /// The code, to be shown at the start.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is the code, in whatever case and grouping it was typed. Takes the same time for every wrong one.
    pub fn matches(&self, typed: &str) -> bool {
        let digest = |text: &str| Sha256::of(canonical(text).as_bytes()).0;
        digest(&self.0).ct_eq(&digest(typed)).into()
    }
}

impl fmt::Debug for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetupCode(…)")
    }
}

/// Why there is no first administrator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error("there is an administrator already")]
    AlreadySetUp,
    #[error("the set-up code is wrong")]
    WrongCode,
    #[error("the address is taken")]
    AddressTaken,
    #[error(transparent)]
    Invalid(#[from] InvalidNewCredentials),
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<Refused> for SetupError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Limited(limited) => Self::Limited(limited),
            Refused::Port(error) => Self::Port(error),
        }
    }
}

impl From<CreateAccountError> for SetupError {
    fn from(error: CreateAccountError) -> Self {
        match error {
            CreateAccountError::AddressTaken => Self::AddressTaken,
            CreateAccountError::AlreadySetUp => Self::AlreadySetUp,
            CreateAccountError::Hash(error) => Self::Hash(error),
            CreateAccountError::Port(error) => Self::Port(error),
        }
    }
}

/// Makes the first administrator for whoever has the set-up code. It works once, since it is looked at only while there is none.
pub(crate) async fn set_up(
    service: &AuthService,
    client: &Client,
    code: &str,
    address: &str,
    password: &str,
) -> Result<User, SetupError> {
    if service.accounts.store.has_admin().await? {
        return Err(SetupError::AlreadySetUp);
    }
    service.limits.require_setup(client.ip).await?;
    if !service.setup_code.matches(code) {
        service.limits.count_wrong_setup_code(client.ip).await?;
        tracing::warn!("wrong set-up code");
        return Err(SetupError::WrongCode);
    }
    let credentials = NewCredentials::parse(address, password, &service.settings.accounts.password_rules())?;
    let line = |user: &User| {
        let by = Author { user: Some(user.id), ..Author::unknown(client) };
        let details = json!({ "role": user.role, "how": "setup" });
        service.audit_entry(&by, AuditAction::UserMade, Some(user.id.to_string()), details)
    };
    Ok(create_first_admin(&service.accounts, credentials, line).await?)
}

/// Makes the first administrator, with the line of the audit log. Of any number of simultaneous calls exactly one succeeds.
///
/// # Errors
/// `AlreadySetUp`, `AddressTaken`, and what hasher and store say.
pub(crate) async fn create_first_admin(
    accounts: &Accounts,
    credentials: NewCredentials,
    line: impl FnOnce(&User) -> AuditEntry + Send,
) -> Result<User, CreateAccountError> {
    let NewCredentials { address, password } = credentials;
    let user = accounts.create_first_admin(address, &password, line).await?;
    tracing::info!(user = %user.id, "first administrator made");
    Ok(user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = SetupCode::from_key(&[0xA5; 32]);
        assert_eq!(code.reveal(), "MPJT-B9D5-MPJT-B9D5");
        assert!(code.matches("mpjtb9d5mpjtb9d5"));
        assert!(code.matches(" MPJT B9D5 MPJT B9D5\n"));
        assert!(!code.matches("MPJT-B9D5-MPJT-B9D4"));
        assert!(!code.matches(""));
        assert!(SetupCode::from_key(&[0; 32]).matches("OOOO-0000-oooo-0000"));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let rules = PasswordRules::default();
        let error = NewCredentials::parse("nobody", "short", &rules).unwrap_err();
        assert_eq!(error.address, Some(AddressFault::NoMailbox));
        assert_eq!(error.password, Some(InvalidPassword::TooShort { min_chars: 8 }));
        assert_eq!(
            error.to_string(),
            "the address has not the form name@domain, and the password has fewer than 8 characters"
        );
        assert!(NewCredentials::parse(" a@b ", "long enough", &rules).is_ok());
    }

    proptest! {
        #[test]
        fn only_the_code_matches(key in any::<[u8; 32]>(), other in any::<[u8; 32]>(), text in "\\PC{0,24}") {
            let code = SetupCode::from_key(&key);
            prop_assert!(code.matches(code.reveal()));
            prop_assert_eq!(code.matches(SetupCode::from_key(&other).reveal()), key[..10] == other[..10]);
            prop_assert!(!code.matches(&text) || canonical(&text) == canonical(code.reveal()));
        }
    }
}
