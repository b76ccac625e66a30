//! What a search goes to.

use std::time::Duration;

/// Where it takes another way, and when it ends. All but the time only decide how long it takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Longest time that it takes a reader for.
    pub(super) time: Duration,
    /// Names with the words from which the space is gone through: looking up so many takes some ten milliseconds.
    pub(super) many: u64,
    /// Names with the words from which nodes are held against the words themselves: listing so many takes as long.
    pub(super) very_many: u64,
    /// The same of texts, which take longer to look up and are not listed by their times.
    pub(super) many_texts: u64,
    /// Nodes that are then looked at before it is given up: those that have the words may all be old, or be left out.
    pub(super) walk: usize,
    /// Nodes that are looked at before the index is asked for what begins with a few letters.
    pub(super) peek: usize,
    /// The latest nodes, which tell what words are frequent.
    pub(super) sample: usize,
    /// Nodes without the frequent words, or left out, that the others may find before the index is asked for all words together.
    pub(super) misses: usize,
    /// Nodes that are put in order before they are looked at.
    pub(super) batch: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(3),
            many: 3_000,
            very_many: 50_000,
            many_texts: 5_000,
            walk: 20_000,
            peek: 400,
            sample: 64,
            misses: 400,
            batch: 4_096,
        }
    }
}
