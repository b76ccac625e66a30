//! What tests share: a contract suite for each port, which every adapter of it runs, and a clock and ids that tests control.

#![allow(clippy::unwrap_used, reason = "everything here is a test, in the crate of another")]

pub mod account_store;
pub mod answer;
pub mod auth_store;
pub mod blob_store;
pub mod clock;
pub mod credential_cache;
pub mod file_store;
pub mod idempotency_store;
pub mod job_bus;
pub mod job_store;
#[path = "servers/nginx.rs"]
pub mod nginx;
pub mod notification_store;
pub mod outbox;
pub mod partial_blobs;
pub mod portable;
pub mod rate_limiter;
pub mod servers;
mod suite;
pub mod upload_store;
pub mod wait;
pub mod webhook_store;

pub use clock::{TestClock, TestIds, a_trace};
