use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{PortError, PortResult};
use rusqlite::Connection;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use super::error::GroupFailure;
use super::{Abort, Durability, OpenOptions, PART, Tx, TxResult};

mod commit;
mod shared;

use commit::Committer;
pub(crate) use shared::{Line, Shared};

/// Stack of the store's threads: SQLite asks for less than 100 KiB.
pub(super) const STACK_BYTES: usize = 512 << 10;

pub(super) fn closed() -> PortError {
    PortError::unavailable(PART, "the store is closed")
}

/// What became of one request inside its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Keep,
    Undo,
}

/// A request, whatever its types.
trait Request: Send {
    /// Does the work and keeps its result.
    fn run(&mut self, tx: &Tx<'_>) -> Verdict;

    /// Why the transaction ended while this one ran.
    fn failure(&self) -> GroupFailure;

    /// Hands the result to the caller, or the failure of the whole group.
    fn answer(self: Box<Self>, failure: Option<&GroupFailure>);
}

struct Pending<T, R, F> {
    work: Option<F>,
    result: Option<TxResult<T, R>>,
    reply: oneshot::Sender<Result<T, R>>,
    _permit: OwnedSemaphorePermit,
}

impl<T, R, F> Request for Pending<T, R, F>
where
    T: Send,
    R: From<PortError> + Send,
    F: FnOnce(&Tx<'_>) -> TxResult<T, R> + Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> Verdict {
        let Some(work) = self.work.take() else { return Verdict::Undo };
        let result = catch_unwind(AssertUnwindSafe(|| work(tx)))
            .unwrap_or_else(|_| Err(Abort::Rule(PortError::broken(PART, "a write panicked").into())));
        let verdict = if result.is_ok() { Verdict::Keep } else { Verdict::Undo };
        self.result = Some(result);
        verdict
    }

    fn failure(&self) -> GroupFailure {
        match &self.result {
            Some(Err(Abort::Sql(error))) => error.into(),
            _ => GroupFailure::unknown(),
        }
    }

    fn answer(self: Box<Self>, failure: Option<&GroupFailure>) {
        let result = match (self.result, failure) {
            // an own failure stays what it is, whatever happened to the others
            (Some(Err(abort)), _) => Err(abort.into_error()),
            (_, Some(failure)) => Err(failure.to_error().into()),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(closed().into()),
        };
        // a caller that went away does not hear it; what it asked for stands
        let _gone = self.reply.send(result);
    }
}

#[derive(Default)]
struct State {
    durable: VecDeque<Box<dyn Request>>,
    relaxed: VecDeque<Box<dyn Request>>,
    /// The kind of the last group, so that neither kind starves the other.
    last_was_durable: bool,
    closed: bool,
}

struct Queue {
    state: Mutex<State>,
    ready: Condvar,
}

/// What the writer thread does next.
enum Next {
    Commit(Durability, Vec<Box<dyn Request>>),
    Quiet,
    Close,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // nothing can panic while it is held
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a request at the end; gives it back if the store is closed.
    fn push(&self, durability: Durability, request: Box<dyn Request>) -> Result<(), Box<dyn Request>> {
        {
            let mut state = self.lock();
            if state.closed {
                return Err(request);
            }
            match durability {
                Durability::Durable => state.durable.push_back(request),
                Durability::Relaxed => state.relaxed.push_back(request),
            }
        }
        self.ready.notify_one();
        Ok(())
    }

    /// Takes up to `most` of what waits: what must be durable and what need not by turns, and the second along with the first as far as there is
    /// room. With `quiet`, gives up after so long.
    fn take(&self, most: usize, quiet: Option<Duration>) -> Next {
        let mut state = self.lock();
        loop {
            let durable = match (state.durable.is_empty(), state.relaxed.is_empty()) {
                (false, false) => Some(!state.last_was_durable),
                (false, true) => Some(true),
                (true, false) => Some(false),
                (true, true) => None,
            };
            if let Some(durable) = durable {
                state.last_was_durable = durable;
                let queue = if durable { &mut state.durable } else { &mut state.relaxed };
                let count = queue.len().min(most);
                let mut group: Vec<_> = queue.drain(..count).collect();
                if durable {
                    // they would wait for this commit, and then for one of their own
                    let count = state.relaxed.len().min(most - group.len());
                    group.extend(state.relaxed.drain(..count));
                }
                let durability = if durable { Durability::Durable } else { Durability::Relaxed };
                return Next::Commit(durability, group);
            }
            if state.closed {
                return Next::Close;
            }
            state = match quiet {
                None => self.ready.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(quiet) => {
                    let (state, timeout) =
                        self.ready.wait_timeout(state, quiet).unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() && state.durable.is_empty() && state.relaxed.is_empty() {
                        return Next::Quiet;
                    }
                    state
                }
            };
        }
    }
}

/// The writer thread and its queue.
pub(super) struct Writer {
    queue: Arc<Queue>,
    door: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(
        name: &'static str,
        connection: Connection,
        options: &OpenOptions,
        bell: Arc<Notify>,
    ) -> PortResult<Self> {
        let queue = Arc::new(Queue { state: Mutex::default(), ready: Condvar::new() });
        let mut committer = Committer::new(name, connection, bell).map_err(super::sql_error)?;
        let (most, quiet) = (options.group.max(1), options.quiet);
        let thread = {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name(format!("{name}-write"))
                .stack_size(STACK_BYTES)
                .spawn(move || {
                    loop {
                        match queue.take(most, committer.wants_checkpoint().then_some(quiet)) {
                            Next::Commit(durability, group) => committer.commit(durability, group),
                            Next::Quiet => committer.checkpoint_when_quiet(),
                            Next::Close => break,
                        }
                    }
                    committer.close();
                })
                .map_err(|error| PortError::unavailable(PART, error))?
        };
        Ok(Self {
            queue,
            door: Arc::new(Semaphore::new(options.queue.max(1))),
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) async fn submit<T, R, F>(&self, durability: Durability, work: F) -> Result<T, R>
    where
        T: Send + 'static,
        R: From<PortError> + Send + 'static,
        F: FnOnce(&Tx<'_>) -> TxResult<T, R> + Send + 'static,
    {
        let permit = Arc::clone(&self.door).acquire_owned().await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let request = Box::new(Pending { work: Some(work), result: None, reply, _permit: permit });
        if self.queue.push(durability, request).is_err() {
            return Err(closed().into());
        }
        answer.await.unwrap_or_else(|_| Err(closed().into()))
    }

    pub(super) fn line(&self) -> Line {
        Line(Arc::clone(&self.queue))
    }

    pub(super) fn close(&self) {
        self.door.close();
        self.queue.lock().closed = true;
        self.queue.ready.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the writer thread panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}
