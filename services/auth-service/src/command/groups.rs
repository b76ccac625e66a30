use clap::Subcommand;
use common::auth::GroupChange;
use common::{GroupId, UserId};

use super::{AdminCommandError, PAGE, Say, account};
use crate::app::admin::{AdminError, Administration};
use crate::app::audit::Author;
use crate::app::groups;

/// Commands about groups
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum GroupsCommand {
    /// List groups, newest first
    List,
    /// Show who is in a group
    Show {
        /// Its id, as the list shows it
        id: GroupId,
    },
    /// Make a group
    Create {
        /// What it is called
        #[arg(long)]
        name: String,
        /// The address of somebody who is in it; may be said again
        #[arg(long = "member", value_name = "EMAIL")]
        members: Vec<String>,
    },
    /// Call a group something else
    Rename {
        /// Its id, as the list shows it
        id: GroupId,
        /// What it is called
        #[arg(long)]
        name: String,
    },
    /// Say anew who is in a group: nobody, if nobody is named
    Members {
        /// Its id, as the list shows it
        id: GroupId,
        /// The address of somebody who is in it; may be said again
        #[arg(long = "member", value_name = "EMAIL")]
        members: Vec<String>,
    },
    /// Delete a group; what was shared with it is so no more
    Delete {
        /// Its id, as the list shows it
        id: GroupId,
    },
}

impl GroupsCommand {
    pub(super) async fn run(
        self,
        administration: &Administration,
        say: Say<'_>,
    ) -> Result<(), AdminCommandError> {
        let by = Author::default();
        let done = match self {
            Self::List => return list(administration, say).await,
            Self::Show { id } => return show(administration, id, say).await,
            Self::Create { name, members } => {
                let (name, members) = (groups::name(&name)?, ids(administration, &members).await?);
                format!("group {} made\n", groups::create(administration, &by, name, members).await?.id)
            }
            Self::Rename { id, name } => {
                let change = GroupChange { name: Some(groups::name(&name)?), members: None };
                format!("group {} renamed\n", groups::change(administration, &by, id, &change).await?.id)
            }
            Self::Members { id, members } => {
                let members = Some(ids(administration, &members).await?);
                let change = GroupChange { name: None, members };
                let group = groups::change(administration, &by, id, &change).await?;
                format!("group {} has {} members\n", group.id, group.members.len())
            }
            Self::Delete { id } => {
                if !groups::delete(administration, &by, id).await? {
                    return Err(AdminError::NotFound.into());
                }
                format!("group {id} is gone\n")
            }
        };
        say(&done);
        Ok(())
    }
}

async fn ids(administration: &Administration, emails: &[String]) -> Result<Vec<UserId>, AdminCommandError> {
    let mut found = Vec::with_capacity(emails.len());
    for email in emails {
        found.push(account(administration, email).await?.id);
    }
    Ok(groups::members(found)?)
}

/// A line for each: id, how many are in it, when it was made, name.
async fn list(administration: &Administration, say: Say<'_>) -> Result<(), AdminCommandError> {
    let mut before = None::<GroupId>;
    loop {
        let page = administration.stores.groups.list_groups(None, before, PAGE).await?;
        for group in &page.items {
            let (id, many, at, name) = (group.id, group.members.len(), group.created_at, &group.name);
            say(&format!("{id}\t{many}\t{at}\t{name}\n"));
        }
        before = page.items.last().map(|group| group.id);
        if !page.more {
            return Ok(());
        }
    }
}

/// A line for each who is in it: id, address.
async fn show(administration: &Administration, id: GroupId, say: Say<'_>) -> Result<(), AdminCommandError> {
    let group = administration.stores.groups.find_group(id).await?.ok_or(AdminError::NotFound)?;
    for member in administration.accounts.store.find_users(&group.members).await? {
        say(&format!("{}\t{}\n", member.id, member.address.as_str()));
    }
    Ok(())
}
