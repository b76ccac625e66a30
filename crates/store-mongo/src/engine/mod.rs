//! One database of MongoDB: deadlines, errors, transactions, migrations.

mod astray;
mod connect;
mod error;
mod left;
mod locks;
mod migrate;
pub(crate) mod statements;
mod tx;

use std::time::Duration;

use common::{PortError, PortResult, allowance, idempotency};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use mongodb::{Client, Collection};
use tokio::sync::OnceCell;

use crate::keyed;

pub(crate) use astray::{Astray, Attempt};
pub use connect::{Mongo, OpenOptions};
pub(crate) use error::{Abort, Fault, duplicates, is_duplicate};
pub(crate) use migrate::{Index, Migration, Schema, Step, Version};
pub(crate) use tx::Tx;

use locks::KeyedLocks;

/// The part that errors name.
pub(crate) const PART: &str = "mongodb";

/// What the work of a call returns.
pub(crate) type TxResult<T, R> = Result<T, Abort<R>>;

/// The collections of one owner of data.
pub(crate) struct Engine {
    mongo: Mongo,
    schema: &'static Schema,
    migrated: OnceCell<()>,
    /// The name of this process in the lock of migrations.
    me: ObjectId,
    locks: KeyedLocks,
}

impl Engine {
    /// Asks nothing of the server: the schema is brought up to date by the first call that reaches it, or by [`Engine::migrate`].
    pub(crate) fn new(mongo: &Mongo, schema: &'static Schema) -> Self {
        Self {
            mongo: mongo.clone(),
            schema,
            migrated: OnceCell::new(),
            me: ObjectId::new(),
            locks: KeyedLocks::default(),
        }
    }

    /// Brings the schema up to date, alone among all processes. Returns at once if this was done before. Programs call it when they start: a
    /// call that comes first has only its own deadline for it, which is not enough to build an index over much.
    ///
    /// # Errors
    /// `Broken` if the database was written by a newer major version, or cannot do transactions.
    pub(crate) async fn migrate(&self) -> PortResult<()> {
        self.migrated.get_or_try_init(|| migrate::migrate(&self.mongo, self.schema, self.me)).await.map(drop)
    }

    /// Runs `work` under the deadline, and within what the request may still wait. Several operations in it are several commits, and see several states.
    pub(crate) async fn call<T, R: From<PortError>>(
        &self,
        work: impl Future<Output = TxResult<T, R>>,
    ) -> Result<T, R> {
        self.call_within(self.deadline(), work).await
    }

    /// As [`Engine::call`], under another deadline.
    async fn call_within<T, R: From<PortError>>(
        &self,
        deadline: Duration,
        work: impl Future<Output = TxResult<T, R>>,
    ) -> Result<T, R> {
        let ready_then_work = async {
            self.migrate().await?;
            work.await.map_err(Abort::into_error)
        };
        // the driver's futures are large
        match allowance::wait(deadline, Box::pin(ready_then_work)).await {
            Ok(result) => result,
            Err(late) => Err(PortError::from(Fault::Deadline(late.given)).into()),
        }
    }

    /// [`Engine::call`] of work that knows no rules.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> PortResult<T> {
        self.call(async { Ok(work.await?) }).await
    }

    /// [`Engine::run`] of work in several steps that nobody waits for, each with the deadline of a call, under one of its own for all of them.
    pub(crate) async fn run_within<T>(
        &self,
        deadline: Duration,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> PortResult<T> {
        self.call_within(deadline, async { Ok(work.await?) }).await
    }

    /// [`Engine::call`] of work that changes something by itself, not in a transaction: the first under a key ([`idempotency`]) is preceded by its mark.
    pub(crate) async fn write<T, R: From<PortError>>(
        &self,
        work: impl Future<Output = TxResult<T, R>>,
    ) -> Result<T, R> {
        self.call(async {
            if let Some(run) = idempotency::unmarked(self.name()) {
                keyed::mark(self, None, &run).await?;
                run.note_marked();
            }
            work.await
        })
        .await
    }

    /// [`Engine::write`] of work that knows no rules.
    pub(crate) async fn write_run<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> PortResult<T> {
        self.write(async { Ok(work.await?) }).await
    }

    /// Whose collections these are.
    pub(crate) fn name(&self) -> &'static str {
        self.schema.name
    }

    /// A collection, with documents as `T` reads and writes them.
    pub(crate) fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        self.mongo.database().collection(name)
    }

    /// The longest time of one call, also for `max_time` of reads.
    pub(crate) fn deadline(&self) -> Duration {
        self.mongo.options().deadline
    }

    /// The id of this database, made when it was first asked for.
    pub(crate) async fn store_id(&self) -> PortResult<String> {
        self.run(async {
            let meta = self.collection::<Document>("meta");
            if meta.find_one(doc! { "_id": "store" }).await?.is_none() {
                let store = doc! { "_id": "store", "id": format!("{:032x}", rand::random::<u128>()) };
                match meta.insert_one(store).await {
                    // another process was quicker
                    Err(error) if is_duplicate(&error) => {}
                    result => drop(result?),
                }
            }
            let store = meta.find_one(doc! { "_id": "store" }).await?;
            let id = store.as_ref().and_then(|store| store.get_str("id").ok());
            Ok(id.ok_or(Fault::Damaged("the database has no id"))?.to_owned())
        })
        .await
    }

    /// Writes and reads one document.
    pub(crate) async fn ping(&self) -> PortResult<()> {
        self.call(async {
            self.collection::<Document>("meta")
                .find_one_and_update(doc! { "_id": "ping" }, doc! { "$inc": { "value": 1_i64 } })
                .upsert(true)
                .await?;
            Ok(())
        })
        .await
    }

    fn mongo(&self) -> &Mongo {
        &self.mongo
    }

    fn client(&self) -> &Client {
        self.mongo.client()
    }

    fn locks(&self) -> &KeyedLocks {
        &self.locks
    }

    /// Waits until no other transaction of this process holds the key.
    pub(crate) async fn turn(&self, keys: &[ObjectId]) -> Vec<tokio::sync::OwnedMutexGuard<()>> {
        self.locks.lock(keys).await
    }
}

#[cfg(all(test, feature = "servers"))]
mod tests;
