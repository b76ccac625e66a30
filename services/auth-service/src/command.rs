//! Administrator's commands about accounts, for every program that can open their store.

use std::io;

use clap::Subcommand;
use common::auth::PasswordRules;

use crate::app::accounts::{Accounts, CreateAccountError};
use crate::app::setup::{InvalidNewCredentials, NewCredentials, create_first_admin};

/// Administrator's commands
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum AdminCommand {
    /// Make the first administrator; the password is read from standard input
    Create {
        /// The address to sign in with
        #[arg(long)]
        email: String,
    },
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdminCommandError {
    /// The password cannot be read.
    #[error("the password cannot be read")]
    Input(#[from] io::Error),
    /// What was typed cannot be used.
    #[error("no administrator was made: {0}")]
    Invalid(#[from] InvalidNewCredentials),
    /// Someone was first, or hasher or store fail.
    #[error("no administrator was made")]
    Account(#[from] CreateAccountError),
}

impl AdminCommandError {
    /// Whether something else has to be typed.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Input(_) | Self::Invalid(_))
    }
}

impl AdminCommand {
    /// Does what was asked; what to tell whoever asked. Of any number of simultaneous calls that make the first administrator exactly one succeeds.
    ///
    /// # Errors
    /// [`AdminCommandError`]
    pub async fn run(
        self,
        accounts: &Accounts,
        read_password: impl FnOnce() -> io::Result<String>,
    ) -> Result<String, AdminCommandError> {
        match self {
            Self::Create { email } => {
                let credentials =
                    NewCredentials::parse(&email, &read_password()?, &PasswordRules::default())?;
                let user = create_first_admin(accounts, credentials).await?;
                Ok(format!("administrator {} made; sign in with the address and the password\n", user.id))
            }
        }
    }
}
