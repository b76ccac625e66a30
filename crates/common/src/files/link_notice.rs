//! What those who have links are told of their use: bundled, so that hundreds of downloads are a few notices.

use std::time::Duration;

use super::Link;
use crate::jobs::NewJob;
use crate::{FileId, Timestamp};

/// A use of a link, of which a notice may tell.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkUse {
    /// What was downloaded or dropped.
    pub file: FileId,
    /// The job that tells of it, and of what else happens until it runs, unless one waits already.
    pub job: NewJob,
}

/// What a notice tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkNotice {
    /// By which link.
    pub link: Link,
    /// The file of the last use.
    pub file: FileId,
    /// Downloads since the notice before.
    pub downloads: u64,
    /// Drops since the notice before.
    pub drops: u64,
}

impl LinkNotice {
    /// Shortest time between two notices of one link.
    pub const EVERY: Duration = Duration::from_secs(60 * 60);
    /// A notice that is so late is not waited for any more: its job was given up.
    pub const LOST_AFTER: Duration = Duration::from_secs(3 * 24 * 60 * 60);

    /// When the next notice is due, where something happens `now` and the last one was at `told_at`.
    pub fn due(now: Timestamp, told_at: Option<Timestamp>) -> Timestamp {
        told_at.map_or(now, |told_at| now.max(told_at + Self::EVERY))
    }

    /// Whether a job that is due then is still waited for.
    pub fn is_awaited(now: Timestamp, due: Timestamp) -> bool {
        now <= due + Self::LOST_AFTER
    }
}
