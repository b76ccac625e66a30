//! What the present task works for, for the jobs that it makes.

use common::jobs::Cause;

use crate::{request_id, trace};

/// The request and the step of a trace. Empty in tasks that were spawned apart.
pub fn current() -> Cause {
    Cause { request_id: request_id::current().map(|id| id.as_str().to_owned()), trace: trace::current() }
}
