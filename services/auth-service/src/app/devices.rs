//! Devices that accounts are signed in to from: a new one is told of, and a known one is never locked out by what strangers try.
//!
//! A browser is known by a cookie of its own, which it keeps when it signs out. A program that keeps no cookies is known by what it calls itself and the
//! network that it comes from.

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::auth::User;
use common::auth::mail::AccountEvent;
use common::{PortError, PortResult, Sha256};
use http_kit::customer_key;
use runtime::secrets::MasterKey;
use subtle::ConstantTimeEq as _;

use super::{Client, mails};
use crate::AuthService;

const COOKIE_BYTES: usize = 32;
/// As much of it is random; the rest is a mark that nobody else can make.
const RANDOM_BYTES: usize = 16;

/// The label under which the key of that mark is derived from the master key.
const MARK_LABEL: &str = "device-cookie";

/// Makes the values of the cookie, and knows those that it made.
pub(crate) struct DeviceCookies(hmac::Key);

impl DeviceCookies {
    /// Those of this master key.
    pub(crate) fn new(master: &MasterKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &master.derive(MARK_LABEL)))
    }

    /// A new value.
    pub(crate) fn issue(&self) -> PortResult<String> {
        let mut bytes = [0; COOKIE_BYTES];
        rand::fill(&mut bytes[..RANDOM_BYTES])
            .map_err(|_| PortError::broken("random", "the system gives no random bytes"))?;
        let mark = hmac::sign(&self.0, &bytes[..RANDOM_BYTES]);
        bytes[RANDOM_BYTES..].copy_from_slice(&mark.as_ref()[..COOKIE_BYTES - RANDOM_BYTES]);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Whether a value was made here.
    fn is_ours(&self, value: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(value) else { return false };
        let Some((random, mark)) = bytes.split_at_checked(RANDOM_BYTES) else { return false };
        let right = hmac::sign(&self.0, random);
        mark.ct_eq(&right.as_ref()[..COOKIE_BYTES - RANDOM_BYTES]).into()
    }
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

/// Whether the cookie that a client has may name a device of this account: it was made here, or the account was signed in to from it before. Otherwise
/// somebody made it up, who could make up many, and each would have tries of its own.
pub(crate) async fn has_good_cookie(service: &AuthService, client: &Client, user: &User) -> PortResult<bool> {
    match &client.device_cookie {
        Some(value) if service.device_cookies.is_ours(value) => Ok(true),
        Some(_) => Ok(known(service, client, user).await?.is_some()),
        None => Ok(false),
    }
}

/// Notes from where somebody signs in, and tells them by mail if that is new. Where they signed in first is not. A browser without a good cookie is given
/// `new_cookie`.
pub(crate) async fn note(
    service: &AuthService,
    client: &Client,
    user: &User,
    new_cookie: Option<&str>,
) -> PortResult<()> {
    let mut hashes = vec![program_hash(client)];
    match (new_cookie, client.device_cookie.as_deref()) {
        (Some(new), _) => hashes.push(cookie_hash(new)),
        (None, Some(value)) if has_good_cookie(service, client, user).await? => {
            hashes.push(cookie_hash(value));
        }
        (None, _) => {}
    }
    let notice = mails::notice(service, client, user, AccountEvent::NewDevice);
    let at = service.accounts.clock.now();
    if service.account_store.note_device(user.id, &hashes, at, &notice).await? {
        tracing::info!(user = %user.id, "signed in from a new device");
        metrics::counter!("fm_auth_new_devices_total").increment(1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_known_by_whoever_made_it() {
        let of = |byte: &str| DeviceCookies::new(&MasterKey::parse(&byte.repeat(32), None).unwrap());
        let (ours, others) = (of("07"), of("08"));
        let value = ours.issue().unwrap();
        assert_ne!(value, ours.issue().unwrap());
        assert!(is_cookie(&value) && ours.is_ours(&value) && !others.is_ours(&value));
        for made_up in ["", "A", &"A".repeat(43), &"A".repeat(21), &value[..42]] {
            assert!(!ours.is_ours(made_up), "{made_up}");
        }
    }
}
