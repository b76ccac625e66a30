use std::fmt;

use serde::Serialize;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// A name that no file or folder may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// No characters.
    #[error("a name has at least one character")]
    Empty,
    /// Over [`NodeName::MAX_BYTES`], after normalisation.
    #[error("a name has at most 255 bytes of UTF-8")]
    TooLong,
    /// A slash or backslash, which archives and clients read as a path.
    #[error("a name holds no / and no \\")]
    Separator,
    /// A control character, NUL included.
    #[error("a name holds no control characters")]
    Control,
    /// `.` or `..`.
    #[error("a name is not . or ..")]
    Dots,
}

/// The name of a file or folder: 1 to 255 bytes of UTF-8 in NFC, otherwise exactly as given (spaces and dots at its ends included).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct NodeName(String);

impl NodeName {
    /// Longest name: what every file system that people sync with can hold.
    pub const MAX_BYTES: usize = 255;

    /// Normalises to NFC and checks.
    ///
    /// # Errors
    /// [`InvalidName`] says which rule is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        // four times the limit cannot shrink below it: NFC composes at most three characters of a canonical decomposition into one
        if text.len() > 4 * Self::MAX_BYTES {
            return Err(InvalidName::TooLong);
        }
        let name: String = if is_nfc(text) { text.to_owned() } else { text.nfc().collect() };
        if name.is_empty() {
            return Err(InvalidName::Empty);
        }
        if name.len() > Self::MAX_BYTES {
            return Err(InvalidName::TooLong);
        }
        if name.contains(['/', '\\']) {
            return Err(InvalidName::Separator);
        }
        if name.chars().any(char::is_control) {
            return Err(InvalidName::Control);
        }
        if name == "." || name == ".." {
            return Err(InvalidName::Dots);
        }
        Ok(Self(name))
    }

    /// The name of a root folder: the only empty one. No rule of [`NodeName::parse`] lets it in from outside.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the last dot and the part from it on; a dot at the start does not count.
    pub fn split_extension(&self) -> (&str, &str) {
        match self.0.rfind('.') {
            Some(at) if at > 0 => self.0.split_at(at),
            _ => (&self.0, ""),
        }
    }

    /// `a.txt` becomes `a (n).txt`, its stem cut at a character so that the whole stays within the limit.
    pub fn numbered(&self, n: u64) -> Self {
        let (stem, extension) = self.split_extension();
        // an "extension" of hundreds of bytes is no extension
        let (stem, extension) = if extension.len() > 64 { (self.as_str(), "") } else { (stem, extension) };
        let suffix = format!(" ({n}){extension}");
        let mut end = stem.len().min(Self::MAX_BYTES - suffix.len());
        while !stem.is_char_boundary(end) {
            end -= 1;
        }
        // cutting cannot break NFC except before a combining mark, which normalising again puts right without growing
        Self(format!("{}{suffix}", &stem[..end]).nfc().collect())
    }
}

impl AsRef<str> for NodeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_normalised_and_otherwise_kept() {
        assert_eq!(NodeName::parse("u\u{308}.txt").unwrap().as_str(), "ü.txt");
        for kept in [
            "folder.",
            "folder ",
            " folder",
            "100%",
            "%zz",
            "what?.txt",
            "a#b.txt",
            "...",
            "[x] {y}",
            "日本.txt",
            "CON",
        ] {
            assert_eq!(NodeName::parse(kept).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn each_rule_has_its_error() {
        assert_eq!(NodeName::parse(""), Err(InvalidName::Empty));
        assert_eq!(NodeName::parse("."), Err(InvalidName::Dots));
        assert_eq!(NodeName::parse(".."), Err(InvalidName::Dots));
        assert_eq!(NodeName::parse("a/b"), Err(InvalidName::Separator));
        assert_eq!(NodeName::parse("..\\..\\evil.txt"), Err(InvalidName::Separator));
        assert_eq!(NodeName::parse("a\0"), Err(InvalidName::Control));
        assert_eq!(NodeName::parse("a\nb"), Err(InvalidName::Control));
    }

    #[test]
    fn the_limit_counts_bytes_after_normalisation() {
        assert!(NodeName::parse(&"a".repeat(255)).is_ok());
        assert_eq!(NodeName::parse(&"a".repeat(256)), Err(InvalidName::TooLong));
        assert!(NodeName::parse(&format!("{}a", "é".repeat(127))).is_ok());
        assert_eq!(NodeName::parse(&"é".repeat(128)), Err(InvalidName::TooLong));
        assert!(NodeName::parse(&"e\u{301}".repeat(127)).is_ok());
    }

    #[test]
    fn numbers_go_before_the_extension() {
        for (name, numbered) in
            [("a.txt", "a (2).txt"), ("a", "a (2)"), (".env", ".env (2)"), ("a.tar.gz", "a.tar (2).gz")]
        {
            assert_eq!(NodeName::parse(name).unwrap().numbered(2).as_str(), numbered);
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_is_idempotent(text in "\\PC{0,300}") {
            if let Ok(name) = NodeName::parse(&text) {
                prop_assert_eq!(NodeName::parse(name.as_str()), Ok(name.clone()));
                let numbered = name.numbered(u64::MAX);
                prop_assert_eq!(NodeName::parse(numbered.as_str()), Ok(numbered.clone()));
            }
        }
    }
}
