//! http-kit on real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod auth;
mod bodies;
mod drain;
mod health;
mod idempotency;
mod limits;
mod support;
mod tls;
mod waits;
