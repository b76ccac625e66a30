//! What a command did, for whoever typed it.

use std::fmt::{self, Write as _};

/// Counts, and a sentence for each thing that is not as it was, or is not there at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    titles: [&'static str; 2],
    counts: Vec<(&'static str, u64)>,
    changed: Vec<String>,
    left: Vec<String>,
    dry: bool,
}

impl Report {
    /// An empty one of what is taken from elsewhere. A dry run says so.
    pub fn new(dry: bool) -> Self {
        Self::titled(["taken in another form", "not taken"], dry)
    }

    /// One that calls otherwise what was changed, and what is left to be done.
    pub(crate) fn titled(titles: [&'static str; 2], dry: bool) -> Self {
        Self { titles, counts: Vec::new(), changed: Vec::new(), left: Vec::new(), dry }
    }

    /// Counts one more of these. They are shown in the order in which they were first counted.
    pub(crate) fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// Counts so many more of these.
    pub(crate) fn add(&mut self, what: &'static str, number: u64) {
        match self.counts.iter_mut().find(|(name, _)| *name == what) {
            Some((_, count)) => *count += number,
            None => self.counts.push((what, number)),
        }
    }

    /// Something was taken, but not as it was.
    pub(crate) fn changed(&mut self, sentence: impl Into<String>) {
        self.changed.push(visible(sentence.into()));
    }

    /// Something was not taken.
    pub(crate) fn left(&mut self, sentence: impl Into<String>) {
        self.left.push(visible(sentence.into()));
    }

    /// Whether nothing is left to be done: everything was taken, perhaps in another form.
    pub fn is_complete(&self) -> bool {
        self.left.is_empty()
    }
}

/// Names and addresses are strangers' texts, and must not command a terminal.
fn visible(text: String) -> String {
    if text.chars().any(char::is_control) {
        text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
    } else {
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dry {
            f.write_str("nothing was changed: this was a dry run\n")?;
        }
        for (what, count) in &self.counts {
            writeln!(f, "{what}: {count}")?;
        }
        for (title, sentences) in self.titles.iter().zip([&self.changed, &self.left]) {
            writeln!(f, "{title}: {}", sentences.len())?;
            for sentence in sentences {
                f.write_str("  ")?;
                f.write_str(sentence)?;
                f.write_char('\n')?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_and_names_and_no_name_commands_a_terminal() {
        let mut report = Report::new(true);
        report.count("files");
        report.add("files", 2);
        assert!(report.is_complete());
        report.changed("a\u{1b}[2Jb");
        report.left("c\nd");
        assert!(!report.is_complete());
        let text = "nothing was changed: this was a dry run\nfiles: 3\ntaken in another form: 1\n  a\u{fffd}[2Jb\nnot taken: 1\n  c\u{fffd}d\n";
        assert_eq!(report.to_string(), text);
    }
}
