use std::io;

use clap::{Subcommand, ValueEnum};
use common::UserId;
use common::auth::mail::AccountEvent;
use common::auth::{AddressKey, Role, User, UserFilter};

use super::{AdminCommandError, PAGE, RoleWord, Say, account};
use crate::app::Client;
use crate::app::admin::{AccountChange, Administration, NewAccount};
use crate::app::audit::Author;
use crate::app::setup::NewCredentials;

/// Commands about accounts
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum UsersCommand {
    /// List accounts, newest first
    List {
        /// Only those whose address holds this text
        #[arg(long)]
        search: Option<String>,
        /// Only those with this role
        #[arg(long)]
        role: Option<RoleWord>,
        /// Only those in this state
        #[arg(long)]
        state: Option<StateWord>,
    },
    /// Show an account and what its space holds
    Show {
        /// Its address
        #[arg(long)]
        email: String,
    },
    /// Make an account; the password is read from standard input
    Create {
        /// The address to sign in with
        #[arg(long)]
        email: String,
        /// What it may do
        #[arg(long, default_value = "user")]
        role: RoleWord,
        /// The address is its owner's: no code is asked for, where the settings want one
        #[arg(long)]
        verified: bool,
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
    /// Give an account a new password, which is read from standard input; it is signed out, and its API tokens and linked identities end
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
    /// End all sessions of an account; its API tokens go on
    SignOut {
        /// Its address
        #[arg(long)]
        email: String,
    },
    /// Remove an account with all that is its
    Delete {
        /// Its address
        #[arg(long)]
        email: String,
    },
}

/// The state of an account, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateWord {
    /// It can be signed in to
    Active,
    /// An administrator disabled it, or it waits to be deleted
    Disabled,
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

impl UsersCommand {
    pub(super) async fn run(
        self,
        administration: &Administration,
        read_password: impl FnOnce() -> io::Result<String>,
        say: Say<'_>,
    ) -> Result<(), AdminCommandError> {
        // whoever can open the store has no account; the log says so by naming none
        let (by, client) = (Author::default(), Client::default());
        let find = async |email: &str| account(administration, email).await;
        let change = async |email: &str, change: AccountChange| -> Result<User, AdminCommandError> {
            let user = find(email).await?;
            Ok(administration.change(&by, &client, user.id, change).await?)
        };
        let done = match self {
            Self::List { search, role, state } => {
                let filter = UserFilter {
                    address: search.as_deref().map(AddressKey::fold).filter(|text| !text.is_empty()),
                    role: role.map(Role::from),
                    disabled: state.map(|state| state == StateWord::Disabled),
                };
                return list(administration, &filter, say).await;
            }
            Self::Show { email } => show(administration, &find(&email).await?).await,
            Self::Create { email, role, verified } => {
                let NewCredentials { address, password } =
                    NewCredentials::parse(&email, &read_password()?, &administration.password_rules)?;
                let new = NewAccount { address, password, role: role.into(), verified };
                let user = administration.create(&by, &client, new).await?;
                format!("account {} made\n", user.id)
            }
            Self::Disable { email } => {
                let disable = AccountChange { disabled: Some(true), ..AccountChange::default() };
                format!("account {} disabled\n", change(&email, disable).await?.id)
            }
            Self::Enable { email } => {
                let enable = AccountChange { disabled: Some(false), ..AccountChange::default() };
                format!("account {} enabled\n", change(&email, enable).await?.id)
            }
            Self::Role { email, role } => {
                let promote = AccountChange { role: Some(role.into()), ..AccountChange::default() };
                let user = change(&email, promote).await?;
                format!("account {} has the role {}\n", user.id, user.role.word())
            }
            Self::ResetPassword { email } => {
                let user = find(&email).await?;
                let rules = &administration.password_rules;
                let password = NewCredentials::parse_password(&read_password()?, &user.address, rules)?;
                administration.reset_password(&by, &user, &password).await?;
                let id = user.id;
                format!(
                    "account {id} has a new password and is signed out; its API tokens and linked identities have ended\n"
                )
            }
            Self::ResetSecondFactor { email } => {
                let user = find(&email).await?;
                let notice = administration.notice(&user, AccountEvent::SecondFactorOff);
                if administration.reset_second_factor(&by, user.id, &notice).await? {
                    format!("account {} signs in by its password alone\n", user.id)
                } else {
                    format!("account {} has no second factor\n", user.id)
                }
            }
            Self::Quota { email, bytes: Limit(bytes) } => {
                let limit = AccountChange { quota_bytes: Some(bytes), ..AccountChange::default() };
                let user = change(&email, limit).await?;
                let limit = bytes.map_or("no limit".to_owned(), |bytes| format!("a limit of {bytes} bytes"));
                format!("account {} has {limit}\n", user.id)
            }
            Self::SignOut { email } => {
                let sign_out = AccountChange { sign_out: true, ..AccountChange::default() };
                format!("account {} is signed out\n", change(&email, sign_out).await?.id)
            }
            Self::Delete { email } => {
                let user = find(&email).await?;
                administration.remove(&by, user.id).await?;
                format!("account {} is gone\n", user.id)
            }
        };
        say(&done);
        Ok(())
    }
}

/// Id, role, state, when it was made, address.
fn line(user: &User) -> String {
    let state = if user.disabled { "disabled" } else { "active" };
    let (id, role, at, address) = (user.id, user.role.word(), user.created_at, user.address.as_str());
    format!("{id}\t{role}\t{state}\t{at}\t{address}\n")
}

async fn list(
    administration: &Administration,
    filter: &UserFilter,
    say: Say<'_>,
) -> Result<(), AdminCommandError> {
    let mut before = None::<UserId>;
    loop {
        let page = administration.stores.users.list_users(filter, before, PAGE).await?;
        page.items.iter().for_each(|user| say(&line(user)));
        before = page.items.last().map(|user| user.id);
        if !page.more {
            return Ok(());
        }
    }
}

/// The line of the list, and what the space holds.
async fn show(administration: &Administration, user: &User) -> String {
    let space = match administration.usage(user.id).await {
        Some(usage) => {
            let quota = usage.quota_bytes.map_or("no limit".to_owned(), |bytes| format!("{bytes} bytes"));
            format!("{} bytes of {quota}, {} files and folders\n", usage.used_bytes, usage.node_count)
        }
        None => "what its space holds cannot be asked now\n".to_owned(),
    };
    line(user) + &space
}
