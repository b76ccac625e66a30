//! Counting again what counters say.
//!
//! What is long only reads. What it finds wrong is looked at again by a short transaction that writes the counter: whoever changes what is counted writes
//! that document too, so that of both one is repeated.

mod folders;
mod references;
mod spaces;

use common::files::{Counter, Miscount, RecountPlace, RecountStep};
use common::{PortResult, Timestamp};

use super::FilesDb;
use folders::folders;
use references::references;
use spaces::spaces;

pub(super) async fn step(db: &FilesDb, from: RecountPlace, at: Timestamp) -> PortResult<RecountStep> {
    match from {
        RecountPlace::Folders(after) => folders(db, after).await,
        RecountPlace::Spaces(after) => spaces(db, after).await,
        RecountPlace::Blobs(after) => references(db, after, at).await,
    }
}

/// Notes those of the counters that were wrong.
fn note<const N: usize>(found: &mut Vec<Miscount>, of: impl ToString, counters: [(Counter, i64, i64); N]) {
    for (counter, stored, counted) in counters {
        if stored != counted {
            found.push(Miscount { counter, of: of.to_string(), stored, counted });
        }
    }
}
