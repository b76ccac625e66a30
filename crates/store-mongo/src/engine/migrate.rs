use std::time::Duration;

use common::{PortError, PortResult};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::IndexOptions;
use mongodb::{Collection, IndexModel};

use super::{Fault, Mongo, PART};
use crate::outbox;

/// What an owner keeps in the database.
pub(crate) struct Schema {
    /// For documents of [`META`] and logs.
    pub(crate) name: &'static str,
    /// Steps from one version to the next, ascending. Never changed once released.
    pub(crate) migrations: &'static [Migration],
}

/// The steps to one version. Each can be taken twice: a process may die between any two.
pub(crate) struct Migration {
    /// Reached when all are done.
    pub(crate) version: Version,
    /// In this order.
    pub(crate) steps: &'static [Step],
}

/// Programs work with any minor version of their major one: a minor step only adds what older programs need not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) major: i32,
    pub(crate) minor: i32,
}

/// One step.
pub(crate) enum Step {
    /// Makes a collection. Those that are first written in a transaction must be there.
    Collection(&'static str),
    /// Makes an index.
    Index(Index),
    /// Makes the collection of an outbox.
    Outbox(&'static str),
    /// Gives documents of a version before what they lack.
    Fill {
        /// Where.
        collection: &'static str,
        /// Which.
        lacking: fn() -> Document,
        /// What.
        fields: fn() -> Document,
    },
    /// Puts a document that must be there, unless it is.
    Document {
        /// Where.
        collection: &'static str,
        /// Its `_id`.
        id: &'static str,
        /// The rest.
        fields: fn() -> Document,
    },
}

/// An index. Its name carries a number: one with other options needs another name.
#[derive(Clone, Copy)]
pub(crate) struct Index {
    pub(crate) collection: &'static str,
    name: &'static str,
    keys: &'static [(&'static str, i32)],
    unique: bool,
    only: Option<fn() -> Document>,
}

impl Index {
    /// An index by these keys, 1 ascending or -1 descending.
    pub(crate) const fn new(
        collection: &'static str,
        name: &'static str,
        keys: &'static [(&'static str, i32)],
    ) -> Self {
        Self { collection, name, keys, unique: false, only: None }
    }

    /// No two documents have the same keys.
    pub(crate) const fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    /// Only of documents that this filter finds. Filter by a boolean: a filter by null also finds documents without the field.
    pub(crate) const fn only(self, filter: fn() -> Document) -> Self {
        Self { only: Some(filter), ..self }
    }

    fn model(&self) -> IndexModel {
        let options = IndexOptions::builder()
            .name(self.name.to_owned())
            .unique(self.unique.then_some(true))
            .partial_filter_expression(self.only.map(|filter| filter()))
            .build();
        let keys =
            self.keys.iter().map(|(key, order)| ((*key).to_owned(), (*order).into())).collect::<Document>();
        IndexModel::builder().keys(keys).options(options).build()
    }
}

/// Versions and locks of all owners, and the id of the database.
const META: &str = "meta";

/// How long others keep away from a migration that was begun. Each step begins it anew, and goes on doing so.
const LEASE: Duration = Duration::from_secs(60);

/// How often the lease is begun anew while one step takes long.
const RENEW_AFTER: Duration = Duration::from_secs(20);

/// Longest time that one index may take to be built, or all documents to be filled. A server that falls silent meanwhile is noticed by the driver's monitor.
const INDEX_DEADLINE: Duration = Duration::from_secs(600);

/// How long to wait for another process that migrates, before looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

const NAMESPACE_EXISTS: i32 = 48;

/// Brings the owner's part of the database to the newest version. `me` names the process in the lock: who begins, is given up on, and begins again, has it still.
///
/// # Errors
/// `Broken` if a newer major version has been here, or if the server knows no transactions.
pub(super) async fn migrate(mongo: &Mongo, schema: &Schema, me: ObjectId) -> PortResult<()> {
    let migrator = Migrator {
        mongo,
        schema,
        meta: mongo.database().collection(META),
        lock: format!("lock:{}", schema.name),
        me,
    };
    migrator.run().await
}

struct Migrator<'m> {
    mongo: &'m Mongo,
    schema: &'m Schema,
    meta: Collection<Document>,
    lock: String,
    me: ObjectId,
}

