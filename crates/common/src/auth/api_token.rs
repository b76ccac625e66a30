//! API tokens: credentials of programs, narrower than their owner.

use async_trait::async_trait;
use std::fmt;

use super::Scopes;
use super::audit::AuditEntry;
use crate::error::{PortError, PortResult};
use crate::jobs::NewJob;
use crate::{FileId, Sha256, Timestamp, TokenId, UserId};

/// SHA-256 of the whole text of a token: what stores and caches know it by.
pub type TokenHash = [u8; 32];

/// A token in clear: shown once, never stored. Its `Debug` shows nothing.
///
/// `fmt_`, then 40 hexadecimal digits of which each is random, then 8 of a checksum, so that scanners for lost secrets find it and know it from
/// other words, and a mistyped one costs no look-up.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText(String);

impl TokenText {
    /// How every token begins.
    pub const PREFIX: &str = "fmt_";
    /// Random bytes of a token: 160 bits.
    pub const RANDOM_BYTES: usize = 20;
    const CHECK_BYTES: usize = 4;
    const LEN: usize = Self::PREFIX.len() + 2 * (Self::RANDOM_BYTES + Self::CHECK_BYTES);

    /// The token of these random bytes.
    pub fn of_random(bytes: [u8; Self::RANDOM_BYTES]) -> Self {
        let body = format!("{}{}", Self::PREFIX, hex::encode(bytes));
        let check = check(&body);
        Self(body + &check)
    }

    /// Reads a token; none for what cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != Self::LEN || !text.starts_with(Self::PREFIX) || !text.is_ascii() {
            return None;
        }
        let (body, sum) = text.split_at(Self::LEN - 2 * Self::CHECK_BYTES);
        (check(body) == sum).then(|| Self(text.to_owned()))
    }

    /// What it is known by.
    pub fn hash(&self) -> TokenHash {
        Sha256::of(self.0.as_bytes()).0
    }

    /// The clear text, for its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

fn check(body: &str) -> String {
    hex::encode(&Sha256::of(body.as_bytes()).0[..TokenText::CHECK_BYTES])
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(…)")
    }
}

/// A token, as its owner's list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserId,
    /// What its owner calls it.
    pub name: String,
    /// SHA-256 of its text.
    pub hash: TokenHash,
    /// What it is good for, as long as its owner may do it too.
    pub scopes: Scopes,
    /// Only for this folder and what is below it.
    pub folder: Option<FileId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was ended, if it was.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to within some minutes.
    pub last_used_at: Option<Timestamp>,
}

impl ApiToken {
    /// Most live tokens of one account.
    pub const MAX_PER_USER: u32 = 100;

    /// Neither ended nor past its time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateTokenError {
    /// The account has as many as it may have.
    #[error("the account has too many tokens")]
    TooMany,
    /// The account has another password now, or is gone.
    #[error("another password was set meanwhile")]
    Conflict,
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// API tokens. Every change but that of the last use is one atomic commit, durable when the call returns, with its line of the audit log in it.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// Keeps a new token, and puts `jobs` into the outbox. `proof` is the hash of the account's password, which was just compared: who has set another one
    /// since has ended all tokens, and this one would come too late for that.
    ///
    /// # Errors
    /// `TooMany` if its account has `most` that were not ended; `Conflict` if its account has not this hash. Then nothing has changed.
    async fn create_token(
        &self,
        token: &ApiToken,
        proof: &str,
        most: u32,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> Result<(), CreateTokenError>;

    /// The token with this hash, live or not, as long as it is kept.
    async fn find_token(&self, hash: &TokenHash) -> PortResult<Option<ApiToken>>;

    /// The tokens of an account that were not ended, newest first; those past their time among them.
    async fn list_tokens(&self, user: UserId) -> PortResult<Vec<ApiToken>>;

    /// Ends a token of this account; its hash, also if it was ended before, so that a call that failed half-way can be repeated. The line of
    /// the audit log is written when it ends. None if the account has no such token.
    async fn revoke_token(
        &self,
        user: UserId,
        id: TokenId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> PortResult<Option<TokenHash>>;

    /// Notes uses. Not durable, and a time before the one that is known changes nothing.
    async fn note_token_uses(&self, uses: &[(TokenId, Timestamp)]) -> PortResult<()>;

    /// Removes up to `limit` tokens that were ended, or past their time, before `before`; how many went. Safe to repeat.
    async fn remove_ended_tokens(&self, before: Timestamp, limit: u32) -> PortResult<u32>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_from_other_words() {
        let token = TokenText::of_random([7; 20]);
        assert_eq!(token.reveal().len(), 52);
        assert!(token.reveal().starts_with("fmt_0707"));
        assert_eq!(TokenText::parse(token.reveal()), Some(token.clone()));
        assert_eq!(format!("{token:?}"), "TokenText(…)");
        for place in 0..52 {
            let mut wrong = token.reveal().to_owned().into_bytes();
            wrong[place] ^= 1;
            assert_eq!(TokenText::parse(std::str::from_utf8(&wrong).unwrap()), None, "{place}");
        }
        for wrong in ["", "fmt_", &token.reveal()[..51], &token.reveal().to_uppercase(), &"ä".repeat(26)] {
            assert_eq!(TokenText::parse(wrong), None, "{wrong}");
        }
    }
}
