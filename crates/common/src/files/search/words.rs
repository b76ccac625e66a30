//! What a word is, for all stores: they keep and compare words as they come from here, and know nothing of letters themselves.

use std::collections::{BTreeSet, HashSet};

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Characters of a word that count; those after them do not.
pub const MAX_WORD_CHARS: usize = 40;

/// Words of one text that are found; those after them are not.
pub const MAX_WORDS_OF_TEXT: usize = 20_000;

/// Words that a search may have; those after them do not count.
pub const MAX_WORDS_OF_SEARCH: usize = 8;

/// How often a word may change between letters and digits and be found by its parts: names of pictures do so once or twice, keys and hashes all the time.
const MAX_CHANGES: usize = 3;

/// A text without case and accents: compatible forms are one, and so are letters that differ in marks above and below them.
pub fn fold(text: &str) -> String {
    folded(text).collect()
}

fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.nfkd()
        .filter(|sign| !is_accent(*sign))
        .flat_map(plain_letters)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfc()
}

/// Marks that people leave out when they search: accents, and the vowel points of Hebrew and Arabic. Those of other scripts are letters to their readers.
const fn is_accent(sign: char) -> bool {
    matches!(sign,
        '\u{300}'..='\u{36F}' | '\u{591}'..='\u{5C7}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{1AB0}'..='\u{1AFF}'
        | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}')
}

/// Letters that Unicode does not take apart, by those that people type for them.
fn plain_letters(sign: char) -> impl Iterator<Item = char> {
    let (first, second) = match sign {
        'ø' | 'Ø' => ('o', None),
        'ł' | 'Ł' => ('l', None),
        'đ' | 'Đ' | 'ð' | 'Ð' => ('d', None),
        'ħ' | 'Ħ' => ('h', None),
        'æ' | 'Æ' => ('a', Some('e')),
        'œ' | 'Œ' => ('o', Some('e')),
        'þ' | 'Þ' => ('t', Some('h')),
        'ß' | 'ẞ' => ('s', Some('s')),
        other => (other, None),
    };
    [Some(first), second].into_iter().flatten()
}

/// Scripts that are written without spaces between words.
const fn is_dense(sign: char) -> bool {
    matches!(sign,
        '\u{E00}'..='\u{EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3040}'..='\u{30FF}'
        | '\u{31F0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}')
}

/// What a character is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing.
    Gap,
    /// A word.
    Word,
    /// A row of words without gaps, of which each two characters count as a word.
    Dense,
}

impl Class {
    pub(super) fn of(sign: char) -> Self {
        if is_dense(sign) {
            Self::Dense
        } else if sign.is_alphanumeric() || is_combining_mark(sign) {
            Self::Word
        } else {
            Self::Gap
        }
    }
}

/// Runs of characters of one class, gaps left out.
fn each_run(text: &str, mut found: impl FnMut(Class, &[char])) {
    let mut run = Vec::with_capacity(MAX_WORD_CHARS);
    let mut class = Class::Gap;
    for sign in folded(text) {
        let next = Class::of(sign);
        // a dense run is given piece by piece, so that it takes no room
        let is_full = class == Class::Dense && run.len() > MAX_WORD_CHARS;
        if next != class || is_full {
            if class != Class::Gap {
                found(class, &run);
            }
            let last = run.last().copied().filter(|_| is_full && next == class);
            run.clear();
            run.extend(last);
            class = next;
        }
        if class == Class::Dense || (class == Class::Word && run.len() < MAX_WORD_CHARS) {
            run.push(sign);
        }
    }
    if class != Class::Gap {
        found(class, &run);
    }
}

/// The words by which a text is found. A word in which digits follow letters, or letters digits, is also found by what follows.
fn each_word(text: &str, mut found: impl FnMut(String)) {
    each_run(text, |class, run| match class {
        Class::Gap => {}
        Class::Dense => {
            for at in 0..run.len() {
                found(run[at..].iter().take(2).collect());
            }
        }
        Class::Word => {
            found(run.iter().collect());
            let changes =
                run.windows(2).enumerate().filter(|(_, pair)| pair[0].is_numeric() != pair[1].is_numeric());
            let changes: Vec<usize> = changes.map(|(at, _)| at + 1).collect();
            if changes.len() <= MAX_CHANGES {
                changes.iter().for_each(|at| found(run[*at..].iter().collect()));
            }
        }
    });
}

