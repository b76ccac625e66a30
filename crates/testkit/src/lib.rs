//! What tests share: a contract suite for each port, which every adapter of it runs, and a clock and ids that tests control.

pub mod blob_store;
pub mod clock;
mod suite;
pub mod outbox;
pub mod auth_store;

pub use clock::{TestClock, TestIds};
