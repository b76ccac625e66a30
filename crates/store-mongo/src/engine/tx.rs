use std::time::Duration;

use common::idempotency::Run;
use common::{PortError, idempotency};
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::error::{Error, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::ReadConcern;
use tokio::sync::OwnedMutexGuard;

use super::left::Session;
use super::{Abort, Engine, TxResult, connect};
use crate::keyed;

/// The transaction, as its work sees it: [`Tx::session`] goes with each operation.
///
/// An operation that failed has ended the transaction on the server: pass its error on, or answer with a rule; do not go on.
pub(crate) struct Tx(OwnedMutexGuard<ClientSession>);

impl Tx {
    /// The session that carries the transaction.
    pub(crate) fn session(&mut self) -> &mut ClientSession {
        &mut self.0
    }
}

/// Wait before a transaction that met another is run again, for the first time and at most.
const FIRST_WAIT: Duration = Duration::from_millis(4);
const LONGEST_WAIT: Duration = Duration::from_millis(250);

impl Engine {
    /// Runs `work` in a transaction of the majority and commits it. All that it reads is of one moment. It runs again, after a short wait, if it met
    /// another transaction, until the deadline: it must be repeatable. A rule undoes it and is answered.
    ///
    /// `keys` (of spaces, of users) order it behind other transactions of this process with any of these keys.
    ///
    /// The first one under a key (see [`common::idempotency`]) marks it, in the same commit.
    ///
    /// After an `Unavailable` the transaction may have been committed: the answer to the commit can be lost, as with every network.
    pub(crate) async fn transact<T, R, F>(
        &self,
        keys: &[ObjectId],
        work: impl Fn(Tx) -> F + Send + Sync,
    ) -> Result<T, R>
    where
        F: Future<Output = TxResult<T, R>> + Send,
        R: From<PortError>,
    {
        self.call(async {
            let _turn = self.locks().lock(keys).await;
            self.repeat(&work, true).await
        })
        .await
    }

    /// Runs `work`, which only reads, so that all of it sees one moment, within `deadline` instead of the usual one. Nobody waits for it.
    pub(crate) async fn read_one_moment<T, R, F>(
        &self,
        deadline: Duration,
        work: impl Fn(Tx) -> F + Send + Sync,
    ) -> Result<T, R>
    where
        F: Future<Output = TxResult<T, R>> + Send,
        R: From<PortError>,
    {
        self.call_within(deadline, self.repeat(&work, false)).await
    }

    async fn repeat<T, R, F>(&self, work: &(impl Fn(Tx) -> F + Send + Sync), writes: bool) -> TxResult<T, R>
    where
        F: Future<Output = TxResult<T, R>> + Send,
    {
        let mut session = Session::start(self).await?;
        let mut wait = FIRST_WAIT;
        loop {
            // another transaction of the same run may have set the mark meanwhile
            let run = if writes { idempotency::unmarked(self.name()) } else { None };
            match self.attempt(&mut session, work, run.as_ref()).await {
                Err(Abort::Fault(fault)) if fault.is_transient() => {
                    metrics::counter!("fm_mongodb_transactions_repeated_total").increment(1);
                    tracing::debug!(%fault, "transaction met another");
                }
                result => {
                    if let (Ok(_), Some(run)) = (&result, run) {
                        run.note_marked();
                    }
                    return result;
                }
            }
            tokio::time::sleep(wait.mul_f64(rand::random_range(0.5..1.0))).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn attempt<T, R, F>(
        &self,
        session: &mut Session<'_>,
        work: &impl Fn(Tx) -> F,
        run: Option<&Run>,
    ) -> TxResult<T, R>
    where
        F: Future<Output = TxResult<T, R>>,
    {
        let mut tx = session.shared().lock_owned().await;
        tx.start_transaction()
            .read_concern(ReadConcern::snapshot())
            .write_concern(connect::write_concern(self.mongo().options()))
            .max_commit_time(self.mongo().options().deadline)
            .await?;
        session.opens();
        let marked = match run {
            Some(run) => keyed::mark(self, Some(&mut *tx), run).await,
            None => Ok(()),
        };
        let result = match marked {
            Ok(()) => work(Tx(tx)).await,
            Err(fault) => {
                drop(tx);
                Err(fault.into())
            }
        };
        match result {
            Ok(value) => {
                commit(&mut *session.shared().lock_owned().await).await?;
                session.has_ended();
                Ok(value)
            }
            Err(abort) => {
                let fault = if let Abort::Fault(fault) = &abort { Some(fault) } else { None };
                session.abort(fault).await;
                Err(abort)
            }
        }
    }
}

/// Asks again for as long as it is not known: a second commit of the same transaction is the first one's answer.
async fn commit(session: &mut ClientSession) -> Result<(), Error> {
    let mut wait = FIRST_WAIT;
    loop {
        match session.commit_transaction().await {
            Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            result => return result,
        }
    }
}
