//! What the full-text indexes are asked for.

use common::SpaceId;
use common::files::search::Rank;

/// The words of a search in one space.
#[derive(Debug)]
pub(super) struct Words<'q> {
    space: String,
    words: &'q [String],
}

impl<'q> Words<'q> {
    pub(super) fn new(space: SpaceId, words: &'q [String]) -> Self {
        Self { space: space.to_string(), words }
    }

    /// The words themselves.
    pub(super) fn each(&self) -> impl Iterator<Item = &'q String> {
        self.words.iter()
    }

    /// A word as the full-text index is asked for it: it has letters and digits alone, so that nothing in it is part of that language.
    pub(super) fn phrase(&self, word: &str, is_prefix: bool) -> String {
        format!("\"{}{word}\"{}", self.space, if is_prefix { " *" } else { "" })
    }

    /// Where the names and tags have a word, at this rank or a better one.
    fn in_names(&self, word: &str, rank: Rank) -> String {
        let (whole, prefix) = (self.phrase(word, false), self.phrase(word, true));
        match rank {
            Rank::Name => format!("(name : {whole})"),
            Rank::NamePrefix => format!("(name : {prefix})"),
            Rank::Tag => format!("((name : {prefix}) OR (tags : {whole}))"),
            Rank::TagPrefix | Rank::Text | Rank::TextPrefix => format!("({prefix})"),
        }
    }

    fn all_in_names(&self, rank: Rank) -> String {
        self.led_by(&vec![true; self.words.len()], rank)
    }

    /// Names and tags in which all words that lead stand, at this rank or a better one, whatever stands there of the others.
    pub(super) fn led_by(&self, leads: &[bool], rank: Rank) -> String {
        let leading = self.words.iter().zip(leads).filter(|(_, leads)| **leads);
        leading.map(|(word, _)| self.in_names(word, rank)).collect::<Vec<_>>().join(" AND ")
    }

    /// Names and tags in which one of the words stands, at any rank.
    pub(super) fn in_any_name(&self, word: usize) -> String {
        self.in_names(&self.words[word], Rank::TagPrefix)
    }

    /// Those in which it stands whole.
    pub(super) fn whole_in_any_name(&self, word: usize) -> String {
        self.phrase(&self.words[word], false)
    }

    /// Names and tags in which all words stand, at this rank and at no better one.
    pub(super) fn by_names(&self, rank: Rank) -> String {
        let question = format!("({})", self.all_in_names(rank));
        match rank.better() {
            Some(better) => format!("{question} NOT ({})", self.all_in_names(better)),
            None => question,
        }
    }
}
