//! API tokens: made, listed, ended by their owner, and the notes of their use.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand;
use common::auth::mail::AccountEvent;
use common::auth::{
    ApiToken, AuditAction, CreateTokenError, Principal, Scopes, TokenStore, TokenText, label,
};
use common::{FileId, PortError, PortResult, Timestamp, TokenId, UserId};
use serde_json::json;

use super::audit::Author;
use super::own_account::{self, AccountError, Proof};
use super::{Client, mails};
use crate::AuthService;

/// The time of the last use is written no more often than this.
const NOTE_EVERY: Duration = Duration::from_secs(5 * 60);

/// What a new token shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewToken {
    pub(crate) name: String,
    pub(crate) scopes: Scopes,
    pub(crate) folder: Option<FileId>,
    pub(crate) expires_at: Option<Timestamp>,
}

/// Why there is no new token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NewTokenError {
    #[error("the name is empty, longer than 100 characters, or holds control characters")]
    Name,
    #[error("a token without a scope is good for nothing")]
    NoScope,
    #[error("this account may not have the scopes {0}")]
    BeyondRole(Scopes),
    #[error("a token for a folder can have the scopes files:read, files:write and shares only")]
    FolderScope,
    #[error("the end of the token has passed")]
    Expired,
    /// The caller does not prove to be the account's owner.
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Store(#[from] CreateTokenError),
}

/// Makes a token for the caller, who signed in and proves once more to be the owner: whoever has only found an open session would make themselves a lasting way
/// in. A token cannot make another one, since it could make a wider one. A mail tells the owner.
pub(crate) async fn create(
    service: &AuthService,
    client: &Client,
    caller: &Principal,
    proof: Proof<'_>,
    new: NewToken,
) -> Result<(ApiToken, TokenText), NewTokenError> {
    let now = service.accounts.clock.now();
    let name = check(caller, &new, now)?.to_owned();
    let user = own_account::prove_wholly(service, client, caller, proof).await?;
    let text = random_token().map_err(CreateTokenError::from)?;
    let token = ApiToken {
        id: TokenId(service.accounts.ids.object_id()),
        user: user.id,
        name,
        hash: text.hash(),
        scopes: new.scopes,
        folder: new.folder,
        created_at: now,
        expires_at: new.expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    let details = json!({ "scopes": token.scopes, "folderId": token.folder, "expiresAt": token.expires_at });
    let by = Author::of(caller, client);
    let entry = service.audit_entry(&by, AuditAction::TokenMade, Some(token.id.to_string()), details);
    let notice = mails::notice(service, client, &user, AccountEvent::TokenMade { name: token.name.clone() });
    // the proof took a while: who set another password meanwhile ended all tokens, and this one would come too late for that
    let (tokens, most) = (&service.admin.tokens, ApiToken::MAX_PER_USER);
    tokens.create_token(&token, &user.password_hash, most, &notice, &entry).await?;
    metrics::counter!("fm_auth_api_tokens_made_total").increment(1);
    tracing::info!(user = %user.id, token = %token.id, scopes = %token.scopes, "API token made");
    Ok((token, text))
}

/// Its name as it is kept. What is wrong with it is said before a password is looked at.
fn check<'a>(caller: &Principal, new: &'a NewToken, now: Timestamp) -> Result<&'a str, NewTokenError> {
    let name = label(&new.name).ok_or(NewTokenError::Name)?;
    if new.scopes.is_empty() {
        return Err(NewTokenError::NoScope);
    }
    let beyond = new.scopes.without(caller.scopes);
    if !beyond.is_empty() {
        return Err(NewTokenError::BeyondRole(beyond));
    }
    if new.folder.is_some() && !new.scopes.iter().all(|scope| scope.is_of_files()) {
        return Err(NewTokenError::FolderScope);
    }
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(NewTokenError::Expired);
    }
    Ok(name)
}

/// Ends a token of an account, for the next request everywhere. False if there is none. Safe to repeat, also after a 503.
pub(crate) async fn revoke(
    service: &AuthService,
    user: UserId,
    by: &Author,
    id: TokenId,
) -> PortResult<bool> {
    let entry = service.audit_entry(by, AuditAction::TokenRevoked, Some(id.to_string()), json!({}));
    let revoked = service.admin.tokens.revoke_token(user, id, entry.at, &entry).await?;
    let Some(hash) = revoked else { return Ok(false) };
    service.cache.forget_token(&hash).await?;
    tracing::info!(%user, token = %id, "API token ended");
    Ok(true)
}

fn random_token() -> PortResult<TokenText> {
    let mut bytes = [0; TokenText::RANDOM_BYTES];
    rand::fill(&mut bytes).map_err(|_| PortError::broken("random", "the system gives no random bytes"))?;
    Ok(TokenText::of_random(bytes))
}

/// Uses of tokens that are to be written. A token in use is asked for about once a minute, since that is how long services remember the answer; so the
/// time is known where tokens are looked up, and requests wait for nothing.
#[derive(Default)]
pub(crate) struct TokenUses(Mutex<HashMap<TokenId, Timestamp>>);

impl TokenUses {
    /// Notes a use, unless one of the last minutes is written already.
    pub(crate) fn note(&self, token: &ApiToken, now: Timestamp) {
        if token.last_used_at.is_none_or(|last| last + NOTE_EVERY <= now) {
            self.uses().insert(token.id, now);
        }
    }

    /// Writes what was noted. What cannot be written now is noted again by the next use.
    pub(crate) async fn write(&self, store: &dyn TokenStore) -> PortResult<()> {
        let uses: Vec<_> = std::mem::take(&mut *self.uses()).into_iter().collect();
        if uses.is_empty() { Ok(()) } else { store.note_token_uses(&uses).await }
    }

    fn uses(&self) -> std::sync::MutexGuard<'_, HashMap<TokenId, Timestamp>> {
        // a panic cannot leave a map of times in a bad state
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
