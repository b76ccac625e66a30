use std::sync::Arc;

use async_trait::async_trait;
use common::auth::Address;
use common::jobs::types::{self, InvitationMail, InvitationMailData};
use runtime::secrets::MasterKey;
use serde_json::{Value, json};

use crate::mail::{self, Cause, Delivery, MailError, MailSender};
use crate::work::{HandlerError, JobContext, JobHandler};

/// Sends invitations by mail.
pub struct InvitationHandler {
    master_key: Arc<MasterKey>,
    mail: Arc<dyn MailSender>,
    public_url: Option<String>,
    concurrency: usize,
}

impl InvitationHandler {
    /// `master_key` opens what auth-service sealed. `public_url` is for the link in the mail.
    pub fn new(
        master_key: Arc<MasterKey>,
        mail: Arc<dyn MailSender>,
        public_url: Option<String>,
        concurrency: usize,
    ) -> Self {
        Self { master_key, mail, public_url, concurrency }
    }

    fn open(&self, data: &Value) -> Option<InvitationMail> {
        let data: InvitationMailData = serde_json::from_value(data.clone()).ok()?;
        let plain = self.master_key.open(InvitationMail::SEAL_LABEL, &data.sealed)?;
        serde_json::from_slice(&plain).ok()
    }
}

#[async_trait]
impl JobHandler for InvitationHandler {
    fn kind(&self) -> &'static str {
        types::INVITATION_MAIL
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let spec = &job.job().spec;
        let unreadable = || HandlerError::Permanent("The invitation cannot be read".to_owned());
        let invitation = self.open(&spec.data).ok_or_else(unreadable)?;
        let address = Address::parse(&invitation.address).map_err(|_| unreadable())?;
        let cause = Cause { job: spec.id, at: spec.created_at };
        let mail = mail::invitation(cause, &address, &invitation, self.public_url.as_deref());
        match self.mail.send(&mail).await {
            Ok(Delivery::Sent) => Ok(Some(json!({ "mail": "sent" }))),
            Ok(Delivery::Written(_)) => Ok(Some(json!({ "mail": "written" }))),
            Err(error @ MailError::Refused(_)) => Err(HandlerError::Permanent(error.to_string())),
            Err(error @ MailError::Unavailable(_)) => {
                tracing::warn!(job = %spec.id, cause = %common::Causes(&error), "cannot send the invitation");
                Err(HandlerError::Retry(error.to_string()))
            }
        }
    }
}
