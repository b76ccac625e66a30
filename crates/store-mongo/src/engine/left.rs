//! Transactions that were left in the middle: their caller has gone, or the server was silent. The server holds what they have written against everybody
//! else until it is told that they have ended, or for a minute (`transactionLifetimeLimitSeconds`), connection or not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use mongodb::{ClientSession, Collection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::error::is_unanswered;
use super::{Engine, Fault};

/// More, as when a busy server is cut off for long, are left to the server's own limit.
const MOST: usize = 1024;

/// How many are ended at once: those that wait for the server leave connections to the calls.
const AT_ONCE: usize = 4;

/// Pauses between attempts to reach the server.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a server that answers is asked again: its own limit has come then.
const ANSWERING: Duration = Duration::from_secs(60);

/// The driver does not say whether the server has heard of the end of a transaction. If it has not, the driver has tried again or looked for a server, which
/// mostly takes longer. Not knowing of one that was heard costs a second word.
const HEARD_WITHIN: Duration = Duration::from_millis(250);

/// Sessions that are to be told to the server, of all engines of one client.
#[derive(Clone)]
pub(super) struct Left {
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
    /// Of the program: those that requests run on end before it.
    runtime: Handle,
}

impl Left {
    /// For a client that is made on the runtime of the program.
    pub(super) fn new() -> Self {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        Self { tasks: TaskTracker::new(), permits, runtime: Handle::current() }
    }

    /// Waits until the server knows of all that have been left, at most so long.
    pub(super) async fn settle(&self, within: Duration) {
        self.tasks.close();
        if timeout(within, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "transactions are left to the server's own limit");
        }
        self.tasks.reopen();
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

    /// Undoes the transaction, because of this fault or by a rule. What the server did not hear of is said again when this is dropped, or by the next
    /// transaction.
    pub(super) async fn abort(&mut self, because: Option<&Fault>) {
        let is_unanswered = matches!(because, Some(Fault::Driver(error)) if is_unanswered(error));
        let begun = Instant::now();
        let mut session = self.session.lock().await;
        match session.abort_transaction().await {
            Ok(()) => self.is_open = is_unanswered || begun.elapsed() > HEARD_WITHIN,
            Err(error) => tracing::debug!(error = %Fault::from(error), "transaction not aborted"),
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        let left = &self.engine.mongo().left;
        metrics::counter!("fm_mongodb_transactions_left_total").increment(1);
        if left.tasks.len() >= MOST {
            tracing::debug!("a transaction is left to the server's own limit");
            return;
        }
        let ending = Ending {
            session: Arc::clone(&self.session),
            meta: self.engine.collection::<Document>("meta"),
            permits: Arc::clone(&left.permits),
            patience: self.engine.deadline(),
        };
        drop(left.tasks.spawn_on(ending.run(), &left.runtime));
    }
}

struct Ending {
    session: Arc<Mutex<ClientSession>>,
    meta: Collection<Document>,
    permits: Arc<Semaphore>,
    /// For one attempt.
    patience: Duration,
}

impl Ending {
    async fn run(self) {
        let mut pause = FIRST_PAUSE;
        let mut first_answer: Option<Instant> = None;
        loop {
            match self.attempt().await {
                Ok(Ok(())) => return,
                Ok(Err(error)) if !is_unanswered(&error) => {
                    let since = *first_answer.get_or_insert_with(Instant::now);
                    if since.elapsed() > ANSWERING {
                        tracing::warn!(cause = %Fault::from(error), "cannot end a transaction that was left");
                        return;
                    }
                }
                Ok(Err(_)) | Err(_) => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Opens the next transaction of the session, with which the server undoes the one before; what still comes of that one is refused, which it would not
    /// be after an abort alone. The driver aborts this one, which has written nothing, when the session goes.
    async fn attempt(&self) -> Result<Result<(), Error>, tokio::time::error::Elapsed> {
        let Ok(_permit) = self.permits.acquire().await else { return Ok(Ok(())) };
        let mut session = self.session.lock().await;
        timeout(self.patience, async {
            // of an attempt before: it has none, or the answer does not matter
            let _ = session.abort_transaction().await;
            session.start_transaction().await?;
            self.meta.find_one(doc! { "_id": "ping" }).session(&mut *session).await?;
            Ok(())
        })
        .await
    }
}
