use common::auth::{Account, Address, Password, User};
use common::{PortError, Timestamp};

use runtime::passwords::HashError;

use super::limits::{Limited, Refused};
use super::own_account::AccountError;
use super::second_factor::SecondFactor;
use super::{Client, deletion, devices, second_factor};
use crate::{AuthService, Verify};

/// Why there was no sign-in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    /// One answer for all causes: unknown, wrong password, disabled.
    #[error("the address or the password is wrong")]
    Invalid,
    /// The password is right; the address has to be verified first.
    #[error("the address is not verified")]
    NotVerified,
    /// The password is right; the account is deleted at this time, unless its owner takes that back.
    #[error("the account waits to be deleted")]
    Waits(Timestamp),
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The second factor.
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<Refused> for SignInError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Limited(limited) => Self::Limited(limited),
            Refused::Port(error) => Self::Port(error),
        }
    }
}

/// What somebody signs in with.
#[derive(Clone, Copy, Default)]
pub(crate) struct SignIn<'a> {
    /// The address.
    pub(crate) address: &'a str,
    /// The password.
    pub(crate) password: &'a str,
    /// Wanted where the account has one.
    pub(crate) second_factor: SecondFactor<'a>,
    /// An account that waits to be deleted is kept.
    pub(crate) cancel_deletion: bool,
}

/// Finds the account with this address and password, and whatever else it wants. Unknown accounts cost the same work as known ones.
pub(crate) async fn sign_in(
    service: &AuthService,
    client: &Client,
    asked: SignIn<'_>,
) -> Result<User, SignInError> {
    let outcome = try_sign_in(service, client, asked).await;
    count(&outcome);
    outcome
}

/// Counts how a sign-in went.
pub(crate) fn count(outcome: &Result<User, SignInError>) {
    let word = match outcome {
        Ok(_) => "good",
        Err(SignInError::Invalid) => "wrong",
        Err(SignInError::NotVerified) => "not_verified",
        Err(SignInError::Waits(_)) => "waits_for_deletion",
        Err(SignInError::Account(AccountError::SecondFactorRequired | AccountError::WrongSecondFactor)) => {
            "second_factor"
        }
        Err(SignInError::Limited(_) | SignInError::Account(AccountError::Limited(_))) => "limited",
        Err(SignInError::Hash(_) | SignInError::Port(_) | SignInError::Account(_)) => "failed",
    };
    metrics::counter!("fm_auth_sign_ins_total", "outcome" => word).increment(1);
}

async fn try_sign_in(service: &AuthService, client: &Client, asked: SignIn<'_>) -> Result<User, SignInError> {
    let account = verify_password(service, client, asked.address, asked.password).await?;
    admit(service, client, account, asked.second_factor, asked.cancel_deletion).await
}

/// Asks whoever has proved to be the owner of an account, which no administrator has disabled, for what it wants besides.
pub(crate) async fn admit(
    service: &AuthService,
    client: &Client,
    mut account: Account,
    factor: SecondFactor<'_>,
    cancel_deletion: bool,
) -> Result<User, SignInError> {
    // before a code of the second factor is used up, which is wanted for the answer
    if let Some(deletes_at) = account.deletes_at
        && !cancel_deletion
    {
        return Err(SignInError::Waits(deletes_at));
    }
    if let Err(error) = second_factor::check(service, client, &account, factor).await {
        if matches!(error, AccountError::WrongSecondFactor) {
            service.tell_sign_in_failed(Some(&account.user), client).await;
        }
        return Err(error.into());
    }
    let must_verify = service.settings.accounts.verify == Verify::Required;
    // the set-up code proves as much as a mail
    if must_verify && account.verified_at.is_none() && !account.user.bootstrap {
        return Err(SignInError::NotVerified);
    }
    if account.deletes_at.is_some() {
        // it may have been deleted just now, or kept by another sign-in
        deletion::cancel(service, client, &account).await?;
        account.user.disabled = false;
    }
    Ok(account.user)
}

async fn verify_password(
    service: &AuthService,
    client: &Client,
    address: &str,
    password: &str,
) -> Result<Account, SignInError> {
    // what no account can have; nothing is given away, and nothing is guessed
    let (Ok(address), Ok(password)) = (Address::parse(address), Password::parse(password)) else {
        return Err(SignInError::Invalid);
    };
    let key = address.key();
    let device = client.device_cookie.as_deref().map(devices::cookie_hash);
    let known = match &device {
        Some(hash) => service.account_store.is_device_of(&key, hash).await?,
        None => false,
    };
    let device = device.as_ref().filter(|_| known);
    let attempt = service.limits.begin_sign_in(&key, client.ip, device).await?;
    let accounts = &service.accounts;
    let account = service.account_store.find_account_by_address(&key).await?;
    let hash = account.as_ref().and_then(|account| account.user.password());
    let matches = accounts.hasher.verify(&password, hash).await?;
    let known = account.as_ref().map(|account| account.user.clone());
    let Some(mut account) = account.filter(|account| matches && !account.blocked) else {
        attempt.failed().await?;
        service.tell_sign_in_failed(known.as_ref(), client).await;
        return Err(SignInError::Invalid);
    };
    attempt.succeeded().await?;
    if accounts.hasher.is_outdated(&account.user.password_hash)
        && let Some(new) = upgrade_hash(service, &account.user, &password).await
    {
        account.user.password_hash = new;
    }
    Ok(account)
}

/// Replaces a hash of another cost while the password is at hand; the new one. The sign-in does not depend on it.
async fn upgrade_hash(service: &AuthService, user: &User, password: &Password) -> Option<String> {
    let accounts = &service.accounts;
    let new = match accounts.hasher.hash(password).await {
        Ok(new) => new,
        Err(error) => {
            tracing::debug!(%error, "password hash not upgraded now");
            return None;
        }
    };
    match accounts.store.upgrade_password_hash(user.id, &user.password_hash, &new).await {
        Ok(true) => {
            tracing::info!(user = %user.id, "password hash upgraded");
            Some(new)
        }
        Ok(false) => None,
        Err(error) => {
            tracing::warn!(user = %user.id, %error, "password hash not upgraded");
            None
        }
    }
}
