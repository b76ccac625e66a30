//! Administrator's commands about accounts, for every program that can open their store.

use std::fmt::Write as _;
use std::io;

use clap::{Subcommand, ValueEnum};
use common::UserId;
use common::auth::mail::AccountEvent;
use common::auth::{Address, InvalidAddress, Role, User, UserFilter};

use crate::app::accounts::CreateAccountError;
use crate::app::admin::{AccountChange, AdminError, Administration};
use crate::app::audit::Author;
use crate::app::setup::{InvalidNewCredentials, NewCredentials};

/// Administrator's commands
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum AdminCommand {
    /// Make the first administrator; the password is read from standard input
    Create {
        /// The address to sign in with
        #[arg(long)]
        email: String,
    },
    /// Look at accounts, and change them
    #[command(subcommand)]
    Users(UsersCommand),
}

/// Commands about accounts
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum UsersCommand {
    /// List accounts, newest first
    List {
        /// Only those whose address holds this text
        #[arg(long)]
        search: Option<String>,
    },
    /// Make an account; the password is read from standard input
    Create {
        /// The address to sign in with
        #[arg(long)]
        email: String,
        /// What it may do
        #[arg(long, default_value = "user")]
        role: RoleWord,
    },
    /// Keep an account out; it is signed out
    Disable {
        /// Its address
        #[arg(long)]
        email: String,
    },
    /// Let an account in again
    Enable {
        /// Its address
        #[arg(long)]
        email: String,
    },
    /// Make an account an administrator, or an ordinary one
    Role {
        /// Its address
        #[arg(long)]
        email: String,
        /// What it may do
        role: RoleWord,
    },
    /// Give an account a new password, which is read from standard input; it is signed out, and its API tokens end
    ResetPassword {
        /// Its address
        #[arg(long)]
        email: String,
    },
    /// Take the second factor away from an account whose owner has lost it
    ResetSecondFactor {
        /// Its address
        #[arg(long)]
        email: String,
    },
    /// Limit how much an account may store
    Quota {
        /// Its address
        #[arg(long)]
        email: String,
        /// Most bytes, or `none`
        bytes: Limit,
    },
}

/// A role, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleWord {
    /// Own files only
    User,
    /// Administers the installation
    Admin,
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Self {
        match word {
            RoleWord::User => Self::User,
            RoleWord::Admin => Self::Admin,
        }
    }
}

/// A limit in bytes, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub Option<u64>);

impl std::str::FromStr for Limit {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(|bytes| Self(Some(bytes))) }
    }
}

