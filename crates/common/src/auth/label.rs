/// Most characters of a label.
pub const MAX_LABEL_CHARS: usize = 100;

/// What somebody calls a group, an API token or themselves, as it is kept: without white space at its ends. None if nothing is left, or more than
/// [`MAX_LABEL_CHARS`], or if it holds control characters.
pub fn label(text: &str) -> Option<&str> {
    let text = text.trim();
    let fits = (1..=MAX_LABEL_CHARS).contains(&text.chars().count());
    (fits && !text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_line_of_up_to_100_characters() {
        let longest = "ä".repeat(MAX_LABEL_CHARS);
        for (text, kept) in [(" Choir\n", "Choir"), ("a b", "a b"), (longest.as_str(), longest.as_str())] {
            assert_eq!(label(text), Some(kept));
        }
        for text in ["", " \t", "a\nb", "a\u{7f}", &*format!("{longest}a")] {
            assert_eq!(label(text), None, "{text:?}");
        }
    }
}
