//! Finding nodes by words. The words of a node's name and tags stand in its document, those of a content's text in a document for each space that has it, under indexes
//! that begin with the space: so a search asks the shard of the space alone. ADR 14 says why not an index of texts of the server's.

mod areas;
mod find;

use async_trait::async_trait;
use common::files::search::{Found, IndexStep, IndexedText, SearchQuery, SearchStore, UnreadFile, words_of};
use common::files::{NodeName, Tag};
use common::jobs::NewJob;
use common::{BlobKey, FileId, PortResult, SpaceId};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use serde::{Deserialize, Serialize};

use super::node::NodeDoc;
use super::{FilesDb, all, blobs, schema};
use crate::engine::{Fault, Tx, statements};
use crate::value::{ToOid as _, id, int, key, read_key};

pub(super) use find::MAX_TEXTS;

/// What stands before the words of tags: none of a name begins with it.
const TAG: &str = "#";

/// The text of a content, for one space.
#[derive(Serialize, Deserialize)]
struct TextDoc {
    #[serde(rename = "_id")]
    key: TextKey,
    /// Once more, to be found by.
    space: ObjectId,
    blob: Binary,
    words: Vec<String>,
    text: String,
}

#[derive(Serialize, Deserialize)]
struct TextKey {
    space: ObjectId,
    blob: Binary,
}

/// By which words a node is found, as its document has them.
pub(super) fn words_of_node(name: &NodeName, tags: &[Tag]) -> Vec<String> {
    let mut words = words_of([name.as_str()]);
    words.extend(words_of(tags.iter().map(Tag::as_str)).into_iter().map(|word| format!("{TAG}{word}")));
    words
}

async fn keep_text(db: &FilesDb, tx: &mut Tx, blob: BlobKey, text: &IndexedText) -> Result<bool, Fault> {
    #[derive(Deserialize)]
    struct InSpace {
        space: ObjectId,
    }
    #[derive(Deserialize)]
    struct OfNode {
        node: ObjectId,
    }
    // the same document as of whoever collects it: of both, one commits
    let live = doc! { "_id": key(blob), "condemned": false };
    let noted = doc! { "$set": { "has_text": true } };
    let found =
        db.collection::<Document>(schema::BLOBS).update_one(live, noted).session(tx.session()).await?;
    if found.matched_count == 0 {
        return Ok(false);
    }
    let versions = db.collection::<OfNode>(schema::VERSIONS);
    let versions = versions.find(doc! { "blob": key(blob) }).projection(doc! { "_id": 0, "node": 1 });
    let versions = all(versions, tx).await?;
    let nodes: Vec<ObjectId> = versions.into_iter().map(|version| version.node).collect();
    let mut spaces: Vec<ObjectId> = Vec::new();
    for filter in [doc! { "content.blob": key(blob), "has_content": true }, doc! { "_id": { "$in": nodes } }]
    {
        let nodes = db.collection::<InSpace>(schema::NODES);
        let found = all(nodes.find(filter).projection(doc! { "_id": 0, "space": 1 }), tx).await?;
        spaces.extend(found.into_iter().map(|found| found.space));
    }
    spaces.sort_unstable();
    spaces.dedup();
    let texts = db.collection::<TextDoc>(schema::TEXTS);
    for space in spaces {
        let key_of = TextKey { space, blob: key(blob) };
        let doc = TextDoc {
            key: key_of,
            space,
            blob: key(blob),
            words: text.words.clone(),
            text: text.text.clone(),
        };
        texts
            .replace_one(doc! { "_id": { "space": space, "blob": key(blob) } }, &doc)
            .upsert(true)
            .session(tx.session())
            .await?;
    }
    Ok(true)
}

/// Removes the texts of a content that is collected.
pub(super) async fn remove_texts(db: &FilesDb, tx: &mut Tx, blob: BlobKey) -> Result<(), Fault> {
    let texts = db.collection::<Document>(schema::TEXTS);
    texts.delete_many(doc! { "blob": key(blob) }).session(tx.session()).await?;
    Ok(())
}

