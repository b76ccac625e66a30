//! auth-service over real HTTP, on its embedded store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

mod accounts;
mod admin_users;
mod administration;
mod api_tokens;
mod classic;
mod classic_sign_up;
mod commands;
mod cookies;
mod deletion;
mod devices;
mod export;
mod internal;
mod keys;
mod limits;
mod my_email;
mod my_password;
mod my_profile;
mod my_sessions;
#[cfg(feature = "servers")]
mod oidc;
mod openapi;
mod passwords;
mod registration;
mod second_factor;
mod setup;
mod tokens;
mod verification;
