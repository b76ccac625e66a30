//! Tokens of users: made by auth-service, checked by every service.

mod authenticator;
mod keys;
mod token;
mod verified;

#[cfg(test)]
mod tests;

pub use authenticator::CachedAuthenticator;
pub use token::{Claims, InvalidKey, LEEWAY, TokenPolicy, TokenSigner, jwks};
