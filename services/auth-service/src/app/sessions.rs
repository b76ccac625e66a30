//! Sessions: what a sign-in makes, a refresh renews and a sign-out ends.

use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::auth::{RefreshOutcome, Session, SessionKind, User};
use common::{PortError, PortResult, SessionId, Sha256, Timestamp};
use http_kit::credentials::Claims;

use super::Client;
use super::audit::Author;
use crate::AuthService;

/// How long the token of `GET /connect` is good.
pub(crate) const CLASSIC_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a cookie session lasts.
pub(crate) const COOKIE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long an access token is good.
pub(crate) const ACCESS_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How long a refresh token is good.
pub(crate) const REFRESH_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The longest that any token is good: a key must verify for so long after it last signed.
pub(crate) const LONGEST_TOKEN: Duration = COOKIE_LIFETIME;

const REFRESH_BYTES: usize = 32;

/// What the client gets.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Issued {
    /// One token, in the answer of `GET /connect`.
    Classic { token: String },
    /// One token, for the cookie.
    Cookie { token: String },
    /// A short token and one to renew it with.
    Token { access: String, refresh: String },
}

/// A new session.
pub(crate) struct Opened {
    /// Its id.
    pub(crate) session: SessionId,
    /// What carries it.
    pub(crate) issued: Issued,
}

/// Why nothing was renewed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RefreshError {
    /// Unknown, used before, ended, or of an account that is gone or disabled.
    #[error("the refresh token is not good")]
    Invalid,
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Opens a session for an account whose owner has proved to be it, by what `user` says. Its id is always new. None if that account is another one now:
/// disabled, gone, or with another password.
pub(crate) async fn open(
    service: &AuthService,
    user: &User,
    kind: SessionKind,
    client: &Client,
) -> PortResult<Option<Opened>> {
    let now = service.accounts.clock.now();
    let refresh = (kind == SessionKind::Token).then(new_refresh_token).transpose()?;
    let lifetime = match kind {
        SessionKind::Classic => CLASSIC_LIFETIME,
        SessionKind::Cookie => COOKIE_LIFETIME,
        SessionKind::Token => REFRESH_LIFETIME,
    };
    let session = Session {
        id: SessionId(service.accounts.ids.object_id()),
        user: user.id,
        kind,
        created_at: now,
        expires_at: now + lifetime,
        revoked_at: None,
        device: client.device.clone(),
        address: client.ip.map(|ip| ip.to_string()),
        refresh_hash: refresh.as_deref().map(refresh_hash),
    };
    let accounts = &service.accounts;
    accounts.store.create_session(&session).await?;
    // proof took a while: who changed the password or disabled the account meanwhile ended all sessions but this one, which came too late for that
    let current = accounts.store.find_user(user.id).await?;
    if current.is_none_or(|current| current.disabled || current.password_hash != user.password_hash) {
        end(service, session.id).await?;
        return Ok(None);
    }
    metrics::counter!("fm_auth_sessions_opened_total", "kind" => kind.word()).increment(1);
    tracing::info!(user = %user.id, session = %session.id, kind = kind.word(), "session opened");
    service.tell_signed_in(user.id, session.id, kind.word(), client).await;
    let issued = match (kind, refresh) {
        (SessionKind::Classic, _) => {
            Issued::Classic { token: sign(service, &session, now, session.expires_at) }
        }
        (SessionKind::Token, Some(refresh)) => {
            Issued::Token { access: sign(service, &session, now, now + ACCESS_LIFETIME), refresh }
        }
        (SessionKind::Cookie | SessionKind::Token, _) => {
            Issued::Cookie { token: sign(service, &session, now, session.expires_at) }
        }
    };
    Ok(Some(Opened { session: session.id, issued }))
}

/// Exchanges a refresh token for a new pair. One that was used before, and not just now by a client whose answer was lost, ends its session, since somebody
/// copied it. Safe to repeat, as a client does that got a 503: the caches are told of that end each time.
pub(crate) async fn refresh(service: &AuthService, token: &str) -> Result<(User, Issued), RefreshError> {
    let outcome = try_refresh(service, token).await;
    let word = match &outcome {
        Ok(_) => "rotated",
        Err(RefreshError::Invalid) => "refused",
        Err(RefreshError::Port(_)) => "failed",
    };
    metrics::counter!("fm_auth_refreshes_total", "outcome" => word).increment(1);
    outcome
}

