//! Names that are not allowed here, made into ones that are.

use common::files::NodeName;

/// The name itself if it is allowed, else the nearest that is: characters that are not allowed become `_`, and what is too long is cut before its
/// extension. The same text always gives the same name.
pub(crate) fn allowed(text: &str) -> NodeName {
    if let Ok(name) = NodeName::parse(text) {
        return name;
    }
    let replaced: String =
        text.chars().map(|c| if c.is_control() || matches!(c, '/' | '\\') { '_' } else { c }).collect();
    match replaced.as_str() {
        "" => return parsed("unnamed"),
        "." => return parsed("_"),
        ".." => return parsed("__"),
        _ => {}
    }
    NodeName::parse(&replaced).unwrap_or_else(|_| shortened(&replaced))
}

/// Cuts the stem, so that the extension still says what it is.
fn shortened(text: &str) -> NodeName {
    let (stem, extension) = match text.rfind('.') {
        Some(at) if at > 0 && text.len() - at <= 64 => text.split_at(at),
        _ => (text, ""),
    };
    // composing may make the text shorter, never longer than it was cut
    let mut end = stem.len().min(NodeName::MAX_BYTES - extension.len());
    loop {
        while !stem.is_char_boundary(end) {
            end -= 1;
        }
        if let Ok(name) = NodeName::parse(&format!("{}{extension}", &stem[..end])) {
            return name;
        }
        end = end.saturating_sub(1);
        if end == 0 {
            return parsed("unnamed");
        }
    }
}

fn parsed(name: &str) -> NodeName {
    NodeName::parse(name).expect("a short plain word is a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_allowed_becomes_the_nearest_that_is() {
        for (text, name) in [
            ("photo.jpg", "photo.jpg"),
            ("a/b\\c\nd", "a_b_c_d"),
            ("../../etc/passwd", ".._.._etc_passwd"),
            ("", "unnamed"),
            (".", "_"),
            ("..", "__"),
            ("u\u{308}", "ü"),
        ] {
            assert_eq!(allowed(text).as_str(), name, "{text:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let name = allowed(&format!("{}.jpeg", "ä".repeat(500)));
        assert!(name.as_str().ends_with("ä.jpeg") && name.as_str().len() >= 253, "{name}");
        assert_eq!(allowed(&"x".repeat(10_000)).as_str().len(), 255);
        assert_eq!(allowed(&format!("a.{}", "x".repeat(10_000))).as_str().len(), 255);
    }
}
