//! Files and folders over real HTTP: everything but the bytes of contents, which `tests/content` looks at.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod children;
mod classic_files;
mod classic_upload;
mod cursors;
mod document;
mod files;
mod folders;
mod names;
mod numbers;
mod relocate;
mod strangers;
mod trash;
