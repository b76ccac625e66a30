//! Archives of files and folders, made while they are sent.

mod body;
pub(crate) mod export;
mod plan;

pub(crate) use body::body;
pub(crate) use plan::{Plan, plan};

/// So many entries of archives may be known at once in one process, all requests together: about 100 bytes each.
pub(crate) const ENTRIES_AT_ONCE: usize = 2_000_000;
