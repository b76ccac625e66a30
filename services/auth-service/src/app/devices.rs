//! Devices that accounts are signed in to from: a new one is told of, and a known one is never locked out by what strangers try.
//!
//! A browser is known by a cookie of its own, which it keeps when it signs out. A program that keeps no cookies is known by what it calls itself and the
//! network that it comes from.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::auth::User;
use common::auth::mail::AccountEvent;
use common::{PortError, PortResult, Sha256};

use super::{Client, mails};
use crate::AuthService;
use http_kit::customer_key;

const COOKIE_BYTES: usize = 32;

/// A new value for the cookie.
pub(crate) fn new_cookie() -> PortResult<String> {
    let mut bytes = [0; COOKIE_BYTES];
    rand::fill(&mut bytes).map_err(|_| PortError::broken("random", "the system gives no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether a text can be the value of the cookie.
pub(crate) fn is_cookie(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == COOKIE_BYTES)
}

/// What is kept of a cookie.
pub(crate) fn cookie_hash(value: &str) -> [u8; 32] {
    Sha256::of(format!("cookie {value}").as_bytes()).0
}

/// What is kept of a client without a cookie.
fn program_hash(client: &Client) -> [u8; 32] {
    let name = client.device.as_deref().unwrap_or_default();
    Sha256::of(format!("program {} {name}", customer_key(client.ip)).as_bytes()).0
}

/// What is kept of a client.
pub(crate) fn hashes(client: &Client) -> Vec<[u8; 32]> {
    let cookie = client.device_cookie.as_deref().map(cookie_hash);
    [program_hash(client)].into_iter().chain(cookie).collect()
}

/// The device that a request comes from, if the account was signed in to from it before.
pub(crate) async fn known(
    service: &AuthService,
    client: &Client,
    user: &User,
) -> PortResult<Option<[u8; 32]>> {
    let Some(hash) = client.device_cookie.as_deref().map(cookie_hash) else { return Ok(None) };
    Ok(service.account_store.is_device_of(&user.address.key(), &hash).await?.then_some(hash))
}

/// Notes from where somebody signs in, and tells them by mail if that is new. Where they signed in first is not.
pub(crate) async fn note(
    service: &AuthService,
    client: &Client,
    user: &User,
    new_cookie: Option<&str>,
) -> PortResult<()> {
    let mut hashes = hashes(client);
    hashes.extend(new_cookie.map(cookie_hash));
    let notice = mails::notice(service, client, user, AccountEvent::NewDevice);
    let at = service.accounts.clock.now();
    if service.account_store.note_device(user.id, &hashes, at, &notice).await? {
        tracing::info!(user = %user.id, "signed in from a new device");
        metrics::counter!("fm_auth_new_devices_total").increment(1);
    }
    Ok(())
}
