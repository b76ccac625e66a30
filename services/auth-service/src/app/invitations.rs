//! Invitations: rights to make an account where registration is closed.

use std::time::Duration;

use aws_lc_rs::rand;
use common::auth::mail::MailContent;
use common::auth::{Address, AuditAction, Invitation, Password, Role, UseInvitationError, User};
use common::jobs::NewJob;
use common::jobs::types::welcome_mail;
use common::{InvitationId, JobId, PortError, PortResult, Sha256, Timestamp, UserId};
use serde_json::{Value, json};

use super::accounts::Accounts;
use super::admin::Administration;
use super::audit::{self, Author};
use super::limits::MailKind;
use super::sign_up::{self, SignUpError};
use super::{Client, mails, verification};
use crate::{AuthService, Verify};

/// The longest that one can be good.
pub(crate) const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How long an invitation is good unless it says otherwise.
pub(crate) const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How often its mail is tried; 20 minutes apart in the end, so for a day.
const MAIL_ATTEMPTS: u32 = 80;

/// How every code begins, so that it is known from other words.
const PREFIX: &str = "fmi_";

/// What a new invitation shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewInvitation {
    pub(crate) address: Option<Address>,
    pub(crate) role: Role,
    pub(crate) expires_at: Timestamp,
}

/// Makes an invitation, and the mail that brings it, in one commit; its code is shown once.
pub(crate) async fn create(
    administration: &Administration,
    client: &Client,
    made_by: UserId,
    by: &Author,
    new: NewInvitation,
) -> PortResult<(Invitation, String)> {
    let mut bytes = [0; 20];
    rand::fill(&mut bytes).map_err(|_| PortError::broken("random", "the system gives no random bytes"))?;
    let code = format!("{PREFIX}{}", hex::encode(bytes));
    let accounts = &administration.accounts;
    let invitation = Invitation {
        id: InvitationId(accounts.ids.object_id()),
        hash: hash(&code),
        address: new.address,
        role: new.role,
        made_by,
        created_at: accounts.clock.now(),
        expires_at: new.expires_at,
    };
    let mail = invitation.address.as_ref().map(|address| {
        let content = MailContent::Invitation { code: code.clone(), expires_at: invitation.expires_at };
        let mail = mails::mail_of(accounts, &administration.master_key, client, address, true, content);
        // unlike other codes it is good for days
        NewJob { max_attempts: MAIL_ATTEMPTS, ..mail }
    });
    let details = json!({ "role": invitation.role, "bound": invitation.address.is_some() });
    let target = Some(invitation.id.to_string());
    let entry =
        audit::entry(&*accounts.ids, &*accounts.clock, by, AuditAction::InvitationMade, target, details);
    administration.stores.invitations.create_invitation(&invitation, mail.as_slice(), &entry).await?;
    tracing::info!(invitation = %invitation.id, role = invitation.role.word(), "invitation made");
    Ok((invitation, code))
}

/// Withdraws an invitation. False if it is unknown or was used.
pub(crate) async fn withdraw(
    administration: &Administration,
    by: &Author,
    id: InvitationId,
) -> PortResult<bool> {
    let Accounts { ids, clock, .. } = &administration.accounts;
    let target = Some(id.to_string());
    let entry = audit::entry(&**ids, &**clock, by, AuditAction::InvitationWithdrawn, target, Value::Null);
    administration.stores.invitations.delete_invitation(id, &entry).await
}

/// Makes an account for whoever has the code of an invitation, and uses it up.
pub(crate) async fn accept(
    service: &AuthService,
    client: &Client,
    code: &str,
    address: Address,
    password: &Password,
) -> Result<User, SignUpError> {
    service.limits.count_sign_up(client.ip).await?;
    if service.settings.accounts.verify == Verify::Required {
        service.limits.count_mail_to(MailKind::Register, &address.key()).await?;
    }
    let accounts = &service.accounts;
    let hash = hash(code);
    // spares the hash of the password; the store decides
    let found = service.admin.invitations.find_invitation(&hash, accounts.clock.now()).await?;
    let Some(invitation) = found else { return Err(SignUpError::InvalidInvitation) };
    // what somebody gave who may give nothing any more is worth nothing
    let maker = accounts.store.find_user(invitation.made_by).await?;
    if !maker.is_some_and(|maker| maker.role == Role::Admin && !maker.disabled) {
        return Err(SignUpError::InvalidInvitation);
    }
    let user = accounts.new_user(address, password, invitation.role, false).await?;
    let welcome = welcome_mail(JobId(accounts.ids.object_id()), user.id, user.created_at);
    let by = Author { user: Some(user.id), ..Author::unknown(client) };
    let details = json!({ "invitation": invitation.id, "role": user.role });
    let entry =
        service.audit_entry(&by, AuditAction::InvitationUsed, Some(invitation.id.to_string()), details);
    let mut jobs = vec![welcome.caused_by(&client.cause)];
    if user.role == Role::Admin {
        jobs.extend(service.administration.tell_administrators(client, &user).await?);
    }
    let must_verify = service.settings.accounts.verify == Verify::Required;
    if must_verify {
        let (code, mail) =
            verification::code_by_mail(accounts, &service.master_key, client, Some(user.id), &user.address)?;
        // before the account, so that no account waits for a code that is nowhere; without the account it does nothing, and expires
        service.account_store.add_code(&code, &[]).await?;
        jobs.push(mail);
    }
    match service.admin.invitations.create_invited_user(&user, &hash, &jobs, &entry).await {
        Ok(()) => {
            tracing::info!(user = %user.id, "account made by invitation");
            Ok(user)
        }
        Err(UseInvitationError::Invalid) => Err(SignUpError::InvalidInvitation),
        // as for whoever registers without one; the invitation stays
        Err(UseInvitationError::AddressTaken) if must_verify => {
            sign_up::tell_owner(service, client, &user.address).await?;
            Ok(user)
        }
        Err(UseInvitationError::AddressTaken) => Err(SignUpError::AddressTaken),
        Err(UseInvitationError::Port(error)) => Err(SignUpError::Port(error)),
    }
}

fn hash(code: &str) -> [u8; 32] {
    Sha256::of(code.as_bytes()).0
}
