//! Uploads that come in several goes, over HTTP.

#![allow(clippy::unwrap_used, reason = "this is test code")]

#[path = "../support/mod.rs"]
mod support;

mod checksums;
mod closed;
mod concatenation;
mod deferred;
mod draft;
mod expiry;
mod faulty;
mod helpers;
mod holders;
mod link_password;
mod link_room;
mod link_rules;
mod links;
mod quota;
mod repeated;
mod shared;
mod strangers;
mod tus;
