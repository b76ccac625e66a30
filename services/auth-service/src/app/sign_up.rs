use common::auth::{Address, Password, User};
use common::jobs::types::welcome_mail;
use common::{JobId, PortError};

use super::Client;
use super::accounts::CreateAccountError;
use super::limits::{Limited, Refused};
use crate::{AuthService, Registration};
use runtime::passwords::HashError;

/// Why there was no sign-up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignUpError {
    #[error("registration is closed")]
    Closed,
    #[error("the address is taken")]
    AddressTaken,
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<Refused> for SignUpError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Limited(limited) => Self::Limited(limited),
            Refused::Port(error) => Self::Port(error),
        }
    }
}

impl From<CreateAccountError> for SignUpError {
    fn from(error: CreateAccountError) -> Self {
        match error {
            CreateAccountError::AddressTaken => Self::AddressTaken,
            CreateAccountError::AlreadySetUp => Self::Port(PortError::broken(
                "store",
                "an ordinary account was answered like a first administrator",
            )),
            CreateAccountError::Hash(error) => Self::Hash(error),
            CreateAccountError::Port(error) => Self::Port(error),
        }
    }
}

/// Whether this client may make itself an account. Unless a setting says so, only where nobody but this machine can: listening on loopback,
/// without a public address, and not through a gateway.
pub(crate) fn registration_is_open(service: &AuthService, client: &Client) -> bool {
    let settings = &service.settings;
    match settings.registration {
        Registration::Open => true,
        Registration::Closed => false,
        Registration::Auto => settings.loopback_only && !settings.has_public_url && !client.forwarded,
    }
}

/// Makes an account for whoever asks, and the job that welcomes it, in one commit.
pub(crate) async fn sign_up(
    service: &AuthService,
    client: &Client,
    address: Address,
    password: &Password,
) -> Result<User, SignUpError> {
    if !registration_is_open(service, client) {
        return Err(SignUpError::Closed);
    }
    service.limits.count_sign_up(client.ip).await?;
    let accounts = &service.accounts;
    let welcome = |user: &User| {
        let job = welcome_mail(JobId(accounts.ids.object_id()), user.id, user.created_at);
        vec![job.caused_by(&client.cause)]
    };
    let outcome = accounts.create(address, password, welcome).await;
    let word = match &outcome {
        Ok(_) => "created",
        Err(CreateAccountError::AddressTaken) => "taken",
        Err(_) => "failed",
    };
    metrics::counter!("fm_auth_sign_ups_total", "outcome" => word).increment(1);
    let user = outcome?;
    tracing::info!(user = %user.id, "account made");
    Ok(user)
}
