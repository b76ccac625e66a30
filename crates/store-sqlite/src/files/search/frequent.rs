//! Words that so many names have that the index is better asked for the others.

use common::SpaceId;
use common::files::search::Rank;
use rusqlite::{Connection, params};

use super::seen::{in_names, names_and_tags};
use crate::row::int;

/// The share of the latest nodes from which on a word counts as frequent.
const ONE_IN: usize = 8;

/// How the latest nodes of a space have the words of a search. A guess at how all have them: only how long a search takes may depend on it.
pub(super) struct Sample {
    /// Of each word, how well each node has it that does.
    having: Vec<Vec<Rank>>,
    /// How many nodes were looked at; none in a space that has fewer than were asked for, where everything is fast.
    looked: usize,
}

impl Sample {
    /// Looks at so many nodes.
    pub(super) fn take(
        connection: &Connection,
        space: SpaceId,
        words: &[String],
        size: usize,
    ) -> rusqlite::Result<Self> {
        let mut select = connection.prepare_cached(
            "SELECT n.name, n.tags FROM search_nodes s INDEXED BY search_latest CROSS JOIN nodes n ON n.id = s.node
             WHERE s.space = ?1 ORDER BY s.modified_at DESC, s.node DESC LIMIT ?2",
        )?;
        let mut rows = select.query(params![space.bytes(), int(size as u64)])?;
        let (mut looked, mut having) = (0, vec![Vec::new(); words.len()]);
        while let Some(row) = rows.next()? {
            looked += 1;
            // what cannot be read is told where it is found
            let Ok((name, tags)) = names_and_tags(row, 0) else { continue };
            for (word, having) in words.iter().zip(&mut having) {
                having.extend(in_names(word, &name, &tags));
            }
        }
        Ok(Self { having, looked: if looked < size { 0 } else { looked } })
    }

    /// Of each word, whether many of them have it at this rank or a better one.
    pub(super) fn frequent(&self, rank: Rank) -> Vec<bool> {
        self.having.iter().map(|having| self.is_much(having, |found| found <= rank)).collect()
    }

    /// Whether many of them have one of the words at this very rank.
    pub(super) fn has_one_at(&self, rank: Rank) -> bool {
        self.having.iter().any(|having| self.is_much(having, |found| found == rank))
    }

    fn is_much(&self, having: &[Rank], counts: impl Fn(Rank) -> bool) -> bool {
        let having = having.iter().filter(|found| counts(**found)).count();
        self.looked > 0 && having * ONE_IN >= self.looked
    }
}
