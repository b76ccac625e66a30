//! Whether an account's address is its owner's.

use common::UserId;
use common::auth::mail::MailContent;
use common::auth::{Address, AuditAction, CodeKind, MailedCode};
use common::jobs::NewJob;
use runtime::secrets::MasterKey;
use serde_json::Value;

use super::accounts::Accounts;
use super::audit::Author;
use super::limits::MailKind;
use super::own_account::AccountError;
use super::passwords::mailbox;
use super::{Client, codes, mails};
use crate::AuthService;

/// The code that verifies an address, and the mail that brings it.
pub(crate) fn code_by_mail(
    accounts: &Accounts,
    master_key: &MasterKey,
    client: &Client,
    user: Option<UserId>,
    address: &Address,
) -> Result<(MailedCode, NewJob), common::PortError> {
    let code = codes::new_code()?;
    let kept = codes::mailed(&code, CodeKind::Verify, user, accounts.clock.now());
    let content = MailContent::VerifyAddress { code };
    let mail = mails::mail_of(accounts, master_key, client, address, user.is_some(), content);
    metrics::counter!("fm_auth_codes_mailed_total", "kind" => "verify").increment(1);
    Ok((kept, mail))
}

/// Takes the code of a mail.
pub(crate) async fn verify(service: &AuthService, client: &Client, code: &str) -> Result<(), AccountError> {
    service.limits.require_code(client.ip).await?;
    let (hash, now) = (codes::hash_code(code), service.accounts.clock.now());
    let user =
        service.account_store.find_code(&hash, CodeKind::Verify, now).await?.and_then(|code| code.user);
    let by = Author { user, ..Author::unknown(client) };
    let target = user.map(|user| user.to_string());
    let line = service.audit_entry(&by, AuditAction::AddressVerified, target, Value::Null);
    match service.account_store.verify_address(&hash, now, &line).await? {
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
    service.limits.count_mail(MailKind::Verify, &key, client.ip).await?;
    let account = service.account_store.find_account_by_address(&key).await?;
    let waiting = account.filter(|account| account.verified_at.is_none() && !account.user.disabled);
    let to = waiting.as_ref().map_or(&address, |account| &account.user.address);
    let user = waiting.as_ref().map(|account| account.user.id);
    let (code, mail) = code_by_mail(&service.accounts, &service.master_key, client, user, to)?;
    service.account_store.add_code(&code, &[mail]).await?;
    Ok(())
}
