//! Whether an account's address is its owner's.

use common::UserId;
use common::auth::mail::MailContent;
use common::auth::{Address, CodeKind, MailedCode};
use common::jobs::NewJob;

use super::own_account::AccountError;
use super::passwords::mailbox;
use super::{Client, codes, mails};
use crate::AuthService;

/// The code that verifies an address, and the mail that brings it.
pub(crate) fn code_by_mail(
    service: &AuthService,
    client: &Client,
    user: Option<UserId>,
    address: &Address,
) -> Result<(MailedCode, NewJob), common::PortError> {
    let code = codes::new_code()?;
    let kept = codes::mailed(&code, CodeKind::Verify, user, service.accounts.clock.now());
    let mail = mails::mail(service, client, address, user.is_some(), MailContent::VerifyAddress { code });
    metrics::counter!("fm_auth_codes_mailed_total", "kind" => "verify").increment(1);
    Ok((kept, mail))
}

/// Takes the code of a mail.
pub(crate) async fn verify(service: &AuthService, client: &Client, code: &str) -> Result<(), AccountError> {
    service.limits.require_code(client.ip).await?;
    let now = service.accounts.clock.now();
    match service.account_store.verify_address(&codes::hash_code(code), now).await? {
        Some(user) => {
            tracing::info!(%user, "address verified");
            Ok(())
        }
        None => {
            service.limits.count_wrong_code(client.ip).await?;
            Err(AccountError::WrongCode)
        }
    }
}

/// Sends another code, if there is an account with this address that waits for one. Whether there is shows neither in the answer nor in the work.
pub(crate) async fn resend(
    service: &AuthService,
    client: &Client,
    address: &str,
) -> Result<(), AccountError> {
    let address = mailbox(address)?;
    let key = address.key();
    service.limits.count_mail(&key, client.ip).await?;
    let account = service.account_store.find_account_by_address(&key).await?;
    let waiting = account.filter(|account| account.verified_at.is_none() && !account.user.disabled);
    let to = waiting.as_ref().map_or(&address, |account| &account.user.address);
    let (code, mail) = code_by_mail(service, client, waiting.as_ref().map(|account| account.user.id), to)?;
    service.account_store.add_code(&code, &[mail]).await?;
    Ok(())
}
