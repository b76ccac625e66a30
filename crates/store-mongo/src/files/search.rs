//! Finding nodes by words. The words of a node's name and tags stand in its document, those of a content's text in a document for each space that has it, under indexes
//! that begin with the space: so a search asks the shard of the space alone. ADR 14 says why not an index of texts of the server's.

use async_trait::async_trait;
use common::files::search::{
    IndexStep, IndexedText, MimeFilter, Rank, Ranked, SearchFilter, SearchQuery, SearchScope, SearchStore,
    UnreadFile, words_of,
};
use common::files::{Kind, NodeName, Tag};
use common::jobs::NewJob;
use common::{BlobKey, FileId, PortResult, SpaceId, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Bson, Document, doc};
use serde::{Deserialize, Serialize};

use super::node::{NodeDoc, kind_number};
use super::{FilesDb, all, blobs, schema};
use crate::engine::{Fault, Tx, statements};
use crate::value::{ToOid as _, id, int, key, oids, read_key};

/// What stands before the words of tags: none of a name begins with it.
const TAG: &str = "#";

/// Texts that one word of a search may have in a space. A question names them all, each by some thirty bytes.
const MAX_TEXTS: i64 = 10_000;

/// Folders that a search below some of them names; where there are more, it looks in all of the space.
const MAX_FOLDERS: usize = 20_000;

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

/// Words, or those that begin like this one.
fn matching(mark: &str, word: &str, is_prefix: bool) -> Bson {
    let start = format!("{mark}{word}");
    if is_prefix {
        // a word has letters, digits and their marks alone, which all come before this one
        let end = format!("{start}\u{10FFFF}");
        doc! { "$elemMatch": { "$gte": start, "$lt": end } }.into()
    } else {
        start.into()
    }
}

/// Where the names and tags have a word, at this rank or a better one.
fn in_names(word: &str, rank: Rank) -> Vec<Document> {
    let name = |is_prefix| doc! { "words": matching("", word, is_prefix) };
    let tag = |is_prefix| doc! { "words": matching(TAG, word, is_prefix) };
    match rank {
        Rank::Name => vec![name(false)],
        Rank::NamePrefix => vec![name(true)],
        Rank::Tag => vec![name(true), tag(false)],
        Rank::TagPrefix | Rank::Text | Rank::TextPrefix => vec![name(true), tag(true)],
    }
}

/// The contents in whose texts the words of a search stand, word by word.
struct Texts {
    whole: Vec<Vec<Binary>>,
    prefix: Vec<Vec<Binary>>,
}

/// Conditions on a node for a rank or a better one: one for each word.
fn all_words(words: &[String], rank: Rank, texts: Option<&Texts>) -> Vec<Document> {
    let each = words.iter().enumerate().map(|(number, word)| {
        let mut places = in_names(word, rank);
        let blobs = texts.and_then(|texts| match rank {
            Rank::Text => texts.whole.get(number),
            Rank::TextPrefix => texts.prefix.get(number),
            _ => None,
        });
        if let Some(blobs) = blobs.filter(|blobs| !blobs.is_empty()) {
            places.push(doc! { "content.blob": { "$in": blobs } });
        }
        if places.len() == 1 {
            places.remove(0)
        } else {
            doc! { "$or": places }
        }
    });
    each.collect()
}

fn filtered(filter: &SearchFilter) -> Document {
    let mut conditions = Document::new();
    if let Some(kind) = filter.kind {
        conditions.insert("kind", kind_number(kind));
    }
    if filter.min_size.is_some() || filter.max_size.is_some() {
        if filter.kind == Some(Kind::Folder) {
            // no folder has a size
            conditions.insert("_id", doc! { "$in": [] });
        }
        conditions.insert("has_content", true);
    }
    match &filter.mime {
        None => {}
        Some(MimeFilter::Is(mime)) => _ = conditions.insert("mime", mime.clone()),
        Some(MimeFilter::Begins(start)) => {
            conditions.insert("mime", doc! { "$gte": start.clone(), "$lt": format!("{start}\u{10FFFF}") });
        }
    }
    if let Some(tag) = &filter.tag {
        conditions.insert("tags.folded", tag.folded());
    }
    let range = |least: Option<i64>, below: Option<(&str, i64)>| {
        let mut range = Document::new();
        range.extend(least.map(|least| ("$gte".to_owned(), least.into())));
        range.extend(below.map(|(operator, most)| (operator.to_owned(), most.into())));
        range
    };
    let times = range(filter.from.map(Timestamp::millis), filter.to.map(|to| ("$lt", to.millis())));
    let sizes = range(filter.min_size.map(int), filter.max_size.map(|most| ("$lte", int(most))));
    for (field, range) in [("modified_at", times), ("size", sizes)] {
        if !range.is_empty() {
            conditions.insert(field, range);
        }
    }
    conditions
}

#[derive(Deserialize)]
struct IdDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
}

