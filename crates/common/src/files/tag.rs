use std::fmt;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// Why a text is no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTag {
    /// Nothing in it, or white space alone.
    #[error("a tag must not be empty")]
    Empty,
    /// More than [`Tag::MAX_CHARS`] characters.
    #[error("a tag has at most {} characters", Tag::MAX_CHARS)]
    TooLong,
    /// A control character.
    #[error("a tag has no control characters")]
    Control,
    /// White space at an end.
    #[error("a tag has no white space at its ends")]
    Blank,
}

/// A word that somebody put on a file or folder, in NFC and otherwise as it was written. Two that differ in case alone are one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// Longest tag in characters.
    pub const MAX_CHARS: usize = 64;
    /// Most tags of one file or folder.
    pub const MAX_OF_NODE: usize = 32;
    /// What is never in a tag, and so can stand between two.
    pub const SEPARATOR: char = '\n';

    /// Normalises to NFC and checks.
    ///
    /// # Errors
    /// [`InvalidTag`] says which rule is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidTag> {
        // NFC composes at most three characters into one, so what is longer than this stays too long
        if text.chars().nth(4 * Self::MAX_CHARS).is_some() {
            return Err(InvalidTag::TooLong);
        }
        let tag: String = if is_nfc(text) { text.to_owned() } else { text.nfc().collect() };
        if tag.chars().any(char::is_control) {
            return Err(InvalidTag::Control);
        }
        if tag.trim().is_empty() {
            return Err(InvalidTag::Empty);
        }
        if tag.trim().len() != tag.len() {
            return Err(InvalidTag::Blank);
        }
        if tag.chars().count() > Self::MAX_CHARS {
            return Err(InvalidTag::TooLong);
        }
        Ok(Self(tag))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text by which tags are compared: the same for all that differ in case alone.
    pub fn folded(&self) -> String {
        self.0.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfc().collect()
    }

    /// These tags, of several that fold alike the first.
    pub fn distinct(tags: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut seen = std::collections::HashSet::new();
        tags.into_iter().filter(|tag| seen.insert(tag.folded())).collect()
    }

    /// One text for all of them, as stores keep it beside the node.
    pub fn join(tags: &[Self]) -> String {
        let texts: Vec<&str> = tags.iter().map(Self::as_str).collect();
        texts.join("\n")
    }

    /// Reads [`Tag::join`].
    ///
    /// # Errors
    /// [`InvalidTag`] for a text that no tags were joined to.
    pub fn split(text: &str) -> Result<Vec<Self>, InvalidTag> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        text.split(Self::SEPARATOR).map(Self::parse).collect()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_are_normalised_and_each_rule_has_its_error() {
        assert_eq!(Tag::parse("u\u{308}ber uns").unwrap().as_str(), "über uns");
        for (text, wrong) in [
            ("", InvalidTag::Empty),
            (" \u{2003} ", InvalidTag::Empty),
            (" a", InvalidTag::Blank),
            ("a\u{a0}", InvalidTag::Blank),
            ("a\nb", InvalidTag::Control),
            ("a\u{0}", InvalidTag::Control),
        ] {
            assert_eq!(Tag::parse(text), Err(wrong), "{text:?}");
        }
        assert!(Tag::parse(&"é".repeat(Tag::MAX_CHARS)).is_ok());
        assert!(Tag::parse(&"e\u{301}".repeat(Tag::MAX_CHARS)).is_ok());
        for longer in ["é".repeat(Tag::MAX_CHARS + 1), "a".repeat(1_000_000)] {
            assert_eq!(Tag::parse(&longer), Err(InvalidTag::TooLong));
        }
    }

    #[test]
    fn tags_that_differ_in_case_are_one_and_the_first_stays_as_written() {
        let tags = ["Straße", "STRASSE", "Ärger", "a\u{308}rger", "Σίσυφος", "ΣΊΣΥΦΟΣ", "x"];
        let distinct = Tag::distinct(tags.map(|text| Tag::parse(text).unwrap()));
        let texts: Vec<_> = distinct.iter().map(Tag::as_str).collect();
        assert_eq!(texts, ["Straße", "Ärger", "Σίσυφος", "x"]);
        assert_eq!(Tag::split(&Tag::join(&distinct)), Ok(distinct));
        assert_eq!(Tag::split(""), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn parsing_and_folding_are_idempotent(text in "\\PC{0,80}") {
            if let Ok(tag) = Tag::parse(&text) {
                prop_assert_eq!(Tag::parse(tag.as_str()), Ok(tag.clone()));
                prop_assert_eq!(Tag::split(&Tag::join(std::slice::from_ref(&tag))), Ok(vec![tag]));
            }
        }
    }
}
