//! Messages of auth-service's internal API.

use serde::{Deserialize, Serialize};

use super::{PublicKey, SessionState, TokenState, UserState};
use crate::{SessionId, Sha256, UserId};

/// `GET /internal/keys`: the keys that verify tokens now, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeys {
    /// The keys.
    pub keys: Vec<PublicKey>,
}

/// `POST /internal/credentials/resolve`: is this credential good now?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ResolveQuestion {
    /// A session.
    Session(ResolveCredential),
    /// An API token.
    Token(ResolveToken),
}

/// A question about an API token. Answer: [`ResolvedToken`] or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolveToken {
    /// SHA-256 of its text.
    pub token: Sha256,
}

/// A live API token and its active account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedToken {
    /// The token's state.
    pub token: TokenState,
    /// The account's state.
    pub user: UserState,
}

/// A question about a session. Answer: [`ResolvedCredential`] or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolveCredential {
    /// The sign-in.
    pub session: SessionId,
    /// The account that the token names.
    pub user: UserId,
}

/// A live session and its active account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedCredential {
    /// The session's state.
    pub session: SessionState,
    /// The account's state.
    pub user: UserState,
}
