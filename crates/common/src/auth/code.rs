use super::Address;
use crate::{Timestamp, UserId};

/// What a code that went by mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeKind {
    /// A new password for whoever has lost theirs.
    Reset,
    /// The account's address is its owner's.
    Verify,
    /// Another address for the account.
    Email,
}

impl CodeKind {
    /// The word in stores.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::Email => "email",
        }
    }

    /// Reads [`CodeKind::word`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Reset, Self::Verify, Self::Email].into_iter().find(|kind| kind.word() == word)
    }
}

/// A code that went by mail, as it is kept: by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailedCode {
    /// SHA-256 of the code.
    pub hash: [u8; 32],
    /// What it is for.
    pub kind: CodeKind,
    /// Whose it is; nobody's if it was asked for an address without an account, so that this costs the same.
    pub user: Option<UserId>,
    /// The address that it went to, where that is not the account's own.
    pub address: Option<Address>,
    /// SHA-256 of the other code, which went to the account's own address, where both are wanted.
    pub other_hash: Option<[u8; 32]>,
    /// When it stops working.
    pub expires_at: Timestamp,
}
