//! The collections of file-service: nodes, versions, rows of blobs, usage.
//!
//! Every change of a tree is one transaction, and every one of them writes the document of its space. So of two that run at the same time,
//! in whatever processes, one is repeated with what the other has done before its eyes: what it read cannot have changed when it commits.
//! Transactions of one process take turns by space, so that they need not be repeated.

mod activity;
mod blobs;
mod children;
mod content;
mod copying;
mod journal;
mod link_notices;
mod links;
mod marks;
mod memory;
mod names;
mod node;
mod path;
mod portable;
mod purge;
mod recount;
mod reservations;
mod resumable;
mod returns;
pub(crate) mod schema;
mod schema_activity;
mod schema_search;
mod scrub;
mod search;
mod shares;
mod space;
mod store;
mod thumbnails;
mod trash;
mod tree;
mod upload;
mod usage;
mod versions;

use common::files::{Node, NodeError};
use common::{FileId, PortError, PortResult, SpaceId};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::action::{Aggregate, Find};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::engine::{Engine, Fault, Mongo, Tx, TxResult};
use crate::keyed;
use crate::outbox::{self, Outbox};
use crate::value::{ToOid as _, id};
use memory::Recent;

/// The store of file-service: a [`common::files::FileStore`] with its [`common::files::ShareStore`], [`common::files::LinkStore`],
/// [`common::files::MarkStore`], [`common::files::VersionStore`], [`common::files::CopyStore`] and
/// [`common::files::JournalStore`], [`common::files::ActivityStore`] and [`common::files::SearchStore`], and its [`common::jobs::Outbox`].
pub struct FilesDb {
    engine: Engine,
    outbox: Outbox,
    /// What never changes of a node.
    homes: Recent<FileId, Home>,
    /// The number that was last added to a taken name: where to look for the next.
    numbers: Recent<(FileId, String), u64>,
    most_texts: usize,
}

/// Where a node is for as long as it is.
#[derive(Clone, Copy)]
struct Home {
    space: SpaceId,
    is_root: bool,
}

impl FilesDb {
    /// Asks nothing of the server: the first call that reaches it brings the schema up to date.
    pub fn new(mongo: &Mongo) -> Self {
        Self {
            engine: Engine::new(mongo, &schema::SCHEMA),
            outbox: Outbox::new(schema::OUTBOX),
            homes: Recent::new(50_000),
            numbers: Recent::new(1_000),
            most_texts: search::MAX_TEXTS,
        }
    }

    /// With another number of texts that a search goes through for one word in a space; 10,000 if it is not said.
    #[must_use]
    pub fn with_most_texts(self, most_texts: usize) -> Self {
        Self { most_texts, ..self }
    }

    /// Brings the schema up to date, if that was not done. Of several processes one does it.
    ///
    /// # Errors
    /// `Broken` if a newer major version was here, or the server knows no transactions; `Unavailable` if it does not answer.
    pub async fn migrate(&self) -> PortResult<()> {
        self.engine.migrate().await
    }

    fn nodes(&self) -> Collection<node::NodeDoc> {
        self.collection(schema::NODES)
    }

    fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        self.engine.collection(name)
    }

    /// Reads outside of transactions.
    async fn read<T>(&self, work: impl Future<Output = TxResult<T, PortError>>) -> PortResult<T> {
        self.engine.call(work).await
    }

    /// A change that knows no rule to break, in its turn by `key`.
    async fn write<T, F>(&self, key: ObjectId, work: impl Fn(Tx) -> F + Send + Sync) -> PortResult<T>
    where
        F: Future<Output = TxResult<T, PortError>> + Send,
    {
        self.engine.transact(&[key], work).await
    }

    async fn change<T, F>(&self, space: SpaceId, work: impl Fn(Tx) -> F + Send + Sync) -> Result<T, NodeError>
    where
        F: Future<Output = TxResult<T, NodeError>> + Send,
    {
        self.engine.transact(&[space.oid()], work).await
    }

    /// The space of a node, deleted or not; none if there is no such node.
    async fn space_of(&self, node: FileId) -> PortResult<Option<SpaceId>> {
        #[derive(Deserialize)]
        struct Found {
            space: ObjectId,
            #[serde(default)]
            parent: Option<ObjectId>,
        }
        if let Some(home) = self.homes.get(&node) {
            return Ok(Some(home.space));
        }
        let nodes = self.collection::<Found>(schema::NODES);
        let found = nodes.find_one(doc! { "_id": node.oid() }).projection(doc! { "space": 1, "parent": 1 });
        let Some(found) = self.read(async { Ok(found.await?) }).await? else { return Ok(None) };
        let home = Home { space: id(found.space), is_root: found.parent.is_none() };
        self.homes.put(node, home);
        Ok(Some(home.space))
    }

    /// Notes what will never change of this node.
    fn remember(&self, node: &Node) {
        self.homes.put(node.id, Home { space: node.space, is_root: node.is_root() });
    }

    /// Whether a node is known to have nothing above it.
    fn is_known_root(&self, node: &FileId) -> bool {
        self.homes.get(node).is_some_and(|home| home.is_root)
    }
}

outbox::impl_outbox!(FilesDb);
keyed::impl_keyed!(FilesDb);

/// All documents of a query, within a transaction.
async fn all<T>(find: Find<'_, T>, tx: &mut Tx) -> Result<Vec<T>, Fault>
where
    T: DeserializeOwned + Send + Sync + Unpin,
{
    let mut cursor = find.session(tx.session()).await?;
    Ok(cursor.stream(tx.session()).try_collect().await?)
}

/// All documents of an aggregation, within a transaction.
async fn all_of<T>(aggregate: Aggregate<'_>, tx: &mut Tx) -> Result<Vec<T>, Fault>
where
    T: DeserializeOwned + Send + Sync + Unpin,
{
    let mut cursor = aggregate.with_type::<T>().session(tx.session()).await?;
    Ok(cursor.stream(tx.session()).try_collect().await?)
}

/// Whether the query finds anything, within a transaction.
async fn any(collection: &Collection<Document>, filter: Document, tx: &mut Tx) -> Result<bool, Fault> {
    let found = collection.find_one(filter).projection(doc! { "_id": 1 }).session(tx.session()).await?;
    Ok(found.is_some())
}
