use common::PortError;
use common::auth::{Address, Password, User};

use super::Client;
use super::limits::{Limited, Refused};
use crate::AuthService;
use runtime::passwords::HashError;

/// Why there was no sign-in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    /// One answer for all causes: unknown, wrong password, disabled.
    #[error("the address or the password is wrong")]
    Invalid,
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    Hash(#[from] HashError),
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

/// Finds the account with this address and password. Unknown accounts cost the same work as known ones.
pub(crate) async fn verify_password(
    service: &AuthService,
    client: &Client,
    address: &str,
    password: &str,
) -> Result<User, SignInError> {
    let outcome = try_password(service, client, address, password).await;
    let word = match &outcome {
        Ok(_) => "good",
        Err(SignInError::Invalid) => "wrong",
        Err(SignInError::Limited(_)) => "limited",
        Err(SignInError::Hash(_) | SignInError::Port(_)) => "failed",
    };
    metrics::counter!("fm_auth_sign_ins_total", "outcome" => word).increment(1);
    outcome
}

async fn try_password(
    service: &AuthService,
    client: &Client,
    address: &str,
    password: &str,
) -> Result<User, SignInError> {
    // what no account can have; nothing is given away, and nothing is guessed
    let (Ok(address), Ok(password)) = (Address::parse(address), Password::parse(password)) else {
        return Err(SignInError::Invalid);
    };
    let key = address.key();
    let attempt = service.limits.begin_sign_in(&key, client.ip).await?;
    let accounts = &service.accounts;
    let user = accounts.store.find_user_by_address(&key).await?;
    let hash = user.as_ref().map(|user| user.password_hash.as_str());
    let matches = accounts.hasher.verify(&password, hash).await?;
    let Some(user) = user.filter(|user| matches && !user.disabled) else {
        attempt.failed().await?;
        return Err(SignInError::Invalid);
    };
    attempt.succeeded().await?;
    if accounts.hasher.is_outdated(&user.password_hash) {
        upgrade_hash(service, &user, &password).await;
    }
    Ok(user)
}

/// Replaces a hash of another cost while the password is at hand. The sign-in does not depend on it.
async fn upgrade_hash(service: &AuthService, user: &User, password: &Password) {
    let accounts = &service.accounts;
    let new = match accounts.hasher.hash(password).await {
        Ok(new) => new,
        Err(error) => {
            tracing::debug!(%error, "password hash not upgraded now");
            return;
        }
    };
    match accounts.store.upgrade_password_hash(user.id, &user.password_hash, &new).await {
        Ok(true) => tracing::info!(user = %user.id, "password hash upgraded"),
        Ok(false) => {}
        Err(error) => tracing::warn!(user = %user.id, %error, "password hash not upgraded"),
    }
}
