//! The bytes of contents over real HTTP: uploads, downloads, thumbnails, what the worker asks, and clearing up.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod helpers;

mod active;
#[cfg(feature = "servers")]
mod archive_readers;
mod archives;
mod broken;
mod clearing;
mod damaged;
mod digests;
mod entries;
mod exports;
mod forms;
mod full;
mod quota;
mod ranges;
mod scrub;
mod text;
mod thumbnails;
mod tickets;
mod uploads;
mod validators;