impl FilesDb {
    /// The contents of these spaces in whose texts a word stands; of more than can be named, some.
    async fn texts_with(
        &self,
        spaces: &[ObjectId],
        word: &str,
        is_prefix: bool,
    ) -> Result<Vec<Binary>, Fault> {
        #[derive(Deserialize)]
        struct Found {
            blob: Binary,
        }
        let found: Vec<Found> = self
            .collection(schema::TEXTS)
            .find(doc! { "space": { "$in": spaces }, "words": matching("", word, is_prefix) })
            .projection(doc! { "_id": 0, "blob": 1 })
            .limit(MAX_TEXTS)
            .max_time(self.engine.deadline())
            .await?
            .try_collect()
            .await?;
        Ok(found.into_iter().map(|found| found.blob).collect())
    }

    async fn texts(&self, query: &SearchQuery) -> Result<Texts, Fault> {
        let spaces: Vec<ObjectId> = query.scopes.iter().map(|scope| scope.space.oid()).collect();
        let mut texts = Texts { whole: Vec::new(), prefix: Vec::new() };
        for word in &query.words {
            texts.whole.push(self.texts_with(&spaces, word, false).await?);
            texts.prefix.push(self.texts_with(&spaces, word, true).await?);
        }
        Ok(texts)
    }

    /// Where to look for nodes of a scope.
    async fn place(&self, scope: &SearchScope) -> Result<Document, Fault> {
        let mut place = doc! { "space": scope.space.oid(), "live": true };
        let Some(roots) = &scope.below else { return Ok(place) };
        let mut folders = oids(roots);
        let mut level = folders.clone();
        while !level.is_empty() && folders.len() <= MAX_FOLDERS {
            let below: Vec<IdDoc> = self
                .collection(schema::NODES)
                .find(doc! { "parent": { "$in": level }, "kind": 0, "deleted": false })
                .projection(doc! { "_id": 1 })
                .limit(i64::try_from(MAX_FOLDERS).unwrap_or(i64::MAX))
                .max_time(self.engine.deadline())
                .await?
                .try_collect()
                .await?;
            level = below.into_iter().map(|folder| folder.id).collect();
            folders.extend(&level);
        }
        if folders.len() <= MAX_FOLDERS {
            place
                .insert("$or", [doc! { "parent": { "$in": &folders } }, doc! { "_id": { "$in": &folders } }]);
        }
        Ok(place)
    }

    /// Nodes of one rank, in their order.
    async fn of_rank(
        &self,
        query: &SearchQuery,
        (places, rank): (&[Document], Rank),
        texts: Option<&Texts>,
        limit: i64,
    ) -> Result<Vec<Ranked>, Fault> {
        #[derive(Deserialize)]
        struct Found {
            #[serde(rename = "_id")]
            id: ObjectId,
            modified_at: i64,
        }
        let mut conditions = all_words(&query.words, rank, texts);
        if let Some(better) = rank.better() {
            conditions.push(doc! { "$nor": [{ "$and": all_words(&query.words, better, texts) }] });
        }
        conditions.push(filtered(&query.filter));
        if let Some(after) = query.after.filter(|after| after.rank == rank) {
            let at = after.modified_at.millis();
            let ties = doc! { "modified_at": at, "_id": { "$lt": after.node.oid() } };
            conditions.push(doc! { "$or": [{ "modified_at": { "$lt": at } }, ties] });
        }
        // a branch for each place, so that each is a range of the index
        let mut branches = places.iter().map(|place| {
            let mut branch = place.clone();
            branch.insert("$and", conditions.clone());
            branch
        });
        let filter = match places.len() {
            1 => branches.next().unwrap_or_default(),
            _ => doc! { "$or": branches.collect::<Vec<_>>() },
        };
        let found: Vec<Found> = self
            .collection(schema::NODES)
            .find(filter)
            .projection(doc! { "modified_at": 1 })
            .sort(doc! { "modified_at": -1, "_id": -1 })
            .limit(limit)
            .max_time(self.engine.deadline())
            .await?
            .try_collect()
            .await?;
        let ranked = |found: Found| Ranked {
            rank,
            modified_at: Timestamp::from_millis(found.modified_at),
            node: id(found.id),
        };
        Ok(found.into_iter().map(ranked).collect())
    }
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
    async fn search(&self, query: &SearchQuery) -> PortResult<Vec<Ranked>> {
        if query.words.is_empty() || query.scopes.is_empty() {
            return Ok(Vec::new());
        }
        self.read(async {
            let mut places = Vec::with_capacity(query.scopes.len());
            for scope in &query.scopes {
                places.push(self.place(scope).await?);
            }
            let first = query.after.map_or(Rank::Name, |after| after.rank);
            let (mut found, mut texts) = (Vec::new(), None);
            for rank in Rank::ALL.into_iter().filter(|rank| *rank >= first) {
                if rank >= Rank::Text && texts.is_none() {
                    texts = Some(self.texts(query).await?);
                }
                let left = i64::from(query.limit) - int(found.len() as u64);
                found.extend(self.of_rank(query, (&places, rank), texts.as_ref(), left).await?);
                if found.len() >= query.limit as usize {
                    break;
                }
            }
            Ok(found)
        })
        .await
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
