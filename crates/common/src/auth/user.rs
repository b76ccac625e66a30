use serde::{Deserialize, Serialize};

use super::Address;
use crate::{SessionId, Timestamp, UserId};

/// What an account may do beyond its own files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Own files only.
    User,
    /// Administers the installation.
    Admin,
}

impl Role {
    /// The word in stores and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    /// Reads [`Role::word`].
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "user" => Some(Self::User),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its address, as typed.
    pub address: Address,
    /// bcrypt hash in the modular crypt format; empty for an account without a password, which identities open. One that was taken over from another
    /// product may be a bcrypt hash of its former hash until its owner signs in.
    pub password_hash: String,
    /// What it may do.
    pub role: Role,
    /// A disabled account cannot sign in, and its credentials fail.
    pub disabled: bool,
    /// The administrator made at set-up, who is left out of the classic `/stats`.
    pub bootstrap: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl User {
    /// The hash of its password, if it has one.
    pub fn password(&self) -> Option<&str> {
        Some(self.password_hash.as_str()).filter(|hash| !hash.is_empty())
    }
}

/// What a session was made for; it decides how long it lives and what carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionKind {
    /// `GET /connect`: one token of 24 hours, no refresh.
    Classic,
    /// The page: a cookie of 30 days.
    Cookie,
    /// `POST /auth/login`: short access tokens and a refresh token.
    Token,
}

impl SessionKind {
    /// The word in stores.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Cookie => "cookie",
            Self::Token => "token",
        }
    }

    /// Reads [`SessionKind::word`].
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "classic" => Some(Self::Classic),
            "cookie" => Some(Self::Cookie),
            "token" => Some(Self::Token),
            _ => None,
        }
    }
}

/// A sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, `sid` in tokens.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// What carries it.
    pub kind: SessionKind,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was ended, if it was.
    pub revoked_at: Option<Timestamp>,
    /// The client's `User-Agent`, cut to 256 bytes, for the owner's list.
    pub device: Option<String>,
    /// The client's address, for the owner's list.
    pub address: Option<String>,
    /// SHA-256 of the refresh token that works now (kind `Token`).
    pub refresh_hash: Option<[u8; 32]>,
}

impl Session {
    /// Neither ended nor past its time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}
