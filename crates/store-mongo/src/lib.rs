//! The metadata store of the distributed form: collections of MongoDB for each owner of data.

mod auth;
mod engine;
mod files;
mod jobs;
mod outbox;
mod value;

pub use auth::AuthDb;
pub use engine::{Mongo, OpenOptions};
pub use files::FilesDb;
pub use jobs::JobsDb;
