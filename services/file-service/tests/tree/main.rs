//! Files and folders over real HTTP: everything but the bytes of contents, which `tests/content` looks at.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod activity;
mod batch;
mod children;
mod classic_files;
mod classic_upload;
mod copying;
mod cursors;
mod document;
mod files;
mod folders;
mod journal;
mod marks;
mod names;
mod numbers;
mod relocate;
mod retention;
mod strangers;
mod trash;
mod undo;
mod versions;
