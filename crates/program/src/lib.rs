//! What the programs of the product share: how they fail, and what all of them can be told.

mod failure;
mod progress;
mod public_url;
mod sections;
mod terminal;

use std::time::Duration;

pub use failure::Failure;
pub use progress::ProgressLine;
pub use public_url::public_url;
pub use sections::{LOG_DOCS, Log, STOP_DOCS, Stop};
pub use terminal::{read_password, reported, say, told};

/// How long blocking work may go on after everything else has ended.
pub const GRACE_FOR_THREADS: Duration = Duration::from_secs(1);
