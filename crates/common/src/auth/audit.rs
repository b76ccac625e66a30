//! The audit log: who did what to whom, written with the change itself.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::PortResult;
use crate::{AuditId, SessionId, Timestamp, TokenId, UserId};

/// Which credential something was done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditCredential {
    /// A sign-in.
    Session(SessionId),
    /// An API token.
    Token(TokenId),
}

macro_rules! actions {
    ($($(#[doc = $doc:literal])* $variant:ident $word:literal,)*) => {
        /// What was done. The words are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AuditAction {
            $($(#[doc = $doc])* $variant,)*
        }

        impl AuditAction {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word in stores and answers.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Reads [`AuditAction::word`].
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

actions! {
    /// Somebody signed in.
    SignedIn "session.opened",
    /// Somebody signed out.
    SignedOut "session.ended",
    /// A sign-in failed. Bounded: not each one of a volley is written.
    SignInFailed "session.refused",
    /// A refresh token came a second time, so somebody has copied it; its session was ended.
    RefreshReused "session.reused",
    /// An API token was made.
    TokenMade "token.made",
    /// An API token was ended.
    TokenRevoked "token.revoked",
    /// An account was made.
    UserMade "user.made",
    /// An administrator changed an account: its state, role or quota.
    UserChanged "user.changed",
    /// An account was deleted: by an administrator, or because its owner asked for it and its time had come.
    UserDeleted "user.deleted",
    /// An administrator ended all sessions of an account.
    UserSignedOut "user.signed_out",
    /// Somebody changed their own password, or set it anew by a code.
    OwnPassword "account.password",
    /// Somebody changed their own address.
    OwnAddress "account.email",
    /// Somebody proved by a code that their address is theirs.
    AddressVerified "account.verified",
    /// Somebody asked for the end of their own account.
    DeletionAsked "account.deletion_asked",
    /// Somebody took that back.
    DeletionCancelled "account.deletion_cancelled",
    /// An identity of a provider opens the account from now on.
    IdentityLinked "account.identity_linked",
    /// It does no more.
    IdentityRemoved "account.identity_removed",
    /// Somebody asked for an export of all that is theirs.
    ExportAsked "account.export_asked",
    /// A second factor is asked for from now on.
    SecondFactorOn "account.second_factor_on",
    /// Its owner took the second factor away.
    SecondFactorOff "account.second_factor_off",
    /// A recovery code stood in for the second factor.
    RecoveryCodeUsed "account.recovery_code_used",
    /// An administrator took the second factor away.
    SecondFactorReset "user.second_factor_reset",
    /// An administrator set a new password.
    PasswordReset "user.password_reset",
    /// An invitation was made.
    InvitationMade "invitation.made",
    /// An invitation was withdrawn.
    InvitationWithdrawn "invitation.withdrawn",
    /// An account was made with an invitation.
    InvitationUsed "invitation.used",
    /// A new signing key was made by an administrator.
    KeysRotated "keys.rotated",
    /// A group was made.
    GroupMade "group.made",
    /// A group was changed: its name or its members.
    GroupChanged "group.changed",
    /// A group was deleted.
    GroupDeleted "group.deleted",
}

/// One line of the log. It is never changed, and goes when its time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id. Lines are ordered by time, then by id.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// Which account did it; none for somebody unknown, and for the administrator's command.
    pub actor: Option<UserId>,
    /// By which credential.
    pub credential: Option<AuditCredential>,
    /// What.
    pub action: AuditAction,
    /// To what: the id of an account, a token, a group and so on.
    pub target: Option<String>,
    /// The client's network address.
    pub address: Option<String>,
    /// More about it, as a JSON object. No secret, and no e-mail address.
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// Which lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// Only what this account did.
    pub actor: Option<UserId>,
    /// Only this action, by its word.
    pub action: Option<String>,
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

/// The log. What belongs to a change is written by the store of that change, in its commit.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Writes lines that belong to no change of this store. Durable.
    async fn write_audit(&self, entries: &[AuditEntry]) -> PortResult<()>;

    /// At most `limit` lines, newest first; `after` is the last one of the page before.
    async fn list_audit(
        &self,
        filter: &AuditFilter,
        after: Option<(Timestamp, AuditId)>,
        limit: u32,
    ) -> PortResult<Vec<AuditEntry>>;

    /// Removes up to `limit` lines from before `before`, oldest first; how many went. Safe to repeat.
    async fn remove_audit(&self, before: Timestamp, limit: u32) -> PortResult<u32>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn words_are_unique_and_read_back() {
        let words: HashSet<_> = AuditAction::ALL.iter().map(|action| action.word()).collect();
        assert_eq!(words.len(), AuditAction::ALL.len());
        assert!(AuditAction::ALL.iter().all(|action| AuditAction::parse(action.word()) == Some(*action)));
        assert_eq!(AuditAction::parse("else"), None);
    }
}
