use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use common::{PortError, PortResult};
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::write::{STACK_BYTES, closed};
use super::{Abort, OpenOptions, PART, TxResult};

type Work = Box<dyn FnOnce(&Connection) + Send>;

/// Reader threads over one queue.
pub(super) struct Readers {
    queue: Arc<Queue>,
    door: Semaphore,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Queue {
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Default)]
struct State {
    works: VecDeque<Work>,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // nothing can panic while it is held
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Work> {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.works.pop_front() {
                return Some(work);
            }
            if state.closed {
                return None;
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Readers {
    pub(super) fn start(name: &str, connections: Vec<Connection>, options: &OpenOptions) -> PortResult<Self> {
        let queue = Arc::new(Queue { state: Mutex::default(), ready: Condvar::new() });
        let readers = Self { queue, door: Semaphore::new(options.queue), threads: Mutex::default() };
        for connection in connections {
            let queue = Arc::clone(&readers.queue);
            let thread = thread::Builder::new()
                .name(format!("{name}-read"))
                .stack_size(STACK_BYTES)
                .spawn(move || {
                    while let Some(work) = queue.take() {
                        work(&connection);
                    }
                })
                .map_err(|error| PortError::unavailable(PART, error))?;
            readers.threads().push(thread);
        }
        Ok(readers)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn submit<T, F>(&self, work: F) -> PortResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> TxResult<T, PortError> + Send + 'static,
    {
        let _permit = self.door.acquire().await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            if reply.is_closed() {
                return;
            }
            let result = catch_unwind(AssertUnwindSafe(|| work(connection)));
            if !connection.is_autocommit()
                && let Err(error) = connection.execute_batch("ROLLBACK")
            {
                tracing::warn!(%error, "a read transaction was left open");
            }
            let result = match result {
                Ok(result) => result.map_err(Abort::into_error),
                Err(_) => Err(PortError::broken(PART, "a read panicked")),
            };
            // the caller may have gone away meanwhile
            let _gone = reply.send(result);
        });
        {
            let mut state = self.queue.lock();
            if state.closed {
                return Err(closed());
            }
            state.works.push_back(work);
        }
        self.queue.ready.notify_one();
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    pub(super) fn close(&self) {
        self.door.close();
        self.queue.lock().closed = true;
        self.queue.ready.notify_all();
        for thread in self.threads().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reader thread panicked");
            }
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}
