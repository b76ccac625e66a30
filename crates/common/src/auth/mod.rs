//! Accounts, sessions and credentials.

mod address;
mod credential;
pub mod internal;
mod limits;
mod password;
mod people;
mod store;
mod user;

pub use address::{Address, AddressKey, InvalidAddress};
pub use credential::{
    Authenticator, Cached, CredentialCache, CredentialSource, Presented, PresentedBy, Principal, PublicKey,
    SessionState, UserCount, UserState,
};
pub use limits::{RateDecision, RateLimiter, RateRule};
pub use password::{InvalidPassword, Password};
pub use people::{People, Person};
pub use store::{
    AuthStore, CreateUserError, REFRESH_GRACE, RefreshOutcome, RefreshStanding, RefreshToken, SealedKey,
};
pub use user::{Role, Session, SessionKind, User};
