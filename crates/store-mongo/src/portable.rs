//! What reading and writing all of a collection has in common.

use common::jobs::NewJob;
use common::{JobId, PortError, PortResult};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Fault, Mongo, duplicates};
use crate::value::ToOid as _;

/// The document of `meta` that stands there from the beginning of an import to its end.
pub(crate) const IMPORT: &str = "import";

/// Whether an import into the database was begun and has not ended: then it holds a part of an installation. Brings no schema up to date.
///
/// # Errors
/// `Unavailable` if the server does not answer.
pub async fn is_import_unfinished(mongo: &Mongo) -> PortResult<bool> {
    let meta = mongo.database().collection::<Document>("meta");
    let deadline = mongo.options().deadline;
    match tokio::time::timeout(deadline, async { meta.find_one(doc! { "_id": IMPORT }).await }).await {
        Ok(found) => Ok(found.map_err(Fault::from)?.is_some()),
        Err(_) => Err(PortError::from(Fault::Deadline(deadline))),
    }
}

/// Documents behind a place, in the order of this field. An index has it in front.
pub(crate) async fn page<T>(
    engine: &Engine,
    collection: &str,
    field: &str,
    after: Option<impl Into<Bson>>,
    limit: u32,
) -> Result<Vec<T>, Fault>
where
    T: DeserializeOwned + Send + Sync + Unpin,
{
    let after: Option<Bson> = after.map(Into::into);
    let behind = after.map_or_else(Document::new, |after| doc! { field: { "$gt": after } });
    page_of(engine, collection, behind, doc! { field: 1 }, limit).await
}

/// Documents that match, in this order.
pub(crate) async fn page_of<T>(
    engine: &Engine,
    collection: &str,
    matching: Document,
    order: Document,
    limit: u32,
) -> Result<Vec<T>, Fault>
where
    T: DeserializeOwned + Send + Sync + Unpin,
{
    if limit == 0 {
        return Ok(Vec::new());
    }
    let found = engine
        .collection::<T>(collection)
        .find(matching)
        .sort(order)
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?;
    Ok(found.try_collect().await?)
}

/// What stands behind a pair of fields.
pub(crate) fn behind_pair(
    (first, one): (&str, impl Into<Bson>),
    (second, other): (&str, impl Into<Bson>),
) -> Document {
    let (one, other): (Bson, Bson) = (one.into(), other.into());
    let ties = doc! { first: one.clone(), second: { "$gt": other } };
    doc! { "$or": [{ first: { "$gt": one } }, ties] }
}

/// Inserts documents. Those that are there already stay as they are.
pub(crate) async fn keep<T: Serialize + Send + Sync>(
    engine: &Engine,
    collection: &str,
    documents: Vec<T>,
) -> Result<(), Fault> {
    if documents.is_empty() {
        return Ok(());
    }
    let inserted = engine.collection::<T>(collection).insert_many(documents).ordered(false).await;
    duplicates(inserted).map(drop)
}

/// Jobs in an outbox.
pub(crate) async fn outbox(
    engine: &Engine,
    collection: &str,
    after: Option<JobId>,
    limit: u32,
) -> PortResult<Vec<NewJob>> {
    #[derive(Deserialize)]
    struct Row {
        job: String,
    }
    engine
        .run(async {
            let rows: Vec<Row> = page(engine, collection, "_id", after.map(|id| id.oid()), limit).await?;
            let read = |row: Row| {
                serde_json::from_str(&row.job)
                    .map_err(|_| Fault::Damaged("a job in the outbox that cannot be read"))
            };
            rows.into_iter().map(read).collect()
        })
        .await
}

/// A document as a program writes it.
pub(crate) fn document(value: &impl Serialize) -> Result<Document, Fault> {
    mongodb::bson::serialize_to_document(value)
        .map_err(|_| Fault::Damaged("a record does not become a document"))
}

/// Puts a field in, if there is a value.
pub(crate) fn put(document: &mut Document, field: &str, value: Option<impl Into<Bson>>) {
    if let Some(value) = value {
        document.insert(field, value);
    }
}
