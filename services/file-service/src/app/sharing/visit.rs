//! Links, as those see them who have one.

use std::net::IpAddr;
use std::time::Duration;

use common::auth::Password;
use common::files::{Action, Actor, Link, LinkToken};
use common::{Code, FileId, LinkId, Sha256, Timestamp};
use http_kit::cursor;

use crate::app::access::{Authorized, authorize};
use crate::error::AppError;
use crate::state::FileService;

/// For so long a password need not be given again.
pub(crate) const UNLOCKED_FOR: Duration = Duration::from_secs(60 * 60);

/// What a visitor shows for a link that has a password.
pub(crate) struct Shown {
    /// Tickets: several cookies may have one name.
    pub(crate) tickets: Vec<String>,
    /// The password.
    pub(crate) password: Option<String>,
    /// Whence they come.
    pub(crate) ip: Option<IpAddr>,
}

/// A link that was opened.
pub(crate) struct Visit {
    /// The link.
    pub(crate) link: Link,
    /// Who has it.
    pub(crate) actor: Actor,
}

impl Visit {
    /// What is meant by an id, or by none: then what the link leads to.
    ///
    /// # Errors
    /// As [`authorize`].
    pub(crate) async fn authorize(
        &self,
        service: &FileService,
        action: Action,
        id: Option<FileId>,
    ) -> Result<Authorized, AppError> {
        authorize(service, self.actor, action, id.unwrap_or(self.link.node)).await
    }
}

/// The link with this token.
///
/// # Errors
/// `not_found` for what is none, has ended, or was made by somebody who may not share any more.
pub(crate) async fn find(service: &FileService, token: &str) -> Result<(Link, Actor), AppError> {
    let gone = || AppError::refused(Code::NotFound);
    let token = LinkToken::parse(token).map_err(|_| gone())?;
    let link = service.links.find_link_by_token(token).await?.ok_or_else(gone)?;
    let actor = service.gate.open(&link).await?;
    Ok((link, actor))
}

/// Opens the link with this token.
///
/// # Errors
/// As [`find`] and [`unlock`]; `link_locked` without ticket and password.
pub(crate) async fn enter(service: &FileService, token: &str, shown: &Shown) -> Result<Visit, AppError> {
    let (link, actor) = find(service, token).await?;
    if let Some(hash) = &link.password_hash {
        let subject = subject(&link, hash);
        let now = service.clock.now();
        let is_good = |text: &String| {
            let end = cursor::verify::<i64>(&service.link_key, &subject, text);
            end.is_ok_and(|end| now < Timestamp::from_millis(end))
        };
        match &shown.password {
            _ if shown.tickets.iter().any(is_good) => {}
            Some(password) => check(service, &link, password, shown.ip).await?,
            None => return Err(AppError::refused(Code::LinkLocked)),
        }
    }
    Ok(Visit { link, actor })
}

/// Gives a ticket for the password of a link, and says when it ends. A link without a password gives one for anything.
///
/// # Errors
/// As [`find`]; `wrong_password`; `rate_limited`.
pub(crate) async fn unlock(
    service: &FileService,
    token: &str,
    password: &str,
    ip: Option<IpAddr>,
) -> Result<(Link, String, Timestamp), AppError> {
    let (link, _) = find(service, token).await?;
    check(service, &link, password, ip).await?;
    let end = service.clock.now() + UNLOCKED_FOR;
    let subject = subject(&link, link.password_hash.as_deref().unwrap_or_default());
    let ticket = cursor::sign(&service.link_key, &subject, &end.millis());
    Ok((link, ticket, end))
}

/// Counts that an upload in pieces is begun by a link from this address.
///
/// # Errors
/// `rate_limited`.
pub(crate) async fn begins_upload(
    service: &FileService,
    link: LinkId,
    ip: Option<IpAddr>,
) -> Result<(), AppError> {
    let judged = service.guesses.upload(link, ip).await?;
    judged.map_err(|too_many| AppError::RateLimited { retry_after: too_many.retry_after })
}

/// Counts that a file comes by a link from this address, in one request.
///
/// # Errors
/// `rate_limited`.
pub(crate) async fn drops_file(
    service: &FileService,
    link: LinkId,
    ip: Option<IpAddr>,
) -> Result<(), AppError> {
    let judged = service.guesses.drop_file(link, ip, service.settings.most_drops_at_once).await?;
    judged.map_err(|too_many| AppError::RateLimited { retry_after: too_many.retry_after })
}

/// A ticket is bound to the password that was given, so that it ends with it.
fn subject(link: &Link, hash: &str) -> String {
    format!("unlock/{}/{}", link.id, Sha256::of(hash.as_bytes()))
}

async fn check(
    service: &FileService,
    link: &Link,
    password: &str,
    ip: Option<IpAddr>,
) -> Result<(), AppError> {
    let Some(hash) = &link.password_hash else { return Ok(()) };
    if service.guesses.was_right((link.id, hash.as_str()), ip, password).await? {
        return Ok(());
    }
    let guess = match service.guesses.begin(link.id, ip).await? {
        Ok(guess) => guess,
        Err(too_many) => return Err(AppError::RateLimited { retry_after: too_many.retry_after }),
    };
    // what cannot be a password is none, and counts all the same
    let is_right = match Password::parse(password) {
        Ok(parsed) => service.hasher.verify(&parsed, Some(hash)).await?,
        Err(_) => false,
    };
    if is_right {
        service.guesses.succeeded(guess, hash, password).await?;
        Ok(())
    } else {
        service.guesses.failed(guess).await?;
        Err(AppError::refused(Code::WrongPassword))
    }
}
