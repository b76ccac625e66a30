//! Searching by words. A job's words stand in its document, folded, under an index of their own: an index of texts of the server's would speak languages,
//! and find no beginnings of words.

use std::collections::BTreeSet;

use common::jobs::text;
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;
use serde_json::Value;

use super::doc::from_json;
use super::schema::JOBS;
use crate::engine::{Engine, Fault, statements};

/// Words of a job that can be searched for; those after them cannot. Each is an entry of the index.
const WORDS: usize = 4096;

/// Characters of a word that count.
const WORD_CHARS: usize = 64;

/// Words that one search may have; those after them do not count.
const WORDS_OF_SEARCH: usize = 16;

/// The words of a text that count, in their order.
fn words(text: &str) -> impl Iterator<Item = String> {
    text::words(text).into_iter().map(|word| word.chars().take(WORD_CHARS).collect())
}

fn words_of(kind: &str, data: &Value) -> Vec<String> {
    let all: BTreeSet<String> = words(&text::text_of(kind, data)).take(WORDS).collect();
    all.into_iter().collect()
}

/// The conditions of a search: each word, and the last one as a beginning. None for a text without words.
pub(super) fn matching(text: &str) -> Vec<Document> {
    let mut words: Vec<String> = words(text).take(WORDS_OF_SEARCH).collect();
    let Some(last) = words.pop() else { return Vec::new() };
    let beginning = if last.chars().count() < WORD_CHARS {
        // letters and digits only: nothing in it is special to a pattern
        doc! { "words": { "$regex": format!("^{last}") } }
    } else {
        doc! { "words": last }
    };
    words.into_iter().map(|word| doc! { "words": word }).chain([beginning]).collect()
}

/// Brings jobs into the index, the oldest first; how many. Two that do the same do it twice, with the same result.
pub(super) async fn index(engine: &Engine, limit: u32) -> Result<u32, Fault> {
    #[derive(Deserialize)]
    struct Unread {
        #[serde(rename = "_id")]
        id: ObjectId,
        #[serde(rename = "type")]
        kind: String,
        data: String,
    }
    if limit == 0 {
        return Ok(0);
    }
    let unread = engine
        .collection::<Unread>(JOBS)
        .find(doc! { "to_index": true })
        .projection(doc! { "type": 1, "data": 1 })
        .sort(doc! { "number": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?;
    let unread: Vec<Unread> = unread.try_collect().await?;
    let mut updates = Vec::with_capacity(unread.len());
    for job in &unread {
        let words = words_of(&job.kind, &from_json(&job.data)?);
        // it may have been removed meanwhile
        updates.push(doc! {
            "q": { "_id": job.id, "to_index": true }, "u": { "$set": { "words": words, "to_index": false } },
        });
    }
    statements::update_each(engine, JOBS, updates).await?;
    Ok(u32::try_from(unread.len()).unwrap_or(limit))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_bounded() {
        assert_eq!(words("x".repeat(100).as_str()).next().unwrap().len(), WORD_CHARS);
        let many: Vec<String> = (0..4 * WORDS).map(|n| n.to_string()).collect();
        assert!(words_of("x", &json!(many)).len() <= WORDS);
        assert_eq!(words_of("b a", &json!(["Ä", "b"])), ["a", "b"]);
    }

    #[test]
    fn a_search_is_words_and_a_beginning() {
        assert_eq!(
            matching(" Ägypten Fer"),
            [doc! { "words": "agypten" }, doc! { "words": { "$regex": "^fer" } }]
        );
        assert!(matching(" .* ").is_empty());
    }
}
