//! Tokens with which services know one another: 60 seconds, one target, under the shared internal secret.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::routes::Service;
use common::{Clock, Code, Timestamp};
use std::future::{Ready, ready};

use crate::auth::bearer;
use crate::problem::Problem;

/// How long a service token is good (the services' clocks must agree to within [`LEEWAY`]).
pub const LIFETIME: Duration = Duration::from_secs(60);

/// How far the clock of the service that made a token may be ahead.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// Shortest secret: as long as the key that SHA-256 wants (RFC 2104, 3).
pub const MIN_SECRET_BYTES: usize = 32;

/// The secret is shorter than [`MIN_SECRET_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the internal secret has fewer than 32 bytes")]
pub struct ShortSecret;

/// Makes and checks service tokens. A token is `s1.<caller>.<target>.<expiry in seconds>.<HMAC-SHA256 in base64url>`.
#[derive(Clone)]
pub struct ServiceTokens(Arc<Keys>);

struct Keys {
    current: hmac::Key,
    previous: Option<hmac::Key>,
}

impl fmt::Debug for ServiceTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceTokens(…)")
    }
}

impl ServiceTokens {
    /// Signs with `secret` and accepts `previous` as well, so that the secret can be changed without an outage. Those who do not know `secret` yet are
    /// called by [`ServiceTokens::mint_previous`].
    ///
    /// # Errors
    /// [`ShortSecret`].
    pub fn new(secret: &[u8], previous: Option<&[u8]>) -> Result<Self, ShortSecret> {
        let key = |secret: &[u8]| {
            if secret.len() < MIN_SECRET_BYTES {
                Err(ShortSecret)
            } else {
                Ok(hmac::Key::new(hmac::HMAC_SHA256, secret))
            }
        };
        Ok(Self(Arc::new(Keys { current: key(secret)?, previous: previous.map(key).transpose()? })))
    }

    /// A token with which `caller` may call `target` for a minute.
    pub fn mint(&self, caller: Service, target: Service, now: Timestamp) -> String {
        signed(&self.0.current, caller, target, now)
    }

    /// The same under the secret before, if that is still known.
    pub fn mint_previous(&self, caller: Service, target: Service, now: Timestamp) -> Option<String> {
        self.0.previous.as_ref().map(|key| signed(key, caller, target, now))
    }

    /// Who made this token, if it is good now and meant for one of `targets`.
    pub fn verify(&self, token: &str, targets: &[Service], now: Timestamp) -> Option<Service> {
        let (claims, tag) = token.rsplit_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        let keys = [Some(&self.0.current), self.0.previous.as_ref()];
        if !keys.into_iter().flatten().any(|key| hmac::verify(key, claims.as_bytes(), &tag).is_ok()) {
            return None;
        }
        let mut parts = claims.split('.');
        let (version, caller, target, expires) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let expires: i64 = expires.parse().ok()?;
        let named = |name: &str| Service::ALL.into_iter().find(|service| service.name() == name);
        let latest = (now + LIFETIME + LEEWAY).seconds();
        let good = version == "s1"
            && parts.next().is_none()
            && targets.contains(&named(target)?)
            && now.seconds() < expires
            && expires <= latest;
        if good { named(caller) } else { None }
    }
}

fn signed(key: &hmac::Key, caller: Service, target: Service, now: Timestamp) -> String {
    let expires = (now + LIFETIME).seconds();
    let claims = format!("s1.{}.{}.{expires}", caller.name(), target.name());
    let tag = hmac::sign(key, claims.as_bytes());
    format!("{claims}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// What the internal routes of an app accept. Put one into the app's data (`web::Data<ServiceGate>`).
pub struct ServiceGate {
    tokens: ServiceTokens,
    targets: Vec<Service>,
    clock: Arc<dyn Clock>,
}

impl ServiceGate {
    /// Accepts tokens that are meant for one of `targets`: the services whose internal routes the app has.
    pub fn new(tokens: ServiceTokens, targets: impl Into<Vec<Service>>, clock: Arc<dyn Clock>) -> Self {
        Self { tokens, targets: targets.into(), clock }
    }
}

/// The service that makes an internal call. Without a good service token the answer is 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceCaller(pub Service);

impl FromRequest for ServiceCaller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = || {
            let gate = request.app_data::<web::Data<ServiceGate>>()?;
            let mut fields = request.headers().get_all(header::AUTHORIZATION);
            let (Some(field), None) = (fields.next(), fields.next()) else {
                return None;
            };
            let token = std::str::from_utf8(bearer(field.as_bytes())?).ok()?;
            gate.tokens.verify(token, &gate.targets, gate.clock.now())
        };
        ready(caller().map(Self).ok_or_else(|| Problem::new(Code::Unauthorized)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &[u8] = &[7; 32];
    const OTHER: &[u8] = &[8; 32];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_token_is_good_for_its_target_for_a_minute() {
        let tokens = ServiceTokens::new(SECRET, None).unwrap();
        let token = tokens.mint(Service::Worker, Service::Files, at(100));
        assert_eq!(tokens.verify(&token, &[Service::Files], at(100)), Some(Service::Worker));
        assert_eq!(tokens.verify(&token, &[Service::Auth, Service::Files], at(159)), Some(Service::Worker));
        assert_eq!(tokens.verify(&token, &[Service::Auth], at(100)), None);
        assert_eq!(tokens.verify(&token, &[Service::Files], at(160)), None);
        assert_eq!(tokens.verify(&token, &[Service::Files], at(95)), Some(Service::Worker));
        assert_eq!(tokens.verify(&token, &[Service::Files], at(94)), None);
    }

    #[test]
    fn the_secret_can_be_changed() {
        let old = ServiceTokens::new(OTHER, None).unwrap();
        let new = ServiceTokens::new(SECRET, Some(OTHER)).unwrap();
        let token = old.mint(Service::Auth, Service::Files, at(0));
        assert_eq!(new.verify(&token, &[Service::Files], at(0)), Some(Service::Auth));
        let token = new.mint(Service::Auth, Service::Files, at(0));
        assert_eq!(old.verify(&token, &[Service::Files], at(0)), None);
        let token = new.mint_previous(Service::Auth, Service::Files, at(0)).unwrap();
        assert_eq!(old.verify(&token, &[Service::Files], at(0)), Some(Service::Auth));
        assert_eq!(old.mint_previous(Service::Auth, Service::Files, at(0)), None);
        assert_eq!(ServiceTokens::new(&[1; 31], None).unwrap_err(), ShortSecret);
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_token(text in "\\PC{0,80}", cut in 0usize..100, flip in any::<u8>()) {
            let tokens = ServiceTokens::new(SECRET, None).unwrap();
            prop_assert_eq!(tokens.verify(&text, &Service::ALL, at(0)), None);
            let token = tokens.mint(Service::Auth, Service::Files, at(0));
            let cut = cut % token.len();
            prop_assert_eq!(tokens.verify(&token[..cut], &Service::ALL, at(0)), None);
            let mut altered = token.clone().into_bytes();
            altered[cut] ^= (flip % 127) + 1;
            if let Ok(altered) = String::from_utf8(altered) {
                // the last character carries two bits that base64 does not use; a strict decoder refuses those too
                prop_assert_eq!(tokens.verify(&altered, &Service::ALL, at(0)), None);
            }
        }
    }
}