async fn try_refresh(service: &AuthService, token: &str) -> Result<(User, Issued), RefreshError> {
    if !is_refresh_token(token) {
        return Err(RefreshError::Invalid);
    }
    let now = service.accounts.clock.now();
    let new = new_refresh_token()?;
    let store = &service.accounts.store;
    let outcome =
        store.rotate_refresh(&refresh_hash(token), &refresh_hash(&new), now, now + REFRESH_LIFETIME).await?;
    let session = match outcome {
        RefreshOutcome::Rotated(session) => session,
        RefreshOutcome::Reused(session) => {
            tracing::warn!(%session, "refresh token used twice; session ended");
            metrics::counter!("fm_auth_refresh_reuses_total").increment(1);
            tell_reused(service, session, now).await;
            service.cache.forget_session(session).await?;
            return Err(RefreshError::Invalid);
        }
        RefreshOutcome::Unknown => return Err(RefreshError::Invalid),
    };
    let Some(user) = store.find_user(session.user).await?.filter(|user| !user.disabled) else {
        end(service, session.id).await?;
        return Err(RefreshError::Invalid);
    };
    let access = sign(service, &session, now, now + ACCESS_LIFETIME);
    Ok((user, Issued::Token { access, refresh: new }))
}

/// Writes a line if it was this use that ended the session: whoever repeats it later has done nothing any more.
async fn tell_reused(service: &AuthService, session: SessionId, now: Timestamp) {
    match service.accounts.store.find_session(session).await {
        Ok(Some(found)) if found.revoked_at == Some(now) => service.tell_reused(found.user, session).await,
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, %session, "whose refresh token was used twice cannot be asked"),
    }
}

/// Ends a session, for the next request everywhere. Safe to repeat, as a client does that got a 503: when the cache cannot be told, the
/// session is ended, but for a minute another process may not know it yet, and that must not be answered as done.
pub(crate) async fn end(service: &AuthService, session: SessionId) -> PortResult<()> {
    let ended = service.accounts.store.revoke_session(session, service.accounts.clock.now()).await?;
    service.cache.forget_session(session).await?;
    if ended {
        metrics::counter!("fm_auth_sessions_ended_total").increment(1);
        tracing::info!(%session, "session ended");
    }
    Ok(())
}

/// Ends the session that a browser had before it got a new one, whosever it was. The new one stands whether or not that succeeds. If the caches cannot be
/// told, the former is ended in the store, and good for a minute more at most where it is remembered; if the store does not end it, it goes on, and no line
/// of the log says otherwise.
pub(crate) async fn replace(
    service: &AuthService,
    user: &User,
    client: &Client,
    new: SessionId,
    former: SessionId,
) {
    match service.accounts.store.revoke_session(former, service.accounts.clock.now()).await {
        Ok(true) => service.tell_signed_out(&Author::signed_in(user.id, new, client), former).await,
        Ok(false) => {}
        Err(error) => {
            tracing::warn!(%error, session = %former, "session of before a sign-in not ended");
            return;
        }
    }
    if let Err(error) = service.cache.forget_session(former).await {
        tracing::warn!(%error, session = %former, "session of before a sign-in not ended everywhere yet");
    }
}

fn sign(service: &AuthService, session: &Session, now: Timestamp, expires_at: Timestamp) -> String {
    let policy = &service.policy;
    service.keys.signer().sign(&Claims {
        iss: policy.issuer.clone(),
        aud: policy.audience.clone(),
        sub: session.user,
        sid: session.id,
        scope: String::new(),
        iat: now.seconds(),
        exp: expires_at.seconds(),
    })
}

fn new_refresh_token() -> PortResult<String> {
    let mut bytes = [0; REFRESH_BYTES];
    rand::fill(&mut bytes).map_err(|_| PortError::broken("random", "the system gives no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn is_refresh_token(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == REFRESH_BYTES)
}

fn refresh_hash(token: impl AsRef<str>) -> [u8; 32] {
    Sha256::of(token.as_ref().as_bytes()).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refresh_tokens_are_long_and_never_the_same() {
        let (a, b) = (new_refresh_token().unwrap(), new_refresh_token().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.len(), 43);
        assert!(is_refresh_token(&a));
        assert!(!is_refresh_token(&a[..42]));
    }

    proptest! {
        #[test]
        fn what_is_not_43_characters_of_base64url_is_no_refresh_token(text in "\\PC{0,60}") {
            let plausible = text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            prop_assert!(plausible || !is_refresh_token(&text));
        }
    }
}
