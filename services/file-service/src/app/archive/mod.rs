//! Archives of files and folders, made while they are sent.

mod body;
pub(crate) mod export;
mod groups;
mod plan;
mod room;

pub(crate) use body::Body;
pub(crate) use plan::{Plan, plan};
pub use room::ArchiveSettings;
pub(crate) use room::{Holder, Room};
