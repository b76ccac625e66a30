//! The questions of a search: one for each rank and area, until there is enough. A rank takes in those before it, which are left out.

use std::time::{Duration, Instant};

use common::files::Kind;
use common::files::search::{Found, MimeFilter, Rank, Ranked, SearchFilter, SearchQuery};
use common::{FileId, Timestamp};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Bson, Document, doc};
use serde::Deserialize;

use super::super::node::kind_number;
use super::super::{FilesDb, schema};
use super::TAG;
use super::areas::{Area, Extent};
use crate::engine::Fault;
use crate::value::{ToOid as _, id, int};

/// Texts that one word may have in an area. A question names them all, each by some thirty bytes, for each word twice.
pub(in super::super) const MAX_TEXTS: usize = 10_000;

/// Questions of one rank that are asked at once.
const AREAS_AT_ONCE: usize = 4;

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

/// Contents in whose texts the words of a search stand.
#[derive(Default)]
struct Texts {
    /// For each word the contents that have it; of more than can be named, some.
    each: Vec<Vec<Binary>>,
    /// The contents that have all words, if they are not found out by those.
    all: Vec<Binary>,
    /// Not all of them are here.
    cut: bool,
}

/// The texts of an area for whole words and for beginnings.
struct BothTexts {
    whole: Texts,
    prefix: Texts,
}

impl BothTexts {
    fn of(&self, rank: Rank) -> Option<&Texts> {
        match rank {
            Rank::Text => Some(&self.whole),
            Rank::TextPrefix => Some(&self.prefix),
            Rank::Name | Rank::NamePrefix | Rank::Tag | Rank::TagPrefix => None,
        }
    }
}

