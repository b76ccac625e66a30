//! Accounts, sessions and credentials.

mod account_store;
mod address;
mod code;
mod credential;
pub mod internal;
mod limits;
pub mod mail;
mod password;
mod password_rules;
mod store;
mod user;

pub use account_store::{
    Account, AccountStore, AddressChange, ChangeAddressError, ListedSession, PasswordChange, PasswordProof,
    Totp,
};
pub use address::{Address, AddressKey, InvalidAddress};
pub use code::{CodeKind, MailedCode};
pub use credential::{
    Authenticator, Cached, CredentialCache, CredentialSource, Presented, PresentedBy, Principal, PublicKey,
    SessionState, UserCount, UserState,
};
pub use limits::{RateDecision, RateLimiter, RateRule};
pub use password::{InvalidPassword, Password};
pub use password_rules::PasswordRules;
pub use store::{
    AuthStore, CreateUserError, REFRESH_GRACE, RefreshOutcome, RefreshStanding, RefreshToken, SealedKey,
};
pub use user::{Role, Session, SessionKind, User};