impl Migrator<'_> {
    async fn run(&self) -> PortResult<()> {
        loop {
            let version = self.version().await?;
            if self.is_done(version)? {
                return Ok(());
            }
            if self.take_lock().await? {
                let done = self.go_on().await;
                // others need not wait for the lease, whatever came of it
                let released =
                    self.soon(self.meta.delete_one(doc! { "_id": &self.lock, "owner": self.me })).await;
                done?;
                return Ok(released.map(drop)?);
            }
            tokio::time::sleep(LOOK_AGAIN.mul_f64(rand::random_range(0.5..1.5))).await;
        }
    }

    /// Takes the steps that are missing, under the lock.
    async fn go_on(&self) -> PortResult<()> {
        let mut version = self.version().await?;
        for migration in self.schema.migrations {
            if version.is_some_and(|version| version >= migration.version) {
                continue;
            }
            for step in migration.steps {
                if !self.take_lock().await? {
                    return Err(PortError::unavailable(PART, "another process migrates the database"));
                }
                if !held(self.step(step), || self.take_lock()).await? {
                    return Err(PortError::unavailable(PART, "another process took over the migration"));
                }
            }
            version = self.reach(migration.version).await?;
            // a newer program may have gone on from here, if this one lost its lease
            self.is_done(version)?;
        }
        Ok(())
    }

    /// Notes this version, unless a higher one is there: whoever lost the lease must not lower it. The version that stands then.
    async fn reach(&self, Version { major, minor }: Version) -> Result<Option<Version>, Fault> {
        let lower = doc! {
            "_id": self.version_id(),
            "$or": [ { "major": { "$lt": major } }, { "major": major, "minor": { "$lt": minor } } ],
        };
        let reached = doc! { "$set": { "major": major, "minor": minor } };
        match self.soon(self.meta.update_one(lower, reached).upsert(true)).await {
            Ok(_) => tracing::info!(schema = self.schema.name, major, minor, "database migrated"),
            // it is there and does not match: the upsert collides with it
            Err(fault) if fault.is_duplicate() => {}
            Err(fault) => return Err(fault),
        }
        self.version().await
    }

    fn version_id(&self) -> String {
        format!("schema:{}", self.schema.name)
    }

    async fn version(&self) -> Result<Option<Version>, Fault> {
        let found = self.soon(self.meta.find_one(doc! { "_id": self.version_id() })).await?;
        let Some(found) = found else { return Ok(None) };
        match (found.get_i32("major"), found.get_i32("minor")) {
            (Ok(major), Ok(minor)) => Ok(Some(Version { major, minor })),
            _ => Err(Fault::Damaged("the version of the database cannot be read")),
        }
    }

    fn is_done(&self, version: Option<Version>) -> PortResult<bool> {
        let newest = self.schema.migrations.last().map(|migration| migration.version);
        match (version, newest) {
            (Some(version), Some(newest)) if version.major > newest.major => Err(PortError::broken(
                PART,
                format!(
                    "the {} collections have version {}.{}, this program knows {}",
                    self.schema.name, version.major, version.minor, newest.major
                ),
            )),
            (version, newest) => Ok(version >= newest),
        }
    }

    /// Takes or renews the lock; false if another process has it.
    async fn take_lock(&self) -> Result<bool, Fault> {
        let now = self.server_time().await?;
        let until = now.saturating_add_duration(LEASE);
        let mine_or_over =
            doc! { "_id": &self.lock, "$or": [ { "owner": self.me }, { "until": { "$lte": now } } ] };
        let mine = doc! { "$set": { "owner": self.me, "until": until } };
        match self.soon(self.meta.update_one(mine_or_over, mine).upsert(true)).await {
            Ok(_) => Ok(true),
            // it is there and does not match: the upsert collides with it
            Err(fault) if fault.is_duplicate() => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// All processes have the same clock here. On the way it is seen whether the server knows transactions.
    async fn server_time(&self) -> Result<DateTime, Fault> {
        let hello = self.soon(self.mongo.database().run_command(doc! { "hello": 1 })).await?;
        let is_cluster =
            hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
        if !is_cluster {
            return Err(Fault::Damaged(
                "the server is not a member of a replica set: it knows no transactions",
            ));
        }
        hello.get_datetime("localTime").copied().map_err(|_| Fault::Damaged("the server tells no time"))
    }

    async fn step(&self, step: &Step) -> Result<(), Fault> {
        match step {
            Step::Collection(name) => self.collection(name).await,
            Step::Index(index) => self.index(index).await,
            Step::Outbox(name) => {
                self.collection(name).await?;
                for index in outbox::indexes(name) {
                    self.index(&index).await?;
                }
                Ok(())
            }
            Step::Fill { collection, lacking, fields } => {
                let documents = self.mongo.database().collection::<Document>(collection);
                let filled = documents.update_many(lacking(), doc! { "$set": fields() });
                within(INDEX_DEADLINE, filled).await.map(drop)
            }
            Step::Document { collection, id, fields } => {
                let documents = self.mongo.database().collection::<Document>(collection);
                let unless_there = doc! { "$setOnInsert": fields() };
                self.soon(documents.update_one(doc! { "_id": *id }, unless_there).upsert(true))
                    .await
                    .map(drop)
            }
        }
    }

    async fn collection(&self, name: &str) -> Result<(), Fault> {
        match self.soon(self.mongo.database().create_collection(name)).await {
            Err(Fault::Driver(error)) if is_there(&error) => Ok(()),
            result => result,
        }
    }

    async fn index(&self, index: &Index) -> Result<(), Fault> {
        let collection = self.mongo.database().collection::<Document>(index.collection);
        within(INDEX_DEADLINE, collection.create_index(index.model())).await.map(drop)
    }

    /// Under the deadline of a call.
    async fn soon<T>(&self, operation: impl IntoFuture<Output = Result<T, Error>>) -> Result<T, Fault> {
        within(self.mongo.options().deadline, operation).await
    }
}

/// Does `work`, and renews the lease on the way; false if that was lost, and with it the right to go on.
async fn held<F: Future<Output = Result<bool, Fault>>>(
    work: impl Future<Output = Result<(), Fault>>,
    renew: impl Fn() -> F,
) -> Result<bool, Fault> {
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(RENEW_AFTER, &mut work).await {
            Ok(done) => return done.map(|()| true),
            Err(_) if renew().await? => {}
            Err(_) => return Ok(false),
        }
    }
}

