//! The end of an account: asked for by its owner, taken back, and carried out when its time has come.

use common::auth::mail::AccountEvent;
use common::auth::{Account, AuditAction, ChangeUserError, Principal};
use common::jobs::types::account_ended;
use common::{PortResult, Timestamp};
use serde_json::json;

use super::audit::Author;
use super::own_account::{self, AccountError};
use super::second_factor::{self, SecondFactor};
use super::{Client, mails};
use crate::AuthService;

/// Accounts that are ended without looking for more.
const BATCH: u32 = 100;

/// Has the account of a caller, who has both the password and the second factor, wait to be deleted; when it will be. From the answer on it is closed to all
/// but the sign-in that takes this back. Safe to repeat, as a client does that got a 503.
pub(crate) async fn ask(
    service: &AuthService,
    client: &Client,
    caller: &Principal,
    password: &str,
    factor: SecondFactor<'_>,
) -> Result<Timestamp, AccountError> {
    let user = own_account::prove(service, client, caller, password).await?;
    let account = service.account_store.find_account(user.id).await?.ok_or(AccountError::Gone)?;
    if let Some(deletes_at) = account.deletes_at {
        service.cache.forget_user(user.id).await?;
        return Ok(deletes_at);
    }
    second_factor::check(service, client, &account, factor).await?;
    let now = service.accounts.clock.now();
    let deletes_at = now + service.settings.accounts.deletion_grace.duration();
    let notice = mails::notice(service, client, &user, AccountEvent::DeletionAsked { deletes_at });
    match service.account_store.schedule_deletion(user.id, deletes_at, now, &notice).await {
        Ok(true) => {}
        Ok(false) => return Err(AccountError::Conflict),
        Err(ChangeUserError::NotFound) => return Err(AccountError::Gone),
        Err(ChangeUserError::LastAdministrator) => return Err(AccountError::LastAdministrator),
        Err(ChangeUserError::Port(error)) => return Err(error.into()),
    }
    // its sessions and tokens, and whatever it opened to others
    service.cache.forget_user(user.id).await?;
    metrics::counter!("fm_auth_deletions_total", "what" => "asked").increment(1);
    tracing::info!(user = %user.id, %deletes_at, "account waits to be deleted");
    service.tell_own(&Author::of(caller, client), AuditAction::DeletionAsked, user.id).await;
    Ok(deletes_at)
}

/// Takes that back, for an owner who has just proved to be it. False if there is nothing to take back any more.
pub(crate) async fn cancel(service: &AuthService, client: &Client, account: &Account) -> PortResult<bool> {
    let user = &account.user;
    let notice = mails::notice(service, client, user, AccountEvent::DeletionCancelled);
    if !service.account_store.cancel_deletion(user.id, &notice).await? {
        return Ok(false);
    }
    metrics::counter!("fm_auth_deletions_total", "what" => "cancelled").increment(1);
    tracing::info!(user = %user.id, "account is not deleted after all");
    let by = Author { user: Some(user.id), ..Author::unknown(client) };
    service.tell_own(&by, AuditAction::DeletionCancelled, user.id).await;
    Ok(true)
}

/// Deletes accounts whose time has come; how many. The job that removes what other services have of one is in the outbox with the commit that ends it. Safe
/// to repeat and to run in every replica: of those that meet at an account one deletes it.
pub(crate) async fn end_due(service: &AuthService) -> PortResult<u64> {
    let mut ended = 0;
    loop {
        let now = service.accounts.clock.now();
        let due = service.account_store.list_due_deletions(now, BATCH).await?;
        for &(user, deletes_at) in &due {
            let by = Author { user: Some(user), ..Author::default() };
            let details = json!({ "asked": true });
            let line = service.audit_entry(&by, AuditAction::UserDeleted, Some(user.to_string()), details);
            let job = account_ended(user, now);
            if service.account_store.delete_user(user, deletes_at, &[job], &line).await? {
                ended += 1;
                metrics::counter!("fm_auth_deletions_total", "what" => "ended").increment(1);
                tracing::info!(%user, "account deleted as its owner asked");
            }
        }
        if due.len() < BATCH as usize {
            return Ok(ended);
        }
    }
}
