//! The second factor of an account: begun, confirmed, asked for at each sign-in, removed.

use common::auth::mail::AccountEvent;
use common::auth::{Account, AuditAction, AuditEntry, Principal, Totp, TotpConfirmation};
use common::{PortError, UserId};
use qrcode::QrCode;
use qrcode::render::svg;
use serde_json::Value;

use super::audit::Author;
use super::limits::FactorTry;
use super::own_account::{self, AccountError};
use super::totp::Secret;
use super::{Client, codes, devices, mails, my_sessions};
use crate::AuthService;

/// What apps show beside the address.
const ISSUER: &str = "Files Manager";
/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;
/// Digits of one, five bits each: nobody guesses one, whoever has the hashes included.
const RECOVERY_DIGITS: usize = 16;
/// Least width of the picture, in the units of its own that it is scaled from.
const PICTURE: u32 = 200;

/// What a sign-in brings besides the password.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SecondFactor<'a> {
    /// The code that the app shows.
    pub(crate) totp: Option<&'a str>,
    /// One of the codes for when there is no app.
    pub(crate) recovery_code: Option<&'a str>,
}

/// What is needed to set up an app.
pub(crate) struct Enrolment {
    /// In base 32, to be typed.
    pub(crate) secret: String,
    /// The same with all that belongs to it.
    pub(crate) uri: String,
    /// That as a QR code.
    pub(crate) qr: String,
}

/// Begins a second factor. It is not asked for before it is confirmed.
pub(crate) async fn begin(
    service: &AuthService,
    client: &Client,
    caller: &Principal,
    password: &str,
) -> Result<Enrolment, AccountError> {
    let user = own_account::prove(service, client, caller, password).await?;
    let secret = Secret::new()?;
    let sealed = service.master_key.seal(&label(user.id), secret.bytes());
    if !service.account_store.begin_totp(user.id, &sealed).await? {
        return Err(AccountError::HasSecondFactor);
    }
    let uri = secret.uri(ISSUER, user.address.as_str());
    let picture = QrCode::new(&uri).map_err(|error| PortError::broken("qr", error))?;
    let qr = picture.render::<svg::Color<'_>>().min_dimensions(PICTURE, PICTURE).build();
    Ok(Enrolment { secret: secret.base32(), uri, qr })
}

/// Confirms the second factor by a code of the app. The recovery codes, which are shown this once. All other sessions end, and all devices but this one are
/// forgotten: whoever knew the password until now has neither. Without the cache nothing changes.
pub(crate) async fn confirm(
    service: &AuthService,
    client: &Client,
    caller: &Principal,
    code: &str,
) -> Result<Vec<String>, AccountError> {
    let account = service.account_store.find_account(caller.user).await?.ok_or(AccountError::Gone)?;
    if account.second_factor().is_some() {
        return Err(AccountError::HasSecondFactor);
    }
    let totp = account.totp.as_ref().ok_or(AccountError::NoSecondFactor)?;
    // only who is signed in comes here, and there is no other factor yet that somebody could guess
    let counted =
        service.limits.count_second_factor(caller.user, FactorTry::App { known_device: None }).await?;
    let now = service.accounts.clock.now();
    let Some(step) = open(service, caller.user, totp)?.matching_step(code, now) else {
        return Err(AccountError::WrongSecondFactor);
    };
    counted.succeeded().await?;
    let recovery: Vec<String> =
        (0..RECOVERY_CODES).map(|_| codes::random_text(RECOVERY_DIGITS, 4)).collect::<Result<_, _>>()?;
    let confirmation = TotpConfirmation {
        user: caller.user,
        sealed: totp.sealed.clone(),
        step,
        recovery: recovery.iter().map(|code| codes::hash_code(code)).collect(),
        keep: caller.session(),
        keep_devices: devices::hashes(client),
        at: now,
    };
    let notice = mails::notice(service, client, &account.user, AccountEvent::SecondFactorOn);
    let line = own_line(service, &Author::of(caller, client), AuditAction::SecondFactorOn, caller.user);
    my_sessions::forget(service, caller.user).await?;
    if !service.account_store.confirm_totp(&confirmation, &notice, &line).await? {
        return Err(AccountError::Conflict);
    }
    tracing::info!(user = %caller.user, "second factor confirmed");
    Ok(recovery)
}