/// Conditions on a node for a rank or a better one.
fn all_words(words: &[String], rank: Rank, texts: Option<&BothTexts>) -> Vec<Document> {
    let texts = texts.and_then(|texts| texts.of(rank));
    let each = words.iter().enumerate().map(|(number, word)| {
        let mut places = in_names(word, rank);
        let blobs = texts.and_then(|texts| texts.each.get(number));
        if let Some(blobs) = blobs.filter(|blobs| !blobs.is_empty()) {
            places.push(doc! { "content.blob": { "$in": blobs } });
        }
        if places.len() == 1 {
            places.remove(0)
        } else {
            doc! { "$or": places }
        }
    });
    let each: Vec<Document> = each.collect();
    match texts.filter(|texts| !texts.all.is_empty()) {
        Some(texts) => vec![doc! { "$or": [{ "$and": each }, { "content.blob": { "$in": &texts.all } }] }],
        None => each,
    }
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

impl Area {
    /// The question for one rank. It names each list once, or twice with that of the rank before: of a few megabytes at most.
    fn question(&self, query: &SearchQuery, rank: Rank, texts: Option<&BothTexts>) -> Document {
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
        let mut question = self.place();
        question.insert("$and", conditions);
        question
    }
}

impl FilesDb {
    /// The contents of an area in whose texts all of these words stand, and whether there are more of them.
    async fn texts_with(
        &self,
        area: &Area,
        words: &[String],
        is_prefix: bool,
    ) -> Result<(Vec<Binary>, bool), Fault> {
        #[derive(Deserialize)]
        struct Found {
            blob: Binary,
        }
        let words: Vec<Document> =
            words.iter().map(|word| doc! { "words": matching("", word, is_prefix) }).collect();
        let mut filter = doc! { "space": area.of_space(), "$and": words };
        if let Extent::Below(_, Some(contents)) = &area.extent {
            if contents.is_empty() {
                return Ok((Vec::new(), false));
            }
            filter.insert("blob", doc! { "$in": contents });
        }
        let found: Vec<Found> = self
            .collection(schema::TEXTS)
            .find(filter)
            .projection(doc! { "_id": 0, "blob": 1 })
            .limit(int(self.most_texts as u64 + 1))
            .max_time(self.engine.deadline())
            .await?
            .try_collect()
            .await?;
        let more = found.len() > self.most_texts;
        Ok((found.into_iter().take(self.most_texts).map(|found| found.blob).collect(), more))
    }

    async fn texts(&self, area: &Area, words: &[String], is_prefix: bool) -> Result<Texts, Fault> {
        let mut texts = Texts::default();
        for word in words {
            let (blobs, more) = self.texts_with(area, std::slice::from_ref(word), is_prefix).await?;
            texts.each.push(blobs);
            texts.cut |= more;
        }
        if texts.cut && words.len() > 1 {
            // of two cuts hardly anything would be in both
            texts.all = self.texts_with(area, words, is_prefix).await?.0;
        }
        Ok(texts)
    }

    /// Nodes of one rank in one area, in their order.
    async fn of_rank(
        &self,
        query: &SearchQuery,
        (area, rank): (&Area, Rank),
        texts: Option<&BothTexts>,
        limit: i64,
    ) -> Result<Vec<Ranked>, Fault> {
        #[derive(Deserialize)]
        struct Found {
            #[serde(rename = "_id")]
            id: ObjectId,
            modified_at: i64,
        }
        let found: Vec<Found> = self
            .collection(schema::NODES)
            .find(area.question(query, rank, texts))
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
            node: id::<FileId>(found.id),
        };
        Ok(found.into_iter().map(ranked).collect())
    }

    /// Nodes of one rank in all areas, in their order.
    async fn in_all(
        &self,
        query: &SearchQuery,
        (areas, rank): (&[Area], Rank),
        texts: &[BothTexts],
        limit: i64,
    ) -> Result<Vec<Ranked>, Fault> {
        let questions: Vec<_> = areas
            .iter()
            .enumerate()
            .map(|(number, area)| self.of_rank(query, (area, rank), texts.get(number), limit))
            .collect();
        let found: Vec<Vec<Ranked>> = stream::iter(questions).buffered(AREAS_AT_ONCE).try_collect().await?;
        let mut found = found.concat();
        found.sort_unstable_by_key(|found| std::cmp::Reverse((found.modified_at, found.node)));
        found.dedup_by_key(|found| found.node);
        Ok(found)
    }

    pub(super) async fn look_for(&self, query: &SearchQuery) -> Result<Found, Fault> {
        // the call as a whole would fail at the deadline: what was found by half of it is better than that
        let most: Duration = self.engine.deadline() / 2;
        let begun = Instant::now();
        let areas = self.areas(&query.scopes).await?;
        let first = query.after.map_or(Rank::Name, |after| after.rank);
        let (mut found, mut texts) = (Found::default(), Vec::new());
        for rank in Rank::ALL.into_iter().filter(|rank| *rank >= first) {
            if begun.elapsed() >= most {
                found.incomplete = true;
                break;
            }
            if rank >= Rank::Text && texts.is_empty() {
                for area in &areas {
                    let whole = self.texts(area, &query.words, false).await?;
                    let prefix = self.texts(area, &query.words, true).await?;
                    texts.push(BothTexts { whole, prefix });
                }
            }
            let cut = |texts: &BothTexts| texts.of(rank).is_some_and(|texts| texts.cut);
            found.incomplete |= texts.iter().any(cut);
            let left = i64::from(query.limit) - int(found.nodes.len() as u64);
            found.nodes.extend(self.in_all(query, (&areas, rank), &texts, left).await?);
            if found.nodes.len() >= query.limit as usize {
                break;
            }
        }
        found.nodes.truncate(query.limit as usize);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use common::SpaceId;
    use common::files::search::{MAX_WORDS_OF_SEARCH, SearchScope};

    use super::super::areas::MAX_FOLDERS;
    use super::*;
    use crate::value::binary;

    /// The largest document that a server takes.
    const MOST_BYTES: usize = 16 * 1024 * 1024;

    fn blobs() -> Vec<Binary> {
        (0..MAX_TEXTS).map(|number| binary(&[number.to_le_bytes(), [0; 8]].concat())).collect()
    }

    fn texts() -> Texts {
        Texts { each: vec![blobs(); MAX_WORDS_OF_SEARCH], all: blobs(), cut: true }
    }

    #[test]
    fn the_largest_question_of_a_search_fits() {
        let ids: Vec<ObjectId> = (0..MAX_FOLDERS).map(|_| ObjectId::new()).collect();
        let below = Area { spaces: ids.clone(), extent: Extent::Below(ids.clone(), Some(blobs())) };
        let whole = Area { spaces: vec![ObjectId::new()], extent: Extent::AllBut(ids) };
        let texts = BothTexts { whole: texts(), prefix: texts() };
        let scope = SearchScope { space: SpaceId::from_bytes([1; 12]), below: None };
        let query = SearchQuery {
            words: vec!["w".repeat(40); MAX_WORDS_OF_SEARCH],
            scopes: vec![scope],
            filter: SearchFilter::default(),
            after: None,
            limit: 1000,
        };
        for area in [below, whole] {
            let question = area.question(&query, Rank::TextPrefix, Some(&texts));
            let bytes = mongodb::bson::serialize_to_vec(&question).unwrap().len();
            assert!(bytes < MOST_BYTES / 2, "{bytes}");
        }
    }
}
