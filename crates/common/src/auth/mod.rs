//! Accounts, sessions and credentials.

mod account_store;
mod address;
mod admin_store;
mod api_token;
mod audit;
mod code;
mod credential;
mod export;
mod group;
mod identity;
mod intake;
pub mod internal;
mod label;
mod limits;
pub mod mail;
mod own_credentials;
mod password;
mod password_rules;
mod people;
mod scope;
mod store;
mod user;

pub use account_store::{
    Account, AccountStore, AddressChange, ChangeAddressError, ListedSession, PasswordChange, PasswordProof,
    Totp, TotpConfirmation,
};
pub use address::{Address, AddressKey, InvalidAddress};
pub use admin_store::{
    ChangeUserError, Invitation, InvitationStore, KeyAdmin, UseInvitationError, UserAdmin, UserChange,
    UserFilter,
};
pub use api_token::{ApiToken, CreateTokenError, TokenHash, TokenStore, TokenText};
pub use audit::{AuditAction, AuditCredential, AuditEntry, AuditFilter, AuditStore};
pub use code::{CodeKind, MailedCode};
pub use credential::{
    Authenticator, Cached, CachedSession, CredentialCache, CredentialId, CredentialSource, OpenAccounts,
    Presented, PresentedBy, Principal, PublicKey, SessionState, TokenState, UserCount, UserState,
};
pub use export::{
    EXPORT_PART_BYTES, Export, ExportEnd, ExportFile, ExportPart, ExportState, ExportStore, Exports,
    MOST_EXPORT_FILES, NewExport,
};
pub use group::{Group, GroupChange, GroupError, GroupStore};
pub use identity::{
    AddIdentityError, CreateIdentifiedError, Identity, IdentityStore, MAX_IDENTITIES, MAX_SUBJECT_BYTES,
    RemoveIdentityError,
};
pub use intake::{AccountIntake, FormerAccount, FormerPassword};
pub use label::{MAX_LABEL_CHARS, label};
pub use limits::{RateDecision, RateLimiter, RateRule};
pub use own_credentials::{CredentialEnd, EndedBy, OwnCredential, OwnCredentialKind, OwnCredentials};
pub use password::{InvalidPassword, Password};
pub use password_rules::PasswordRules;
pub use people::{GroupName, People, Person};
pub use scope::{Scope, Scopes};
pub use store::{
    AuthStore, CreateUserError, REFRESH_GRACE, RefreshOutcome, RefreshStanding, RefreshToken, SealedKey,
};
pub use user::{Role, Session, SessionKind, User};
