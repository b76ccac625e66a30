//! The metadata store of the distributed form: collections of MongoDB for each owner of data.

#[cfg(all(test, feature = "servers"))]
extern crate self as store_mongo;

mod auth;
#[cfg(test)]
mod carried;
mod engine;
mod files;
mod jobs;
mod keyed;
mod outbox;
mod portable;
mod value;

#[cfg(all(test, feature = "servers"))]
#[path = "../tests/support/mod.rs"]
mod support;

pub use auth::AuthDb;
pub use engine::{Mongo, OpenOptions};
pub use files::FilesDb;
pub use jobs::JobsDb;
pub use portable::is_import_unfinished;
