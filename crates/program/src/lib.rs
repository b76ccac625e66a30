//! What the programs of the product share: how they fail, what all of them can be told, and how a service of the distributed form runs.
//!
//! A service's binary implements [`ServiceProgram`] and calls [`run`]. The all-in-one has its own arrangement of listeners and takes the rest.

mod command_line;
mod failure;
mod public_url;
mod sections;
mod serve;

use std::time::Duration;

pub use failure::Failure;
pub use public_url::public_url;
pub use sections::{LOG_DOCS, Log, STOP_DOCS, Stop};
pub use serve::{Assembled, Routes, ServiceProgram, run};

/// How long blocking work may go on after everything else has ended.
pub const GRACE_FOR_THREADS: Duration = Duration::from_secs(1);
