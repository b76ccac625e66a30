//! Administrator's commands about accounts and what belongs to them, for every program that can open their store.

mod audit;
mod groups;
mod invitations;
mod keys;
mod users;

use std::io;

use clap::{Subcommand, ValueEnum};
use common::PortError;
use common::auth::{Address, GroupError, InvalidAddress, Role, User};

use crate::app::accounts::CreateAccountError;
use crate::app::admin::{AdminError, Administration};
use crate::app::groups::InvalidGroup;
use crate::app::setup::{InvalidNewCredentials, NewCredentials};

pub use audit::AuditCommand;
pub use groups::GroupsCommand;
pub use invitations::InvitationsCommand;
pub use keys::KeysCommand;
pub use users::{Limit, StateWord, UsersCommand};

/// Rows that are read at a time.
const PAGE: u32 = 500;

/// Takes what a command says, piece by piece.
pub type Say<'a> = &'a mut (dyn FnMut(&str) + Send);

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
    /// Look at invitations, make and withdraw them
    #[command(subcommand)]
    Invitations(InvitationsCommand),
    /// Look at groups, and change them
    #[command(subcommand)]
    Groups(GroupsCommand),
    /// Print the audit log, newest first, one JSON object a line
    Audit(AuditCommand),
    /// Replace the keys that sign tokens
    #[command(subcommand)]
    Keys(KeysCommand),
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
    /// No group can be so.
    #[error("no group was made or changed: {0}")]
    InvalidGroup(#[from] InvalidGroup),
    /// Something else that was typed cannot be used.
    #[error("{0}")]
    Usage(&'static str),
    /// Someone was first, or hasher or store fail.
    #[error("no administrator was made")]
    Account(#[from] CreateAccountError),
    /// The change was refused, or could not be made.
    #[error("nothing was changed")]
    Refused(#[from] AdminError),
    /// The change of a group was refused, or could not be made.
    #[error("no group was made or changed")]
    Group(#[from] GroupError),
    /// The store, or a cache that has to be told, could not say.
    #[error("it is not known to be done")]
    Port(#[from] PortError),
}

impl AdminCommandError {
    /// Whether something else has to be typed.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Input(_) | Self::Invalid(_) | Self::Address(_) | Self::InvalidGroup(_) | Self::Usage(_) => {
                true
            }
            Self::Account(_) | Self::Port(_) => false,
            Self::Refused(error) => {
                matches!(
                    error,
                    AdminError::NotFound | AdminError::LastAdministrator | AdminError::AddressTaken
                )
            }
            Self::Group(error) => !matches!(error, GroupError::Port(_)),
        }
    }
}

impl AdminCommand {
    /// Does what was asked, and says what there is to say about it. Of any number of simultaneous calls that make the first administrator exactly one succeeds.
    ///
    /// # Errors
    /// [`AdminCommandError`]; some of a list may have been said by then.
    pub async fn run(
        self,
        administration: &Administration,
        read_password: impl FnOnce() -> io::Result<String>,
        say: Say<'_>,
    ) -> Result<(), AdminCommandError> {
        match self {
            Self::Create { email } => {
                let rules = administration.password_rules;
                let credentials = NewCredentials::parse(&email, &read_password()?, &rules)?;
                let user = administration.create_first_admin(credentials).await?;
                say(&format!("administrator {} made; sign in with the address and the password\n", user.id));
                Ok(())
            }
            Self::Users(command) => command.run(administration, read_password, say).await,
            Self::Invitations(command) => command.run(administration, say).await,
            Self::Groups(command) => command.run(administration, say).await,
            Self::Audit(command) => command.run(administration, say).await,
            Self::Keys(command) => command.run(administration, say).await,
        }
    }
}

/// The account with the address that was typed.
async fn account(administration: &Administration, email: &str) -> Result<User, AdminCommandError> {
    Ok(administration.find(&Address::parse(email)?).await?)
}
