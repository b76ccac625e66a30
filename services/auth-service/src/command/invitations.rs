use std::time::Duration;

use clap::Subcommand;
use common::InvitationId;
use common::auth::{Address, Role};

use super::{AdminCommandError, PAGE, RoleWord, Say, account};
use crate::app::Client;
use crate::app::admin::{AdminError, Administration};
use crate::app::audit::Author;
use crate::app::invitations::{self, NewInvitation};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Commands about invitations
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum InvitationsCommand {
    /// List the invitations that can be used, newest first
    List,
    /// Make an invitation, and print its code; with an address, a mail brings it there
    Create {
        /// The address of the administrator in whose name it is made; it is worth nothing when they are none any more
        #[arg(long)]
        by: String,
        /// Only for an account with this address
        #[arg(long)]
        email: Option<String>,
        /// What the account may do
        #[arg(long, default_value = "user")]
        role: RoleWord,
        /// How many days it is good
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=366))]
        days: u32,
    },
    /// Withdraw an invitation
    Withdraw {
        /// Its id, as the list shows it
        id: InvitationId,
    },
}

impl InvitationsCommand {
    pub(super) async fn run(
        self,
        administration: &Administration,
        say: Say<'_>,
    ) -> Result<(), AdminCommandError> {
        let by = Author::default();
        match self {
            Self::List => list(administration, say).await,
            Self::Create { by: maker, email, role, days } => {
                let maker = account(administration, &maker).await?;
                if maker.role != Role::Admin || maker.disabled {
                    return Err(AdminCommandError::Usage(
                        "an invitation is made in the name of an administrator",
                    ));
                }
                let new = NewInvitation {
                    address: email.as_deref().map(mailbox).transpose()?,
                    role: role.into(),
                    expires_at: administration.accounts.clock.now() + DAY * days,
                };
                let client = Client::default();
                let (made, code) = invitations::create(administration, &client, maker.id, &by, new).await?;
                say(&format!("invitation {} made, good until {}: {code}\n", made.id, made.expires_at));
                Ok(())
            }
            Self::Withdraw { id } => {
                if !invitations::withdraw(administration, &by, id).await? {
                    return Err(AdminError::NotFound.into());
                }
                say(&format!("invitation {id} withdrawn\n"));
                Ok(())
            }
        }
    }
}

fn mailbox(text: &str) -> Result<Address, AdminCommandError> {
    let address = Address::parse(text)?;
    if address.is_mailbox() {
        Ok(address)
    } else {
        Err(AdminCommandError::Usage("the address has not the form name@domain"))
    }
}

/// A line for each: id, role, until when, who made it, for which address.
async fn list(administration: &Administration, say: Say<'_>) -> Result<(), AdminCommandError> {
    let now = administration.accounts.clock.now();
    let mut before = None::<InvitationId>;
    loop {
        let page = administration.stores.invitations.list_invitations(now, before, PAGE).await?;
        for one in &page.items {
            let address = one.address.as_ref().map_or("*", Address::as_str);
            let (id, role, until, by) = (one.id, one.role.word(), one.expires_at, one.made_by);
            say(&format!("{id}\t{role}\t{until}\t{by}\t{address}\n"));
        }
        before = page.items.last().map(|one| one.id);
        if !page.more {
            return Ok(());
        }
    }
}