async fn within<T>(
    deadline: Duration,
    operation: impl IntoFuture<Output = Result<T, Error>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(deadline, operation.into_future()).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Fault::Deadline(deadline)),
    }
}

fn is_there(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(command) if command.code == NAMESPACE_EXISTS)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_lease_is_renewed_while_an_index_is_built() {
        let renewed = Cell::new(0);
        let begun = tokio::time::Instant::now();
        let last = Cell::new(begun);
        let build = async {
            tokio::time::sleep(INDEX_DEADLINE).await;
            Ok(())
        };
        let done = held(build, || {
            assert!(last.replace(tokio::time::Instant::now()).elapsed() < LEASE / 2);
            renewed.set(renewed.get() + 1);
            std::future::ready(Ok(true))
        });
        assert!(done.await.unwrap());
        assert!(begun.elapsed() >= INDEX_DEADLINE && last.get().elapsed() < LEASE / 2);
        assert!(renewed.get() > 10);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_lost_the_lease_does_not_go_on() {
        let waits = held(std::future::pending(), || async { Ok(false) });
        assert!(!waits.await.unwrap());
        let failed = held(std::future::pending(), || async { Err(Fault::Deadline(LEASE)) });
        assert!(matches!(failed.await, Err(Fault::Deadline(_))));
    }

    #[cfg(feature = "servers")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_older_program_whose_lease_ended_does_not_lower_the_version() {
        static OLDER: Schema = Schema { name: "test", migrations: &[] };
        let (mongo, _scratch) = crate::support::mongo().await;
        let migrator = Migrator {
            mongo: &mongo,
            schema: &OLDER,
            meta: mongo.database().collection(META),
            lock: "lock:test".to_owned(),
            me: ObjectId::new(),
        };
        let at = |major, minor| Version { major, minor };
        let steps = [
            (at(1, 0), at(1, 0)),
            (at(1, 2), at(1, 2)),
            (at(1, 1), at(1, 2)),
            (at(1, 2), at(1, 2)),
            (at(2, 0), at(2, 0)),
            (at(1, 3), at(2, 0)),
        ];
        for (reached, stands) in steps {
            assert_eq!(migrator.reach(reached).await.unwrap(), Some(stands));
            assert_eq!(migrator.version().await.unwrap(), Some(stands));
        }
    }
}