/// The words of a text, each once, in order of their bytes. At most [`MAX_WORDS_OF_TEXT`], the first ones. Takes tens of milliseconds for each MiB.
pub fn words_of_text(text: &str) -> Vec<String> {
    let mut words = HashSet::new();
    each_word(text, |word| {
        if words.len() < MAX_WORDS_OF_TEXT {
            words.insert(word);
        }
    });
    let mut words: Vec<String> = words.into_iter().collect();
    words.sort_unstable();
    words
}

/// The words of a name, or of a few tags, each once, in order of their bytes.
pub fn words_of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    let mut words = BTreeSet::new();
    for text in texts {
        each_word(text, |word| {
            words.insert(word);
        });
    }
    words.into_iter().collect()
}

/// The words of a search, each once, in their order. At most [`MAX_WORDS_OF_SEARCH`]; none if there are only signs.
pub fn words_of_search(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut add = |word: String| {
        if words.len() < MAX_WORDS_OF_SEARCH && !words.contains(&word) {
            words.push(word);
        }
    };
    each_run(text, |class, run| match class {
        Class::Gap => {}
        Class::Word => add(run.iter().collect()),
        Class::Dense if run.len() == 1 => add(run.iter().collect()),
        Class::Dense => run.windows(2).for_each(|pair| add(pair.iter().collect())),
    });
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_accents_and_forms_fold() {
        for (text, expected) in [
            ("ÉMILE", "emile"),
            ("e\u{301}", "e"),
            ("Straße", "strasse"),
            ("STRAẞE", "strasse"),
            ("Łódź", "lodz"),
            ("Ærøskøbing", "aeroskobing"),
            ("ΟΔΟΣ όδος", "οδοσ οδοσ"),
            ("ё й", "е и"),
            ("fi №", "fi no"),
            ("カ\u{3099}ガ", "ガガ"),
            ("한국", "한국"),
            ("שָׁלוֹם", "שלום"),
            ("İı", "ii"),
        ] {
            assert_eq!(fold(text), expected, "{text}");
        }
    }

    #[test]
    fn names_fall_into_words() {
        let words = |text| words_of([text]);
        assert_eq!(words("Report (final) v2.pdf"), ["2", "final", "pdf", "report", "v2"]);
        assert_eq!(words("IMG_20240229.JPG"), ["20240229", "img", "jpg"]);
        assert_eq!(words("scan2024report"), ["2024report", "report", "scan2024report"]);
        assert_eq!(words("a1b2c3d4e5"), ["a1b2c3d4e5"], "a key is one word");
        assert_eq!(words("日本語.txt"), ["txt", "日本", "本語", "語"]);
        assert_eq!(words("हिन्दी"), ["हिन्दी"]);
        assert!(words("-- * \"'").is_empty());
        assert_eq!(words("x".repeat(100).as_str()), ["x".repeat(MAX_WORD_CHARS)]);
    }

    #[test]
    fn a_search_has_few_words_and_keeps_their_order() {
        assert_eq!(words_of_search("Zoo a zoo É"), ["zoo", "a", "e"]);
        assert_eq!(words_of_search("日本語 本"), ["日本", "本語", "本"]);
        assert_eq!(words_of_search("img2024"), ["img2024"]);
        assert!(words_of_search("\" OR * ( ) : ^ -").contains(&"or".to_owned()));
        assert!(words_of_search("\u{0}*\"'(){}").is_empty());
        let many: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        assert_eq!(words_of_search(&many.join(" ")).len(), MAX_WORDS_OF_SEARCH);
    }

    #[test]
    fn a_text_has_not_more_words_than_are_kept() {
        let many: Vec<String> = (0..2 * MAX_WORDS_OF_TEXT).map(|n| n.to_string()).collect();
        assert_eq!(words_of_text(&many.join(" ")).len(), MAX_WORDS_OF_TEXT);
        assert_eq!(words_of_text("b a B"), ["a", "b"]);
        let dense = "文".repeat(1000);
        assert_eq!(words_of_text(&dense), ["文", "文文"]);
    }

    proptest! {
        #[test]
        fn whoever_searches_for_a_word_of_a_text_finds_it(text in "\\PC{0,60}") {
            let words = words_of([text.as_str()]);
            for wanted in words_of_search(&text) {
                prop_assert!(words.iter().any(|word| word.starts_with(&wanted)), "{wanted}");
            }
            let apart = |sign: char| sign.is_ascii() && !sign.is_ascii_alphanumeric();
            prop_assert!(words.iter().all(|word| !word.is_empty() && !word.contains(apart)));
        }
    }
}
