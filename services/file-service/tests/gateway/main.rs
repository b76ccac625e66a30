//! The service behind the real gateway: what comes out there is what the service would have sent itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod helpers;

mod contents;
mod failures;
mod fields;
mod page;
mod paths;
mod replicas;
mod s3;
mod streams;
mod uploads;
