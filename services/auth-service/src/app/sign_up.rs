use common::auth::mail::MailContent;
use common::auth::{Address, AuditAction, AuditEntry, CodeKind, CreateUserError, Password, Role, User};
use common::jobs::NewJob;
use common::jobs::types::welcome_mail;
use common::{JobId, PortError};
use runtime::passwords::HashError;
use serde_json::json;

use super::accounts::CreateAccountError;
use super::audit::Author;
use super::limits::{Limited, MailKind, Refused};
use super::{Client, codes, mails, verification};
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

/// What came of a sign-up.
enum Made {
    /// There is an account.
    New(User),
    /// There was one with this address. This is what a new one would have been.
    Taken(User),
}

/// Makes an account for whoever asks, and the job that welcomes it, in one commit. Where addresses are verified and the caller is `discreet`, a taken address
/// is answered as a new one, after as much work: nobody is signed in, and its owner is told by mail.
pub(crate) async fn sign_up(
    service: &AuthService,
    client: &Client,
    address: Address,
    password: &Password,
    discreet: bool,
) -> Result<User, SignUpError> {
    match registration(service, client) {
        Door::Open => {}
        Door::Invitation => return Err(SignUpError::InvitationRequired),
        Door::Closed => return Err(SignUpError::Closed),
    }
    service.limits.count_sign_up(client.ip).await?;
    let must_verify = service.settings.accounts.verify == Verify::Required;
    let discreet = discreet && must_verify;
    if discreet {
        service.limits.count_mail_to(MailKind::Register, &address.key()).await?;
    }
    let outcome = if must_verify {
        make_unverified(service, client, address, password, discreet).await
    } else {
        make(service, client, address, password).await
    };
    let word = match &outcome {
        Ok(Made::New(_)) => "created",
        Ok(Made::Taken(_)) | Err(CreateAccountError::AddressTaken) => "taken",
        Err(_) => "failed",
    };
    metrics::counter!("fm_auth_sign_ups_total", "outcome" => word).increment(1);
    match outcome? {
        Made::New(user) => {
            tracing::info!(user = %user.id, "account made");
            Ok(user)
        }
        Made::Taken(user) => Ok(user),
    }
}

async fn make(
    service: &AuthService,
    client: &Client,
    address: Address,
    password: &Password,
) -> Result<Made, CreateAccountError> {
    let user = service.accounts.prepare(address, password).await?;
    let (welcome, line) = (welcome(service, client, &user), line(service, client, &user));
    service.admin.users.add_user(&user, false, &[welcome], &line).await?;
    Ok(Made::New(user))
}

async fn make_unverified(
    service: &AuthService,
    client: &Client,
    address: Address,
    password: &Password,
    discreet: bool,
) -> Result<Made, CreateAccountError> {
    let accounts = &service.accounts;
    let user = if discreet {
        accounts.new_user(address, password, Role::User, false).await?
    } else {
        accounts.prepare(address, password).await?
    };
    let (code, mail) =
        verification::code_by_mail(accounts, &service.master_key, client, Some(user.id), &user.address)?;
    let (jobs, line) = ([welcome(service, client, &user), mail], line(service, client, &user));
    match service.account_store.create_user_with_code(&user, &code, &jobs, &line).await {
        Err(CreateUserError::AddressTaken) if discreet => {
            tell_owner(service, client, &user.address).await?;
            Ok(Made::Taken(user))
        }
        made => Ok(made.map(|()| Made::New(user))?),
    }
}

/// Tells the owner of an address that somebody wanted to make an account with it. The code beside the mail is nobody's: it makes the commit one like that of a
/// new account.
pub(crate) async fn tell_owner(
    service: &AuthService,
    client: &Client,
    address: &Address,
) -> Result<(), PortError> {
    let owner = service.accounts.store.find_user_by_address(&address.key()).await?;
    let to = owner.as_ref().map_or(address, |owner| &owner.address);
    let mail = mails::mail(service, client, to, owner.is_some(), MailContent::AddressInUse);
    let code = codes::mailed(&codes::new_code()?, CodeKind::Verify, None, service.accounts.clock.now());
    service.account_store.add_code(&code, &[mail]).await
}

fn welcome(service: &AuthService, client: &Client, user: &User) -> NewJob {
    welcome_mail(JobId(service.accounts.ids.object_id()), user.id, user.created_at).caused_by(&client.cause)
}

fn line(service: &AuthService, client: &Client, user: &User) -> AuditEntry {
    let by = Author { user: Some(user.id), ..Author::unknown(client) };
    let details = json!({ "role": user.role, "how": "registration" });
    service.audit_entry(&by, AuditAction::UserMade, Some(user.id.to_string()), details)
}
