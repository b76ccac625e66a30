//! Another address for an account: by codes that go to both.

use common::auth::mail::{AccountEvent, MailContent};
use common::auth::{
    Address, AddressChange, AuditAction, ChangeAddressError, CodeKind, MailedCode, Principal,
};

use super::audit::Author;
use super::own_account::{self, AccountError};
use super::passwords::mailbox;
use super::{Client, codes, mails};
use crate::AuthService;

/// Sends a code to the new address and one to the old. Whether somebody has the new one already does not show in the answer: that address's owner
/// is told.
pub(crate) async fn begin(
    service: &AuthService,
    client: &Client,
    caller: &Principal,
    new: &str,
    password: &str,
) -> Result<(), AccountError> {
    let new = mailbox(new)?;
    let user = own_account::prove(service, client, caller, password).await?;
    service.limits.count_mail_by(user.id, client.ip).await?;
    let taken = service.accounts.store.find_user_by_address(&new.key()).await?;
    let taken = taken.is_some_and(|other| other.id != user.id);

    let (new_code, old_code) = (codes::new_code()?, codes::new_code()?);
    // the classic sign-up takes any text as an address; there is nobody to write to
    let both = user.address.is_mailbox();
    let kept = MailedCode {
        address: Some(new.clone()),
        other_hash: both.then(|| codes::hash_code(&old_code)),
        ..codes::mailed(&new_code, CodeKind::Email, Some(user.id), service.accounts.clock.now())
    };
    let to_new =
        if taken { MailContent::AddressInUse } else { MailContent::ConfirmNewAddress { code: new_code } };
    let mut jobs = vec![mails::mail(service, client, &new, true, to_new)];
    if both {
        let content = MailContent::ConfirmOldAddress { code: old_code, new: new.as_str().to_owned() };
        jobs.push(mails::mail(service, client, &user.address, true, content));
    }
    service.account_store.add_code(&kept, &jobs).await?;
    metrics::counter!("fm_auth_codes_mailed_total", "kind" => "email").increment(1);
    Ok(())
}

/// Changes the address by the codes of both. Both addresses are told.
pub(crate) async fn confirm(
    service: &AuthService,
    client: &Client,
    caller: &Principal,
    new_code: &str,
    old_code: Option<&str>,
) -> Result<Address, AccountError> {
    service.limits.require_code(client.ip).await?;
    let user = own_account::find(service, caller.user).await?;
    let change = AddressChange {
        user: user.id,
        hash: codes::hash_code(new_code),
        other_hash: old_code.map(codes::hash_code),
        at: service.accounts.clock.now(),
    };
    let found = service.account_store.find_code(&change.hash, CodeKind::Email, change.at).await?;
    let mut notices = mails::notice(service, client, &user, AccountEvent::AddressChanged);
    if let Some(new) = found.and_then(|code| code.address) {
        let told = common::auth::User { address: new, ..user.clone() };
        notices.extend(mails::notice(service, client, &told, AccountEvent::AddressChanged));
    }
    match service.account_store.change_address(&change, &notices).await {
        Ok(address) => {
            tracing::info!(user = %user.id, "address changed");
            service.tell_own(&Author::of(caller, client), AuditAction::OwnAddress, user.id).await;
            Ok(address)
        }
        Err(ChangeAddressError::WrongCode) => {
            service.limits.count_wrong_code(client.ip).await?;
            Err(AccountError::WrongCode)
        }
        Err(ChangeAddressError::AddressTaken) => Err(AccountError::AddressTaken),
        Err(ChangeAddressError::Port(error)) => Err(error.into()),
    }
}
