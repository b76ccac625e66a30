//! Mails about accounts. Each is a job that enters the outbox with the change that it tells of.

use common::JobId;
use common::auth::mail::{ACCOUNT_MAIL_LABEL, AccountEvent, AccountMail, MailContent};
use common::auth::{Address, User};
use common::jobs::NewJob;
use common::jobs::types::account_mail;

use runtime::secrets::MasterKey;

use super::Client;
use super::accounts::Accounts;
use crate::AuthService;

/// The job of one mail. Without an account, or with one whose address is no mailbox, it does nothing; from outside both look alike.
pub(crate) fn mail(
    service: &AuthService,
    client: &Client,
    to: &Address,
    known: bool,
    content: MailContent,
) -> NewJob {
    mail_of(&service.accounts, &service.master_key, client, to, known, content)
}

/// [`mail`], without the rest of the service.
pub(crate) fn mail_of(
    accounts: &Accounts,
    master_key: &MasterKey,
    client: &Client,
    to: &Address,
    known: bool,
    content: MailContent,
) -> NewJob {
    let mail = AccountMail { to: to.as_str().to_owned(), decoy: !known || !to.is_mailbox(), content };
    let plain = serde_json::to_vec(&mail).expect("a mail is plain data");
    let sealed = master_key.seal(ACCOUNT_MAIL_LABEL, &plain);
    account_mail(JobId(accounts.ids.object_id()), sealed, accounts.clock.now()).caused_by(&client.cause)
}

/// The job that tells the owner of an account what happened to it; none if its address is no mailbox.
pub(crate) fn notice(
    service: &AuthService,
    client: &Client,
    user: &User,
    event: AccountEvent,
) -> Vec<NewJob> {
    notice_of(&service.accounts, &service.master_key, client, user, event)
}

/// [`notice`], without the rest of the service.
pub(crate) fn notice_of(
    accounts: &Accounts,
    master_key: &MasterKey,
    client: &Client,
    user: &User,
    event: AccountEvent,
) -> Vec<NewJob> {
    if !user.address.is_mailbox() {
        return Vec::new();
    }
    let content = MailContent::Notice {
        event,
        at: accounts.clock.now(),
        device: client.device.clone(),
        address: client.ip.map(|ip| ip.to_string()),
    };
    vec![mail_of(accounts, master_key, client, &user.address, true, content)]
}
