//! Shares, links, and what one sees by them, over real HTTP.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod closed;
mod drops;
mod ended;
mod events;
mod links;
mod matrix;
mod public;
mod public_archives;
mod search;
mod shares;
mod streams;
