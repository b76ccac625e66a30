//! The use cases: one function each. Whoever calls them has an authorised node from `access`, or gets one there.

pub(crate) mod access;
pub(crate) mod archive;
pub(crate) mod batch;
pub(crate) mod blobs;
mod budget;
pub(crate) mod content;
pub(crate) mod copying;
pub(crate) mod ended;
pub(crate) mod folders;
pub(crate) mod listing;
pub(crate) mod maintenance;
pub(crate) mod marks;
pub(crate) mod public;
pub(crate) mod relocate;
pub(crate) mod resumable;
mod scrub;
pub(crate) mod search;
pub(crate) mod sharing;
pub(crate) mod sniff;
pub(crate) mod spaces;
pub(crate) mod text;
pub(crate) mod thumbnails;
pub(crate) mod trash;
pub(crate) mod upload;
pub(crate) mod usage;
pub(crate) mod versions;
pub(crate) mod watch;
