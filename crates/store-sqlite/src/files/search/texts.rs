//! Which texts of a space have the words of a search.

use rusqlite::Connection;

use super::words::Words;

/// The texts that have a word, by ascending rows.
type Rows = Vec<i64>;

/// For each word of a search, the texts that have it whole, and those in which it begins a word. Eight bytes for each.
pub(super) struct Texts {
    whole: Vec<Rows>,
    begun: Option<Vec<Rows>>,
}

fn rows(connection: &Connection, words: &Words<'_>, is_prefix: bool) -> rusqlite::Result<Vec<Rows>> {
    let of = |word: &String| {
        connection
            .prepare_cached("SELECT rowid FROM text_words WHERE text_words MATCH ?1 ORDER BY rowid")?
            .query_map([words.phrase(word, is_prefix)], |row| row.get(0))?
            .collect()
    };
    words.each().map(of).collect()
}

impl Texts {
    /// Those with whole words; also with begun ones if these are asked for.
    pub(super) fn find(
        connection: &Connection,
        words: &Words<'_>,
        is_prefix: bool,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            whole: rows(connection, words, false)?,
            begun: is_prefix.then(|| rows(connection, words, true)).transpose()?,
        })
    }

    /// Those that have this word of the search, whole or begun as was asked for.
    fn with(&self, word: usize) -> &[i64] {
        self.begun.as_ref().map_or(&self.whole[word], |begun| &begun[word])
    }

    /// How many these are.
    pub(super) fn count(&self, word: usize) -> u64 {
        u64::try_from(self.with(word).len()).unwrap_or(u64::MAX)
    }

    /// Whether a text has this word of the search whole.
    pub(super) fn has_whole(&self, word: usize, text: i64) -> bool {
        self.whole[word].binary_search(&text).is_ok()
    }

    /// Whether a text has it, whole or begun as was asked for.
    pub(super) fn has(&self, word: usize, text: i64) -> bool {
        self.with(word).binary_search(&text).is_ok()
    }
}
