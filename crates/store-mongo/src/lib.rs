//! The metadata store of the distributed form: collections of MongoDB for each owner of data.

mod engine;
mod files;
mod outbox;
mod value;

pub use engine::{Mongo, OpenOptions};
