use std::sync::Arc;

use async_trait::async_trait;
use clients::AuthClient;
use common::UserId;
use common::auth::Address;
use common::jobs::types;
use serde_json::{Value, json};

use crate::mail::{self, Cause, Delivery, MailError, MailSender};
use crate::work::{HandlerError, JobContext, JobHandler};

/// Welcomes a new user by mail.
pub struct WelcomeHandler {
    users: AuthClient,
    mail: Arc<dyn MailSender>,
    public_url: Option<String>,
    concurrency: usize,
}

impl WelcomeHandler {
    /// Asks auth-service for the address. `public_url` is for the link in the mail.
    pub fn new(
        users: AuthClient,
        mail: Arc<dyn MailSender>,
        public_url: Option<String>,
        concurrency: usize,
    ) -> Self {
        Self { users, mail, public_url, concurrency }
    }
}

#[async_trait]
impl JobHandler for WelcomeHandler {
    fn kind(&self) -> &'static str {
        types::WELCOME_MAIL
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let user = match job.member("userId") {
            None => return Err(HandlerError::Permanent("Missing userId".to_owned())),
            Some(value) if value == "" => return Err(HandlerError::Permanent("Missing userId".to_owned())),
            Some(value) => value.as_str().and_then(|text| UserId::parse(text).ok()).ok_or_else(not_found)?,
        };
        let found = self.users.find_user(user).await?.ok_or_else(not_found)?;
        let address = Address::parse(&found.address).map_err(|_| not_found())?;
        let spec = &job.job().spec;
        let cause = Cause { job: spec.id, at: spec.created_at };
        let result = if address.is_mailbox() {
            let mail = mail::welcome(cause, &address, self.public_url.as_deref());
            match self.mail.send(&mail).await {
                Ok(Delivery::Sent) => json!({ "mail": "sent" }),
                Ok(Delivery::Written(_)) => json!({ "mail": "written" }),
                // the account is there whether or not its address can get mail
                Err(error @ MailError::Refused(_)) => {
                    tracing::info!(job = %spec.id, cause = %common::Causes(&error), "the welcome mail was refused");
                    json!({ "mail": "refused" })
                }
                Err(error @ MailError::Unavailable(_)) => {
                    tracing::warn!(job = %spec.id, cause = %common::Causes(&error), "cannot send the welcome mail");
                    return Err(HandlerError::Retry(error.to_string()));
                }
            }
        } else {
            // the classic sign-up takes any text as an address
            json!({ "mail": "no mailbox" })
        };
        let shown =
            if self.mail.is_development() { address.as_str().to_owned() } else { masked(address.as_str()) };
        job.log(&format!("Welcome {shown}!")).await?;
        Ok(Some(result))
    }
}

fn not_found() -> HandlerError {
    HandlerError::Permanent("User not found".to_owned())
}

/// Enough to tell one's own address, not enough to write to it.
fn masked(address: &str) -> String {
    let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{}***@{}***", first(local), first(domain)),
        None => format!("{}***", first(address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_address_does_not_give_itself_away() {
        assert_eq!(masked("bob@dylan.com"), "b***@d***");
        assert_eq!(masked("é"), "é***");
        assert_eq!(masked("@"), "***@***");
    }
}
