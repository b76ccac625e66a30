//! What of a job can be searched for.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Most bytes of a job's text that are searched.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// Type and data as one text: names and values of members, texts, numbers. Cut after 16 KiB.
pub fn text_of(kind: &str, data: &Value) -> String {
    let mut text = kind.to_owned();
    add(&mut text, data);
    text
}

fn add(text: &mut String, value: &Value) {
    if text.len() > MAX_TEXT_BYTES {
        return;
    }
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => push(text, &number.to_string()),
        Value::String(string) => push(text, string),
        Value::Array(values) => values.iter().for_each(|value| add(text, value)),
        Value::Object(members) => {
            for (name, value) in members {
                push(text, name);
                add(text, value);
            }
        }
    }
}

fn push(text: &mut String, part: &str) {
    text.push(' ');
    let mut end = part.len().min(MAX_TEXT_BYTES);
    while !part.is_char_boundary(end) {
        end -= 1;
    }
    text.push_str(&part[..end]);
}

/// The words of a text: runs of letters and digits, without case and accents.
pub fn words(text: &str) -> Vec<String> {
    let folded: String =
        text.nfkd().filter(|sign| !is_combining_mark(*sign)).flat_map(char::to_lowercase).collect();
    folded
        .split(|sign: char| !sign.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn type_names_and_values_are_searched() {
        let text =
            text_of("video conversion", &json!({"title": "Émile’s trip", "frames": [1, 250], "hd": true}));
        assert_eq!(
            words(&text),
            ["video", "conversion", "frames", "1", "250", "hd", "title", "emile", "s", "trip"]
        );
    }

    proptest! {
        #[test]
        fn words_of_words_are_the_same(text in "\\PC{0,40}") {
            let once = words(&text);
            prop_assert_eq!(words(&once.join(" ")), once);
        }

        #[test]
        fn a_text_is_bounded(parts in proptest::collection::vec("\\PC{0,40}", 0..2000)) {
            prop_assert!(text_of("t", &json!(parts)).len() <= 2 * MAX_TEXT_BYTES + 100);
        }
    }
}
