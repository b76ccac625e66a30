use clap::Args;
use common::auth::{AuditAction, AuditFilter};
use common::{Timestamp, UserId};

use super::{AdminCommandError, PAGE, Say, account};
use crate::app::admin::Administration;
use crate::app::audit_line::AuditLine;

/// Which lines of the audit log
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct AuditCommand {
    /// Only what this account did: its address, or its id if it is gone
    #[arg(long)]
    pub actor: Option<String>,
    /// Only this action, such as `session.opened`
    #[arg(long, value_parser = action)]
    pub action: Option<String>,
    /// From this time on (RFC 3339, such as `2027-01-31T00:00:00Z`)
    #[arg(long, value_parser = time)]
    pub from: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_parser = time)]
    pub to: Option<Timestamp>,
}

fn time(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(text).ok_or("a time looks like 2027-01-31T00:00:00Z")
}

fn action(word: &str) -> Result<String, String> {
    let known = || AuditAction::ALL.iter().map(|action| action.word()).collect::<Vec<_>>().join(", ");
    AuditAction::parse(word).map(|_| word.to_owned()).ok_or_else(|| format!("there are {}", known()))
}

impl AuditCommand {
    pub(super) async fn run(
        self,
        administration: &Administration,
        say: Say<'_>,
    ) -> Result<(), AdminCommandError> {
        let Self { actor, action, from, to } = self;
        let actor = match actor.as_deref().map(|text| (text, text.parse::<UserId>())) {
            Some((_, Ok(id))) => Some(id),
            Some((email, Err(_))) => Some(account(administration, email).await?.id),
            None => None,
        };
        let filter = AuditFilter { actor, action, from, to };
        let mut after = None;
        loop {
            let page = administration.stores.audit.list_audit(&filter, after, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            after = page.last().map(|entry| (entry.at, entry.id));
            page.into_iter().for_each(|entry| say(&AuditLine::from(entry).in_json()));
            if is_last {
                return Ok(());
            }
        }
    }
}