/// Removes the second factor of a caller who has both the password and the factor. One that was not confirmed goes by the password alone.
pub(crate) async fn remove(
    service: &AuthService,
    client: &Client,
    caller: &Principal,
    password: &str,
    factor: SecondFactor<'_>,
) -> Result<(), AccountError> {
    let user = own_account::prove(service, client, caller, password).await?;
    let account = service.account_store.find_account(user.id).await?.ok_or(AccountError::Gone)?;
    if account.totp.is_none() {
        return Err(AccountError::NoSecondFactor);
    }
    let confirmed = account.second_factor().is_some();
    check(service, client, &account, factor).await?;
    let event = AccountEvent::SecondFactorOff;
    let notice = if confirmed { mails::notice(service, client, &user, event) } else { Vec::new() };
    // one that was only begun was never asked for
    let line = confirmed
        .then(|| own_line(service, &Author::of(caller, client), AuditAction::SecondFactorOff, user.id));
    if !service.account_store.remove_totp(user.id, &notice, line.as_ref()).await? {
        return Err(AccountError::Conflict);
    }
    tracing::info!(user = %user.id, "second factor removed");
    Ok(())
}

/// Asks for the second factor, if the account has one. Each code works once.
pub(crate) async fn check(
    service: &AuthService,
    client: &Client,
    account: &Account,
    factor: SecondFactor<'_>,
) -> Result<(), AccountError> {
    let Some(totp) = account.second_factor() else { return Ok(()) };
    let user = account.user.id;
    if factor.totp.is_none() && factor.recovery_code.is_none() {
        return Err(AccountError::SecondFactorRequired);
    }
    // counted before it is looked at: a volley of guesses gets no further than one after another
    let device = match factor.totp {
        Some(_) => devices::known(service, client, &account.user).await?,
        None => None,
    };
    let try_of = match factor.totp {
        Some(_) => FactorTry::App { known_device: device.as_ref() },
        None => FactorTry::Recovery { ip: client.ip },
    };
    let counted = service.limits.count_second_factor(user, try_of).await?;
    let right = match (factor.totp, factor.recovery_code) {
        (Some(code), _) => match open(service, user, totp)?.matching_step(code, service.accounts.clock.now())
        {
            Some(step) => service.account_store.use_totp_step(user, step).await?,
            None => false,
        },
        (None, Some(code)) => {
            let event = AccountEvent::RecoveryCodeUsed;
            let notice = mails::notice(service, client, &account.user, event);
            let by = Author { user: Some(user), ..Author::unknown(client) };
            let line = own_line(service, &by, AuditAction::RecoveryCodeUsed, user);
            let hash = codes::hash_code(code);
            service.account_store.use_recovery_code(user, &hash, &notice, &line).await?.is_some()
        }
        (None, None) => false,
    };
    if !right {
        metrics::counter!("fm_auth_second_factors_total", "outcome" => "wrong").increment(1);
        return Err(AccountError::WrongSecondFactor);
    }
    metrics::counter!("fm_auth_second_factors_total", "outcome" => "good").increment(1);
    counted.succeeded().await?;
    Ok(())
}

/// A line about what somebody does with their own account.
fn own_line(service: &AuthService, by: &Author, action: AuditAction, user: UserId) -> AuditEntry {
    service.audit_entry(by, action, Some(user.to_string()), Value::Null)
}

/// The sealed bytes are bound to their use and their account.
pub(crate) fn label(user: UserId) -> String {
    format!("totp {user}")
}

fn open(service: &AuthService, user: UserId, totp: &Totp) -> Result<Secret, PortError> {
    let opened = service.master_key.open(&label(user), &totp.sealed);
    opened.map(Secret::from_bytes).ok_or_else(|| {
        PortError::broken("store", "a second factor was sealed under another master key, or altered")
    })
}
