//! What an account can be used by, for the service that shows all that opens somebody's files.

use common::auth::internal::MAX_SESSIONS;
use common::auth::{CredentialEnd, EndedBy, OwnCredential, OwnCredentialKind};
use common::{IdentityId, ObjectId, PortError, PortResult, SessionId, TokenId, UserId};

use super::audit::Author;
use super::identities::{self, ProviderError};
use super::own_account::AccountError;
use super::sign_in::SignInError;
use super::{Client, my_sessions, tokens};
use crate::AuthService;

/// Live tokens, then live sessions, then identities; each newest first.
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
    let identities = service.admin.identities.list_identities(user).await?;
    let identities = identities.into_iter().rev().map(|identity| OwnCredential {
        kind: OwnCredentialKind::Identity,
        id: identity.id.0,
        label: Some(match service.providers.of_issuer(&identity.issuer) {
            Some(provider) => provider.settings.title.clone(),
            None => identity.issuer,
        }),
        scopes: None,
        folder: None,
        created_at: identity.created_at,
        expires_at: None,
        last_used_at: identity.last_used_at,
    });
    Ok(tokens.chain(sessions).chain(identities).collect())
}

/// Ends one of them, and tells the log.
pub(crate) async fn end(
    service: &AuthService,
    user: UserId,
    kind: OwnCredentialKind,
    id: ObjectId,
    by: EndedBy,
) -> PortResult<CredentialEnd> {
    let client = Client { ip: by.address, ..Client::default() };
    let by = Author { user: Some(user), credential: by.credential, ..Author::unknown(&client) };
    let ended = match kind {
        OwnCredentialKind::Token => tokens::revoke(service, user, &by, TokenId(id)).await?,
        OwnCredentialKind::Session => {
            let ended = my_sessions::end_one(service, user, SessionId(id)).await?;
            if ended {
                service.tell_ended(&by, Some(SessionId(id))).await;
            }
            ended
        }
        OwnCredentialKind::Identity => {
            return match identities::remove(service, &client, user, &by, IdentityId(id)).await {
                Ok(()) => Ok(CredentialEnd::Ended),
                Err(ProviderError::LastWayIn) => Ok(CredentialEnd::LastWayIn),
                Err(
                    ProviderError::NotFound | ProviderError::SignIn(SignInError::Account(AccountError::Gone)),
                ) => Ok(CredentialEnd::Unknown),
                Err(
                    ProviderError::Port(error)
                    | ProviderError::SignIn(SignInError::Account(AccountError::Port(error))),
                ) => Err(error),
                Err(error) => Err(PortError::broken("identities", error)),
            };
        }
    };
    Ok(if ended { CredentialEnd::Ended } else { CredentialEnd::Unknown })
}
