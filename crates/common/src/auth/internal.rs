//! Messages of auth-service's internal API.

use serde::{Deserialize, Serialize};

use super::{PublicKey, SessionState, UserState};
use crate::{SessionId, UserId};

/// `GET /internal/keys`: the keys that verify tokens now, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeys {
    /// The keys.
    pub keys: Vec<PublicKey>,
}

/// `POST /internal/credentials/resolve`: is this credential good now? Answer: [`ResolvedCredential`] or null.
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
