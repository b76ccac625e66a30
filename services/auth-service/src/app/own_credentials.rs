//! What an account can be used by, for the service that shows all that opens somebody's files.

use common::auth::internal::MAX_SESSIONS;
use common::auth::{OwnCredential, OwnCredentialKind};
use common::{ObjectId, PortResult, SessionId, TokenId, UserId};

use super::audit::Author;
use super::{my_sessions, tokens};
use crate::AuthService;

/// Live tokens, then live sessions; each newest first.
pub(crate) async fn list(service: &AuthService, user: UserId) -> PortResult<Vec<OwnCredential>> {
    let now = service.accounts.clock.now();
    let tokens = service.admin.tokens.list_tokens(user).await?;
    let tokens = tokens.into_iter().filter(|token| token.is_live(now)).map(|token| OwnCredential {
        kind: OwnCredentialKind::Token,
        id: token.id.0,
        label: Some(token.name),
        scopes: Some(token.scopes),
        folder: token.folder,
        created_at: token.created_at,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
    });
    let sessions = service.account_store.list_sessions(user, None, MAX_SESSIONS, now).await?;
    let sessions = sessions.into_iter().map(|listed| OwnCredential {
        kind: OwnCredentialKind::Session,
        id: listed.session.id.0,
        label: listed.session.device,
        scopes: None,
        folder: None,
        created_at: listed.session.created_at,
        expires_at: Some(listed.session.expires_at),
        last_used_at: listed.last_used_at,
    });
    Ok(tokens.chain(sessions).collect())
}

/// Ends one of them; false if the account has no such one.
pub(crate) async fn end(
    service: &AuthService,
    user: UserId,
    kind: OwnCredentialKind,
    id: ObjectId,
) -> PortResult<bool> {
    match kind {
        OwnCredentialKind::Token => {
            // by which credential and from where, the service knows that asks
            let by = Author { user: Some(user), ..Author::default() };
            tokens::revoke(service, user, &by, TokenId(id)).await
        }
        OwnCredentialKind::Session => my_sessions::end_one(service, user, SessionId(id)).await,
    }
}
