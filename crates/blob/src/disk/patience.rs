//! Calls of a disk that end in time, or are given up. A share whose server is away keeps whoever asks it for as long as it is away (NFS mounted `hard`), and no
//! call of the system can be taken back.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use common::{PortError, PortResult, allowance};
use tokio::task::spawn_blocking;

use super::error::{absent_as_none, port_error};
use super::layout::Layout;
use crate::PART;
use crate::hashing::joined;

/// Threads that a disk may keep without anybody who waits for them. With so many gone none is sent after them; tokio has some hundreds.
const MOST_OVERDUE: usize = 128;

const RUNNING: u8 = 0;
const OVERDUE: u8 = 1;
const ENDED: u8 = 2;

/// A call that has begun. Whoever waits for it holds it.
struct Call {
    state: Arc<AtomicU8>,
    layout: Arc<Layout>,
}

impl Drop for Call {
    /// Nobody waits any more, or it has ended.
    fn drop(&mut self) {
        if self.state.compare_exchange(RUNNING, OVERDUE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.layout.overdue.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Runs `work`, which takes milliseconds on a disk that is well, on a blocking thread of this runtime: no longer than this disk may take, and within what the
/// request may wait. What does not end in time ends by itself, perhaps with its effect.
pub(super) async fn soon<T: Send + 'static>(
    layout: &Arc<Layout>,
    work: impl FnOnce(&Layout) -> io::Result<T> + Send + 'static,
) -> PortResult<T> {
    if layout.overdue.load(Ordering::Relaxed) >= MOST_OVERDUE {
        return Err(PortError::unavailable(PART, "the disk does not answer"));
    }
    let call = Call { state: Arc::new(AtomicU8::new(RUNNING)), layout: Arc::clone(layout) };
    let (state, on_thread) = (Arc::clone(&call.state), Arc::clone(layout));
    let running = spawn_blocking(move || {
        let result = work(&on_thread);
        if state.swap(ENDED, Ordering::AcqRel) == OVERDUE {
            on_thread.overdue.fetch_sub(1, Ordering::Relaxed);
        }
        result
    });
    let ended = allowance::wait(layout.answer_within(), running).await;
    drop(call);
    match ended {
        Ok(ended) => joined(ended)?.map_err(port_error),
        Err(late) => Err(PortError::unavailable(PART, late)),
    }
}

/// The same for a file that may not be there: none, if the disk is still the one that was claimed. One that is gone has no files either.
pub(super) async fn soon_if_there<T: Send + 'static>(
    layout: &Arc<Layout>,
    work: impl FnOnce(&Layout) -> io::Result<T> + Send + 'static,
) -> PortResult<Option<T>> {
    let found = soon(layout, move |layout| {
        work(layout).or_else(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                layout.check_mark()?;
            }
            Err(error)
        })
    });
    absent_as_none(found.await)
}
