//! Working jobs: claiming them under a lease, running their handlers, and reporting what came of it.

mod attempt;
mod bells;
mod context;
mod given_up;
mod handler;
mod outage;
mod pool;

pub(crate) use attempt::Conclusion;
pub(crate) use bells::Bells;
pub use context::JobContext;
pub(crate) use given_up::GivenUp;
pub use handler::{Ending, HandlerError, JobHandler, Registry};
pub(crate) use pool::Workers;
