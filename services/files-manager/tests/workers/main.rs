//! The workers of `examples/worker`, and every example of the guides to the queue, with the real program.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod guides;
mod python;
mod relay;
mod scene;
mod shell;
