use common::auth::{Address, AuditAction, Password, User};
use common::jobs::types::welcome_mail;
use common::{JobId, PortError};
use runtime::passwords::HashError;
use serde_json::json;

use super::accounts::CreateAccountError;
use super::audit::Author;
use super::limits::{Limited, Refused};
use super::{Client, verification};
use crate::{AuthService, Registration, Verify};

/// Why there was no sign-up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignUpError {
    #[error("registration is closed")]
    Closed,
    #[error("an invitation is needed")]
    InvitationRequired,
    #[error("the invitation is not good")]
    InvalidInvitation,
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
pub(crate) fn registration(service: &AuthService, client: &Client) -> Door {
    let settings = &service.settings;
    match settings.registration {
        Registration::Open => Door::Open,
        Registration::Invitation => Door::Invitation,
        Registration::Auto if settings.loopback_only && !settings.has_public_url && !client.forwarded => {
            Door::Open
        }
        Registration::Closed | Registration::Auto => Door::Closed,
    }
}

/// Whether somebody may make themselves an account. An invitation opens each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// They may.
    Open,
    /// They may with an invitation only, and are told so.
    Invitation,
    /// They may not, unless they are invited.
    Closed,
}

/// Makes an account for whoever asks, and the job that welcomes it, in one commit.
pub(crate) async fn sign_up(
    service: &AuthService,
    client: &Client,
    address: Address,
    password: &Password,
) -> Result<User, SignUpError> {
    match registration(service, client) {
        Door::Open => {}
        Door::Invitation => return Err(SignUpError::InvitationRequired),
        Door::Closed => return Err(SignUpError::Closed),
    }
    service.limits.count_sign_up(client.ip).await?;
    let outcome = make(service, client, address, password).await;
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

async fn make(
    service: &AuthService,
    client: &Client,
    address: Address,
    password: &Password,
) -> Result<User, CreateAccountError> {
    let accounts = &service.accounts;
    let user = accounts.prepare(address, password).await?;
    let welcome = welcome_mail(JobId(accounts.ids.object_id()), user.id, user.created_at);
    let mut jobs = vec![welcome.caused_by(&client.cause)];
    let by = Author { user: Some(user.id), ..Author::unknown(client) };
    let details = json!({ "role": user.role, "how": "registration" });
    let line = service.audit_entry(&by, AuditAction::UserMade, Some(user.id.to_string()), details);
    if service.settings.accounts.verify == Verify::Required {
        let (code, mail) = verification::code_by_mail(service, client, Some(user.id), &user.address)?;
        jobs.push(mail);
        service.account_store.create_user_with_code(&user, &code, &jobs, &line).await?;
    } else {
        service.admin.users.add_user(&user, &jobs, &line).await?;
    }
    Ok(user)
}
