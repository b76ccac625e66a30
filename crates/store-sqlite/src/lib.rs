//! The embedded metadata store: one SQLite file for each owner of data.
//!
//! Each file has one writer thread, which commits whatever waits as a group under one sync, and a few reader threads. [`AuthDb`],
//! [`FilesDb`] and [`JobsDb`] implement the ports of their area over it.

mod auth;
#[cfg(test)]
mod carried;
mod copy;
mod engine;
mod examine;
mod files;
mod jobs;
mod keyed;
mod outbox;
mod row;

pub use auth::AuthDb;
pub use copy::{FilesCopy, KeptContent, KeptUpload, copy_database};
pub use engine::OpenOptions;
pub use examine::{Database, Examined, examine};
pub use files::FilesDb;
pub use jobs::JobsDb;
