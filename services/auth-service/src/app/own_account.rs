//! What everything has in common that people do with their own account.

use common::auth::{InvalidPassword, Password, Principal, User};
use common::{PortError, UserId};

use super::limits::{Limited, Refused};
use super::second_factor::{self, SecondFactor};
use super::setup::AddressFault;
use super::{Client, devices};
use crate::AuthService;
use runtime::passwords::HashError;

/// Why something was not done with an account.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountError {
    /// The account has gone since the credential was looked at.
    #[error("there is no such account")]
    Gone,
    #[error("the password is wrong")]
    WrongPassword,
    #[error("the code is wrong, was used before, or has expired")]
    WrongCode,
    /// Somebody else was first.
    #[error("something else changed the account at the same time")]
    Conflict,
    /// The password in this member of the body cannot be chosen.
    #[error("{1}")]
    BadPassword(&'static str, InvalidPassword),
    /// This member of the body is not allowed, and why.
    #[error("{1}")]
    BadProfile(&'static str, &'static str),
    #[error("the address is taken")]
    AddressTaken,
    #[error("a second factor is wanted")]
    SecondFactorRequired,
    #[error("the second factor is wrong")]
    WrongSecondFactor,
    #[error("there is a second factor already")]
    HasSecondFactor,
    #[error("there is no second factor")]
    NoSecondFactor,
    /// No administrator would be left.
    #[error("this is the last administrator")]
    LastAdministrator,
    #[error(transparent)]
    BadAddress(#[from] AddressFault),
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<Refused> for AccountError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Limited(limited) => Self::Limited(limited),
            Refused::Port(error) => Self::Port(error),
        }
    }
}

/// The account of a caller.
pub(crate) async fn find(service: &AuthService, user: UserId) -> Result<User, AccountError> {
    service.accounts.store.find_user(user).await?.ok_or(AccountError::Gone)
}

/// What a caller brings once more, to prove that the session is theirs.
#[derive(Clone, Copy)]
pub(crate) struct Proof<'a> {
    pub(crate) password: &'a str,
    /// Wanted where the account has one.
    pub(crate) second_factor: SecondFactor<'a>,
}

/// The account of a caller who proves by password and second factor to be its owner.
pub(crate) async fn prove_wholly(
    service: &AuthService,
    client: &Client,
    caller: &Principal,
    proof: Proof<'_>,
) -> Result<User, AccountError> {
    let user = prove(service, client, caller, proof.password).await?;
    let account = service.account_store.find_account(user.id).await?.ok_or(AccountError::Gone)?;
    second_factor::check(service, client, &account, proof.second_factor).await?;
    Ok(user)
}

/// The account of a caller who proves once more to know its password. Whoever has only found a session cannot guess for long.
pub(crate) async fn prove(
    service: &AuthService,
    client: &Client,
    caller: &Principal,
    password: &str,
) -> Result<User, AccountError> {
    let user = find(service, caller.user).await?;
    let known = devices::known(service, client, &user).await?.is_some();
    let proof = service.limits.begin_proof(user.id, caller.session(), known).await?;
    let right = match Password::parse(password) {
        Ok(password) => service.accounts.hasher.verify(&password, user.password()).await?,
        Err(_) => false,
    };
    if !right {
        proof.failed().await?;
        tracing::info!(user = %user.id, "wrong password where it was asked for again");
        return Err(AccountError::WrongPassword);
    }
    proof.succeeded().await?;
    Ok(user)
}
