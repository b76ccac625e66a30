//! Transactions that were left in the middle: their caller has gone, or the server was silent. The server holds what they have written against everybody
//! else until it is told that they have ended, or for a minute (`transactionLifetimeLimitSeconds`), connection or not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mongodb::ClientSession;
use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::error::is_unavailable;
use super::{Engine, Fault};

/// More, as when a busy server is cut off for long, are left to the server's own limit.
const MOST: usize = 1024;

/// How many are ended at once: those that wait for the server leave connections to the calls.
const AT_ONCE: usize = 4;

/// Pauses between attempts to reach the server.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The driver does not say whether the server has heard of the end of a transaction. If not, it has tried again, or looked for another server: both take
/// longer than an end that is heard. Not hearing of one that was costs a second word.
const HEARD_WITHIN: Duration = Duration::from_millis(250);

/// Sessions that are to be told to the server, of all engines of one client.
#[derive(Clone, Debug)]
pub(super) struct Left {
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
}

impl Default for Left {
    fn default() -> Self {
        Self { tasks: TaskTracker::new(), permits: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// A session in which one transaction after another is run. Dropped while one of them may be open on the server, it goes on in the background until that
/// has ended.
pub(super) struct Session<'a> {
    engine: &'a Engine,
    session: Arc<Mutex<ClientSession>>,
    is_open: bool,
}

impl<'a> Session<'a> {
    pub(super) async fn start(engine: &'a Engine) -> Result<Self, Error> {
        let session = engine.client().start_session().await?;
        Ok(Self { engine, session: Arc::new(Mutex::new(session)), is_open: false })
    }

    pub(super) fn shared(&self) -> Arc<Mutex<ClientSession>> {
        Arc::clone(&self.session)
    }

    /// From now on a transaction may be open.
    pub(super) fn opens(&mut self) {
        self.is_open = true;
    }

    /// The server has committed it, or undone it.
    pub(super) fn has_ended(&mut self) {
        self.is_open = false;
    }

    /// Undoes the transaction. What the server did not hear of is said again when this is dropped, or by the next transaction.
    pub(super) async fn abort(&mut self) {
        let begun = Instant::now();
        let mut session = self.session.lock().await;
        match session.abort_transaction().await {
            Ok(()) => self.is_open = begun.elapsed() > HEARD_WITHIN,
            Err(error) => tracing::debug!(error = %Fault::from(error), "transaction not aborted"),
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let left = &self.engine.mongo().left;
        if !self.is_open || left.tasks.len() >= MOST {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let session = Arc::clone(&self.session);
        let meta = self.engine.collection::<Document>("meta");
        let (permits, patience) = (Arc::clone(&left.permits), self.engine.deadline());
        metrics::counter!("fm_mongodb_transactions_left_total").increment(1);
        let ending = async move {
            let mut pause = FIRST_PAUSE;
            loop {
                {
                    let Ok(_permit) = permits.acquire().await else { return };
                    let mut session = session.lock().await;
                    match timeout(patience, end(&mut session, &meta)).await {
                        Ok(Ok(())) => return,
                        Ok(Err(error)) if !is_unavailable(&error) => {
                            tracing::warn!(cause = %Fault::from(error), "cannot end a transaction that was left");
                            return;
                        }
                        Ok(Err(_)) | Err(_) => {}
                    }
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        };
        drop(left.tasks.spawn_on(ending, &runtime));
    }
}

/// Opens the next transaction of the session, with which the server undoes the one before; what still comes of that one is refused, which it would not be
/// after an abort alone.
async fn end(session: &mut ClientSession, meta: &mongodb::Collection<Document>) -> Result<(), Error> {
    // of an attempt before: it has none, or the answer does not matter
    let _ = session.abort_transaction().await;
    session.start_transaction().await?;
    meta.find_one(doc! { "_id": "ping" }).session(&mut *session).await?;
    session.abort_transaction().await
}
