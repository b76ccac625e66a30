//! Finds the field that a JSON error is about: serde_json tells the place in the text, not the path.

/// The JSON Pointer (RFC 6901) of the field at fault, and a stable word for the fault.
pub(super) fn locate(text: &[u8], error: &serde_json::Error, reason: &str) -> (String, &'static str) {
    let path = path_at(&text[..offset(text, error.line(), error.column())]);
    match quoted_field(reason) {
        // the error comes at the end of the object that lacks the field
        Some((field, "missing")) => (format!("{path}/{}", escaped(field)), "missing"),
        Some((_, code)) => (path, code),
        None => (path, "invalid"),
    }
}

/// The field named by serde's own messages, and a stable word for what it says of it.
pub(super) fn quoted_field(reason: &str) -> Option<(&str, &'static str)> {
    [("unknown field `", "unknown"), ("missing field `", "missing"), ("duplicate field `", "duplicate")]
        .into_iter()
        .find_map(|(start, code)| Some((reason.strip_prefix(start)?.split('`').next()?, code)))
}

/// How many bytes had been read when the error was met. Columns count bytes from 1; 0 is the start of the line.
fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let before = text.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len);
    (before.sum::<usize>() + column).min(text.len())
}

enum Level {
    /// The key read last, still escaped as in the text.
    Object(Option<String>),
    Array {
        index: usize,
        comma: bool,
    },
}

/// The path of the value that stands at the end of this beginning of a JSON text.
fn path_at(text: &[u8]) -> String {
    let mut levels: Vec<Level> = Vec::new();
    let mut at = 0;
    let mut key_next = false;
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b':' => continue,
            b',' => {
                match levels.last_mut() {
                    Some(Level::Array { comma, .. }) => *comma = true,
                    _ => key_next = true,
                }
                continue;
            }
            b'}' | b']' => {
                levels.pop();
                key_next = false;
                continue;
            }
            _ => {}
        }
        if let Some(Level::Array { index, comma }) = levels.last_mut()
            && std::mem::take(comma)
        {
            *index += 1;
        }
        match byte {
            b'{' => {
                levels.push(Level::Object(None));
                key_next = true;
            }
            b'[' => {
                levels.push(Level::Array { index: 0, comma: false });
                key_next = false;
            }
            b'"' => {
                let end = end_of_string(text, at);
                if std::mem::take(&mut key_next)
                    && let Some(Level::Object(key)) = levels.last_mut()
                {
                    *key = Some(unquoted(&text[at..end]));
                }
                at = end + 1;
            }
            _ => {}
        }
    }
    let mut path = String::new();
    for level in &levels {
        match level {
            Level::Object(Some(key)) => path.extend(["/", &*escaped(key)]),
            Level::Array { index, .. } => path.push_str(&format!("/{index}")),
            Level::Object(None) => {}
        }
    }
    path
}

fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn unquoted(raw: &[u8]) -> String {
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice(&quoted).unwrap_or_else(|_| String::from_utf8_lossy(raw).into_owned())
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_path_follows_the_text() {
        for (text, path) in [
            ("", ""),
            ("{", ""),
            ("{\"a\"", "/a"),
            ("{\"a\": [1, {\"b\": \"x,y\"", "/a/1/b"),
            ("{\"a\": [1, {\"b\": \"x,y\"},", "/a/1"),
            ("{\"a\": [1, {\"b\": \"x,y\"}, 7", "/a/2"),
            ("{\"a\": [1], \"c\\\"/\": tr", "/c\"~1"),
            ("{\"a\": {}}", ""),
            ("[[],[[", "/1/0/0"),
        ] {
            assert_eq!(path_at(text.as_bytes()), path, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_upsets_it(text in proptest::collection::vec(any::<u8>(), 0..60), line in 0usize..5, column in 0usize..80) {
            let _ = path_at(&text[..offset(&text, line, column)]);
        }

        #[test]
        fn json_shaped_texts_do_not_either(text in "[{}\\[\\]:,\"\\\\a ]{0,60}") {
            let _ = path_at(text.as_bytes());
        }
    }
}
