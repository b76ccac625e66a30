//! New passwords: by whoever knows the old one, or by a code that goes by mail.

use common::auth::mail::{AccountEvent, MailContent};
use common::auth::{Account, Address, CodeKind, Password, PasswordChange, PasswordProof, Principal, User};

use super::audit::Author;
use super::limits::MailKind;
use super::own_account::{self, AccountError};
use super::setup::AddressFault;
use super::{Client, codes, devices, identities, mails, my_sessions};
use crate::AuthService;

/// Sets a new password for a caller who knows the old one, and ends their other sessions, and their API tokens and identities if they want that. Without the cache nothing
/// changes: a repetition would bring a password that is the old one no more.
pub(crate) async fn change(
    service: &AuthService,
    client: &Client,
    caller: &Principal,
    current: &str,
    new: &str,
    end_tokens: bool,
) -> Result<(), AccountError> {
    // what cannot be chosen costs no hash
    let new = chosen(service, &own_account::find(service, caller.user).await?, "/new", new)?;
    let user = own_account::prove(service, client, caller, current).await?;
    let change = PasswordChange {
        user: user.id,
        proof: PasswordProof::Hash(user.password_hash.clone()),
        password_hash: service.accounts.hasher.hash(&new).await?,
        keep: caller.session(),
        keep_devices: devices::hashes(client),
        end_tokens,
        at: service.accounts.clock.now(),
    };
    let identities = if end_tokens { identities::end_with_password(service, &user).await? } else { 0 };
    let event = AccountEvent::PasswordChanged { tokens_ended: end_tokens, identities_ended: identities > 0 };
    let notice = mails::notice(service, client, &user, event);
    my_sessions::forget(service, user.id).await?;
    if !service.account_store.change_password(&change, &notice).await? {
        return Err(AccountError::Conflict);
    }
    service.tell_password(&Author::of(caller, client), user.id, end_tokens, identities).await;
    done(&user, "changed");
    Ok(())
}

/// Sends a code for a new password to the address, if there is an account with it. Whether there is shows neither in the answer nor in the work.
pub(crate) async fn forgot(
    service: &AuthService,
    client: &Client,
    address: &str,
) -> Result<(), AccountError> {
    let address = mailbox(address)?;
    let key = address.key();
    service.limits.count_mail(MailKind::Reset, &key, client.ip).await?;
    let user = service.account_store.find_account_by_address(&key).await?.and_then(reachable);
    let code = codes::new_code()?;
    let kept = codes::mailed(
        &code,
        CodeKind::Reset,
        user.as_ref().map(|user| user.id),
        service.accounts.clock.now(),
    );
    let to = user.as_ref().map_or(&address, |user| &user.address);
    let mail = mails::mail(service, client, to, user.is_some(), MailContent::ResetPassword { code });
    service.account_store.add_code(&kept, &[mail]).await?;
    metrics::counter!("fm_auth_codes_mailed_total", "kind" => "reset").increment(1);
    Ok(())
}

/// Sets a new password by a code, and ends all sessions, API tokens and identities of the account; but an account that a provider made keeps its identities
/// with its first password. Without the cache nothing changes, and the code stays good.
pub(crate) async fn reset(
    service: &AuthService,
    client: &Client,
    code: &str,
    new: &str,
) -> Result<(), AccountError> {
    service.limits.require_code(client.ip).await?;
    let (hash, now) = (codes::hash_code(code), service.accounts.clock.now());
    let found = service.account_store.find_code(&hash, CodeKind::Reset, now).await?;
    let user = match found.and_then(|code| code.user) {
        Some(user) => service.account_store.find_account(user).await?.and_then(reachable),
        None => None,
    };
    let Some(user) = user else {
        service.limits.count_wrong_code(client.ip).await?;
        return Err(AccountError::WrongCode);
    };
    let new = chosen(service, &user, "/password", new)?;
    let change = PasswordChange {
        user: user.id,
        proof: PasswordProof::Code(hash),
        password_hash: service.accounts.hasher.hash(&new).await?,
        keep: None,
        keep_devices: Vec::new(),
        // whoever knew the old one may have made some
        end_tokens: true,
        at: now,
    };
    let identities = identities::end_with_password(service, &user).await?;
    let event = AccountEvent::PasswordReset { identities_ended: identities > 0 };
    let notice = mails::notice(service, client, &user, event);
    my_sessions::forget(service, user.id).await?;
    if !service.account_store.change_password(&change, &notice).await? {
        return Err(AccountError::WrongCode);
    }
    service.tell_password(&Author::unknown(client), user.id, true, identities).await;
    done(&user, "reset");
    Ok(())
}

/// The account, unless an administrator disabled it. One that waits to be deleted can be kept by its owner, whoever else knew the password.
fn reachable(account: Account) -> Option<User> {
    (!account.blocked).then_some(account.user)
}

fn chosen(
    service: &AuthService,
    user: &User,
    pointer: &'static str,
    text: &str,
) -> Result<Password, AccountError> {
    let rules = service.settings.accounts.password_rules();
    rules.check(text, Some(&user.address)).map_err(|error| AccountError::BadPassword(pointer, error))
}

/// An address that mail can be sent to.
pub(crate) fn mailbox(text: &str) -> Result<Address, AddressFault> {
    let address = Address::parse(text)?;
    if address.is_mailbox() { Ok(address) } else { Err(AddressFault::NoMailbox) }
}

fn done(user: &User, how: &'static str) {
    metrics::counter!("fm_auth_passwords_set_total", "how" => how).increment(1);
    tracing::info!(user = %user.id, how, "password set");
}
