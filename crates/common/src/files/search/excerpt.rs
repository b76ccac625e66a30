//! The part of a text in which the words of a search stand.

use super::words::{Class, fold};

/// Characters of an excerpt before the first word that was found, and in all.
const BEFORE: usize = 60;
const IN_ALL: usize = 200;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Its characters, with one space for each gap between lines.
    pub text: String,
    /// Where in it words of the search begin and end, in bytes.
    pub marks: Vec<(usize, usize)>,
}

/// The part round the first place where a word of the search stands, or begins one; none if there is none. Takes tens of milliseconds for each MiB before that place.
pub fn excerpt(text: &str, words: &[String]) -> Option<Excerpt> {
    let first = Runs::of(text).find(|run| is_found(run.text, run.class, words))?;
    let start =
        text[..first.start].char_indices().rev().take(BEFORE).last().map_or(first.start, |(at, _)| at);
    let end = text[start..].char_indices().nth(IN_ALL).map_or(text.len(), |(at, _)| start + at);
    let (start, end) = (after_cut_word(text, start), before_cut_word(text, end, first.end));
    let mut excerpt = Excerpt { text: String::new(), marks: Vec::new() };
    let mut copied = start;
    for run in Runs::of(&text[start..end]) {
        let (from, to) = (start + run.start, start + run.end);
        if !is_found(run.text, run.class, words) || to <= copied {
            continue;
        }
        match excerpt.marks.last_mut().filter(|_| from < copied) {
            // two words that have a character in common are one place
            Some(mark) => {
                excerpt.text.push_str(&text[copied..to]);
                mark.1 = excerpt.text.len();
            }
            None => {
                excerpt.push_squeezed(&text[copied..from]);
                let begins = excerpt.text.len();
                excerpt.text.push_str(&text[from..to]);
                excerpt.marks.push((begins, excerpt.text.len()));
            }
        }
        copied = to;
    }
    excerpt.push_squeezed(&text[copied..end]);
    excerpt.text.truncate(excerpt.text.trim_end().len());
    Some(excerpt)
}

impl Excerpt {
    fn push_squeezed(&mut self, text: &str) {
        for sign in text.chars() {
            if !sign.is_whitespace() && !sign.is_control() {
                self.text.push(sign);
            } else if !self.text.is_empty() && !self.text.ends_with(' ') {
                self.text.push(' ');
            }
        }
    }
}

/// Behind the word that a cut at `start` falls into.
fn after_cut_word(text: &str, start: usize) -> usize {
    let cuts = |class| class == Class::Word;
    let before = text[..start].chars().next_back().map(Class::of);
    if !before.is_some_and(cuts) {
        return start;
    }
    text[start..].char_indices().find(|(_, sign)| !cuts(Class::of(*sign))).map_or(start, |(at, _)| start + at)
}

/// Before the word that a cut at `end` falls into, but not before `least`.
fn before_cut_word(text: &str, end: usize, least: usize) -> usize {
    let cuts = |class| class == Class::Word;
    if end <= least || !text[end..].chars().next().map(Class::of).is_some_and(cuts) {
        return end.max(least);
    }
    let gap = text[..end].char_indices().rev().find(|(_, sign)| !cuts(Class::of(*sign)));
    gap.map_or(end, |(at, sign)| at + sign.len_utf8()).max(least)
}

fn is_found(run: &str, class: Class, words: &[String]) -> bool {
    let folded = fold(run);
    match class {
        Class::Gap => false,
        Class::Word => words.iter().any(|word| {
            // also where letters follow digits, or digits letters
            folded.match_indices(word.as_str()).any(|(at, _)| {
                let before = folded[..at].chars().next_back();
                let first = word.chars().next();
                before.zip(first).is_none_or(|(before, first)| before.is_numeric() != first.is_numeric())
            })
        }),
        Class::Dense => words.iter().any(|word| folded.starts_with(word.as_str())),
    }
}

/// A word where it stands.
struct Run<'t> {
    text: &'t str,
    class: Class,
    start: usize,
    end: usize,
}

/// The words of a text; of a dense run each two characters, which overlap.
struct Runs<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Runs<'t> {
    fn of(text: &'t str) -> Self {
        Self { text, at: 0 }
    }
}

impl<'t> Iterator for Runs<'t> {
    type Item = Run<'t>;

    fn next(&mut self) -> Option<Run<'t>> {
        let text = self.text;
        let (skipped, first) =
            text[self.at..].char_indices().find(|(_, sign)| Class::of(*sign) != Class::Gap)?;
        let (start, class) = (self.at + skipped, Class::of(first));
        let most = if class == Class::Dense { 2 } else { usize::MAX };
        let mut rest = text[start..].char_indices().enumerate();
        let end = rest.find(|(number, (_, sign))| *number >= most || Class::of(*sign) != class);
        let end = end.map_or(text.len(), |(_, (at, _))| start + at);
        self.at = if class == Class::Dense { start + first.len_utf8() } else { end };
        Some(Run { text: &text[start..end], class, start, end })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::words::words_of_search;
    use super::*;

    fn marked(text: &str, search: &str) -> Option<(String, Vec<String>)> {
        let excerpt = excerpt(text, &words_of_search(search))?;
        let marks = excerpt.marks.iter().map(|(start, end)| excerpt.text[*start..*end].to_owned()).collect();
        Some((excerpt.text, marks))
    }

    #[test]
    fn words_are_marked_where_they_stand() {
        let (text, marks) = marked("Zwei\n\n  Größen,\tund die GRÖSSE von allen", "grosse").unwrap();
        assert_eq!(text, "Zwei Größen, und die GRÖSSE von allen");
        assert_eq!(marks, ["Größen", "GRÖSSE"]);
        assert_eq!(marked("IMG20240229 x", "2024").unwrap().1, ["IMG20240229"]);
        assert_eq!(marked("これは日本語です", "日本").unwrap().1, ["日本"]);
        assert_eq!(marked("これは日本語です", "日本語").unwrap().1, ["日本語"]);
        assert_eq!(marked("nothing", "thing"), None);
        assert_eq!(marked("", "a"), None);
    }

    #[test]
    fn it_is_short_and_cuts_no_word() {
        let long = format!("{} needle {}", "hay ".repeat(1000), "straw ".repeat(1000));
        let (text, marks) = marked(&long, "needle").unwrap();
        assert!(text.starts_with("hay ") && text.ends_with("straw") && text.chars().count() <= 200, "{text}");
        assert_eq!(marks, ["needle"]);
        let endless = "x".repeat(10_000);
        assert_eq!(marked(&endless, &endless[..10]).unwrap().1.len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_has_its_marks_in_it(text in "\\PC{0,300}", search in "\\PC{0,10}") {
            if let Some(found) = excerpt(&text, &words_of_search(&search)) {
                for (start, end) in found.marks {
                    prop_assert!(!found.text[start..end].is_empty());
                }
            }
        }
    }
}
