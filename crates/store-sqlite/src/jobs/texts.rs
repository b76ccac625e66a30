//! Search in type and data.

use common::jobs::text::{text_of, words};
use rusqlite::{Connection, OptionalExtension as _};

use super::job::from_json;
use crate::engine::Tx;

/// The last number that the index has seen.
fn indexed(connection: &Connection) -> rusqlite::Result<i64> {
    let indexed = connection
        .prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'indexed'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(indexed.unwrap_or(0))
}

pub(super) fn index(tx: &Tx<'_>, limit: u32) -> rusqlite::Result<u32> {
    let texts: Vec<(i64, String)> = tx
        .prepare_cached("SELECT number, type, data FROM jobs WHERE number > ?1 ORDER BY number LIMIT ?2")?
        .query_map((indexed(tx)?, limit), |row| {
            let kind: String = row.get(1)?;
            Ok((row.get(0)?, text_of(&kind, &from_json(row, 2)?)))
        })?
        .collect::<Result<_, _>>()?;
    let Some((last, _)) = texts.last() else { return Ok(0) };
    tx.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('indexed', CAST(?1 AS TEXT))")?
        .execute([last])?;
    let mut insert = tx.prepare_cached("INSERT INTO texts (rowid, text) VALUES (?1, ?2)")?;
    for (number, text) in &texts {
        insert.execute((number, words(text).join(" ")))?;
    }
    Ok(u32::try_from(texts.len()).unwrap_or(u32::MAX))
}

/// A job is removed.
pub(super) fn forget(tx: &Tx<'_>, number: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM texts WHERE rowid = ?1")?.execute([number]).map(drop)
}

/// The words as the index is asked for them, the last one as the beginning of a word; none if there is no word.
pub(super) fn query(text: &str) -> Option<String> {
    let words = words(text);
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    (!quoted.is_empty()).then(|| quoted.join(" ") + "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_query_language_gets_through() {
        assert_eq!(query("Émile OR text:* \"x").unwrap(), r#""emile" "or" "text" "x"*"#);
        assert_eq!(query(" -*\" "), None);
    }
}