/// Accounts that are read at a time.
const PAGE: u32 = 500;

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdminCommandError {
    /// The password cannot be read.
    #[error("the password cannot be read")]
    Input(#[from] io::Error),
    /// What was typed cannot be used.
    #[error("no account was made: {0}")]
    Invalid(#[from] InvalidNewCredentials),
    /// No account has such an address.
    #[error("this is no address")]
    Address(#[from] InvalidAddress),
    /// Someone was first, or hasher or store fail.
    #[error("no administrator was made")]
    Account(#[from] CreateAccountError),
    /// The change was refused, or could not be made.
    #[error("nothing was changed")]
    Refused(#[from] AdminError),
}

impl AdminCommandError {
    /// Whether something else has to be typed.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Input(_) | Self::Invalid(_) | Self::Address(_) => true,
            Self::Account(_) => false,
            Self::Refused(error) => {
                matches!(
                    error,
                    AdminError::NotFound | AdminError::LastAdministrator | AdminError::AddressTaken
                )
            }
        }
    }
}

impl AdminCommand {
    /// Does what was asked; what to tell whoever asked. Of any number of simultaneous calls that make the first administrator exactly one succeeds.
    ///
    /// # Errors
    /// [`AdminCommandError`]
    pub async fn run(
        self,
        administration: &Administration,
        read_password: impl FnOnce() -> io::Result<String>,
    ) -> Result<String, AdminCommandError> {
        match self {
            Self::Create { email } => {
                let rules = administration.password_rules;
                let credentials = NewCredentials::parse(&email, &read_password()?, &rules)?;
                let user = administration.create_first_admin(credentials).await?;
                Ok(format!("administrator {} made; sign in with the address and the password\n", user.id))
            }
            Self::Users(command) => command.run(administration, read_password).await,
        }
    }
}

impl UsersCommand {
    async fn run(
        self,
        administration: &Administration,
        read_password: impl FnOnce() -> io::Result<String>,
    ) -> Result<String, AdminCommandError> {
        // whoever can open the store has no account; the log says so by naming none
        let by = Author::default();
        let find = async |email: &str| -> Result<User, AdminCommandError> {
            Ok(administration.find(&Address::parse(email)?).await?)
        };
        let change = async |email: &str, change: AccountChange| -> Result<User, AdminCommandError> {
            let user = find(email).await?;
            Ok(administration.change(&by, user.id, change).await?)
        };
        match self {
            Self::List { search } => list(administration, search.as_deref()).await,
            Self::Create { email, role } => {
                let NewCredentials { address, password } =
                    NewCredentials::parse(&email, &read_password()?, &administration.password_rules)?;
                let user = administration.create(&by, address, &password, role.into()).await?;
                Ok(format!("account {} made\n", user.id))
            }
            Self::Disable { email } => {
                let disable = AccountChange { disabled: Some(true), ..AccountChange::default() };
                Ok(format!("account {} disabled\n", change(&email, disable).await?.id))
            }
            Self::Enable { email } => {
                let enable = AccountChange { disabled: Some(false), ..AccountChange::default() };
                Ok(format!("account {} enabled\n", change(&email, enable).await?.id))
            }
            Self::Role { email, role } => {
                let promote = AccountChange { role: Some(role.into()), ..AccountChange::default() };
                let user = change(&email, promote).await?;
                Ok(format!("account {} has the role {}\n", user.id, user.role.word()))
            }
            Self::ResetPassword { email } => {
                let user = find(&email).await?;
                let password = NewCredentials::parse_password(
                    &read_password()?,
                    &user.address,
                    &administration.password_rules,
                )?;
                administration.reset_password(&by, &user, &password).await?;
                Ok(format!(
                    "account {} has a new password and is signed out; its API tokens have ended\n",
                    user.id
                ))
            }
            Self::ResetSecondFactor { email } => {
                let user = find(&email).await?;
                let notice = administration.notice(&user, AccountEvent::SecondFactorOff);
                Ok(if administration.reset_second_factor(&by, user.id, &notice).await? {
                    format!("account {} signs in by its password alone\n", user.id)
                } else {
                    format!("account {} has no second factor\n", user.id)
                })
            }
            Self::Quota { email, bytes: Limit(bytes) } => {
                let limit = AccountChange { quota_bytes: Some(bytes), ..AccountChange::default() };
                let user = change(&email, limit).await?;
                let limit = bytes.map_or("no limit".to_owned(), |bytes| format!("a limit of {bytes} bytes"));
                Ok(format!("account {} has {limit}\n", user.id))
            }
        }
    }
}

/// A line for each account: id, role, state, when it was made, address.
async fn list(administration: &Administration, search: Option<&str>) -> Result<String, AdminCommandError> {
    let filter = UserFilter {
        address: search.map(common::auth::AddressKey::fold).filter(|text| !text.is_empty()),
        ..UserFilter::default()
    };
    let (mut text, mut before) = (String::new(), None::<UserId>);
    loop {
        let page = administration.stores.users.list_users(&filter, before, PAGE).await;
        let page = page.map_err(AdminError::from)?;
        for user in &page.items {
            let state = if user.disabled { "disabled" } else { "active" };
            let (id, role, at, address) = (user.id, user.role.word(), user.created_at, user.address.as_str());
            // writing to a text cannot fail
            let _ = writeln!(text, "{id}\t{role}\t{state}\t{at}\t{address}");
        }
        before = page.items.last().map(|user| user.id);
        if !page.more {
            return Ok(text);
        }
    }
}
