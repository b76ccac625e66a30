use std::sync::Arc;

use async_trait::async_trait;
use common::auth::Address;
use common::auth::mail::{ACCOUNT_MAIL_LABEL, AccountMail};
use common::jobs::types::{self, AccountMailData};
use runtime::secrets::MasterKey;
use serde_json::{Value, json};

use crate::mail::{Cause, Delivery, MailError, MailSender, account_mail};
use crate::work::{HandlerError, JobContext, JobHandler};

/// Sends mails about accounts, which come sealed: what they say is for their reader alone.
pub struct AccountMailHandler {
    master_key: Arc<MasterKey>,
    mail: Arc<dyn MailSender>,
    public_url: Option<String>,
    concurrency: usize,
}

impl AccountMailHandler {
    /// Opens mails with `master_key`. `public_url` is for the links in them.
    pub fn new(
        master_key: Arc<MasterKey>,
        mail: Arc<dyn MailSender>,
        public_url: Option<String>,
        concurrency: usize,
    ) -> Self {
        Self { master_key, mail, public_url, concurrency }
    }

    fn open(&self, data: &Value) -> Option<(AccountMail, Address)> {
        let AccountMailData { sealed } = serde_json::from_value(data.clone()).ok()?;
        let plain = self.master_key.open(ACCOUNT_MAIL_LABEL, &sealed)?;
        let mail: AccountMail = serde_json::from_slice(&plain).ok()?;
        let to = Address::parse(&mail.to).ok()?;
        Some((mail, to))
    }
}

#[async_trait]
impl JobHandler for AccountMailHandler {
    fn kind(&self) -> &'static str {
        types::ACCOUNT_MAIL
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let spec = &job.job().spec;
        let Some((mail, to)) = self.open(&spec.data) else {
            return Err(HandlerError::Permanent("The mail cannot be opened".to_owned()));
        };
        // from here on nothing tells whether there was somebody to write to
        if mail.decoy {
            return Ok(Some(json!({ "mail": "done" })));
        }
        let cause = Cause { job: spec.id, at: spec.created_at };
        let mail = account_mail(cause, &to, &mail.content, self.public_url.as_deref());
        match self.mail.send(&mail).await {
            Ok(Delivery::Sent | Delivery::Written(_)) => {}
            Err(error @ MailError::Refused(_)) => {
                tracing::info!(job = %spec.id, cause = %common::Causes(&error), "a mail about an account was refused");
            }
            Err(error @ MailError::Unavailable(_)) => {
                tracing::warn!(job = %spec.id, cause = %common::Causes(&error), "cannot send a mail about an account");
                return Err(HandlerError::Retry(error.to_string()));
            }
        }
        Ok(Some(json!({ "mail": "done" })))
    }
}