/// Those of the contents of files that have a text in their space.
async fn read_already(db: &FilesDb, files: &[(SpaceId, BlobKey)]) -> Result<Vec<(SpaceId, BlobKey)>, Fault> {
    #[derive(Deserialize)]
    struct Found {
        #[serde(rename = "_id")]
        key: TextKey,
    }
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<Document> =
        files.iter().map(|(space, blob)| doc! { "space": space.oid(), "blob": key(*blob) }).collect();
    let found: Vec<Found> = db
        .collection(schema::TEXTS)
        .find(doc! { "_id": { "$in": keys } })
        .projection(doc! { "_id": 1 })
        .await?
        .try_collect()
        .await?;
    found.into_iter().map(|found| Ok((id(found.key.space), read_key(&found.key.blob)?))).collect()
}

#[async_trait]
impl SearchStore for FilesDb {
    async fn search(&self, query: &SearchQuery) -> PortResult<Found> {
        if query.words.is_empty() || query.scopes.is_empty() {
            return Ok(Found::default());
        }
        self.read(async { Ok(self.look_for(query).await?) }).await
    }

    async fn keep_text(&self, blob: BlobKey, text: &IndexedText) -> PortResult<bool> {
        self.write(blobs::turn(blob), |mut tx| async move { Ok(keep_text(self, &mut tx, blob, text).await?) })
            .await
    }

    async fn find_text(&self, space: SpaceId, blob: BlobKey) -> PortResult<Option<String>> {
        #[derive(Deserialize)]
        struct Found {
            text: String,
        }
        self.read(async {
            let wanted = doc! { "_id": { "space": space.oid(), "blob": key(blob) } };
            let texts = self.collection::<Found>(schema::TEXTS);
            Ok(texts.find_one(wanted).projection(doc! { "_id": 0, "text": 1 }).await?.map(|found| found.text))
        })
        .await
    }

    async fn index(&self, after: Option<FileId>, limit: u32) -> PortResult<IndexStep> {
        self.read(async {
            let filter = after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": after.oid() } });
            let nodes: Vec<NodeDoc> = self
                .nodes()
                .find(filter)
                .sort(doc! { "_id": 1 })
                .limit(i64::from(limit))
                .max_time(self.engine.deadline())
                .await?
                .try_collect()
                .await?;
            let next = nodes.last().filter(|_| nodes.len() >= limit as usize).map(NodeDoc::id);
            let (mut updates, mut files) = (Vec::new(), Vec::new());
            for doc in nodes {
                let (found, is_there) = (doc.words().to_vec(), !doc.is_deleted());
                let node = doc.node()?;
                let words = words_of_node(&node.name, &node.tags);
                if found != words {
                    // who changes it meanwhile knows the words themselves, or is of a version before and is seen to the next time
                    let unchanged = doc! { "_id": node.id.oid(), "revision": int(node.revision) };
                    updates.push(doc! { "q": unchanged, "u": { "$set": { "words": words } } });
                }
                if is_there && let Some(content) = node.content {
                    let (file, owner, blob) = (node.id, node.owner, content.blob);
                    let unread = UnreadFile { file, owner, blob, mime: content.mime, size: content.size };
                    files.push((node.space, unread));
                }
            }
            let indexed = u32::try_from(updates.len()).unwrap_or(limit);
            statements::update_each(&self.engine, schema::NODES, updates).await?;
            let keys: Vec<_> = files.iter().map(|(space, file)| (*space, file.blob)).collect();
            let read = read_already(self, &keys).await?;
            let unread = files.into_iter().filter(|(space, file)| !read.contains(&(*space, file.blob)));
            Ok(IndexStep { next, indexed, unread: unread.map(|(_, file)| file).collect() })
        })
        .await
    }

    async fn order_texts(&self, jobs: &[NewJob]) -> PortResult<()> {
        let Some(first) = jobs.first() else { return Ok(()) };
        let _ring = self.outbox.ring_for(jobs);
        self.write(first.id.oid(), |mut tx| async move {
            Ok(self.outbox.push(&self.engine, tx.session(), jobs).await?)
        })
        .await
    }
}
