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
mod internal;
mod keys;
mod limits;
mod openapi;
mod passwords;
mod registration;
mod setup;
mod tokens;
