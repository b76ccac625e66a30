//! Anything that a browser could take for markup.

/// The type of a text that starts like markup; none if it does not.
pub(super) fn detect(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\n', '\r', '\x0C']);
    let after = text.strip_prefix('<')?;
    if !after.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '!' | '?' | '/')) {
        return None;
    }
    let declared = after.len() >= 4 && after.as_bytes()[..4].eq_ignore_ascii_case(b"?xml");
    match root(text) {
        Root::Html => Some("text/html"),
        Root::Svg => Some("image/svg+xml"),
        Root::Other if declared => Some("text/xml"),
        // a browser that looks at the content would render it
        Root::Other => Some("text/html"),
    }
}

enum Root {
    Html,
    Svg,
    Other,
}

/// Looks for the first element, over comments, instructions and declarations. What is not closed within the text is left at that.
fn root(mut text: &str) -> Root {
    loop {
        text = text.trim_start();
        let (end, skipped) = if text.starts_with("<!--") {
            ("-->", 4)
        } else if text.starts_with("<?") {
            ("?>", 2)
        } else if text.starts_with("<!") {
            let name = text.get(2..).unwrap_or_default();
            if starts_with(name, "doctype html") {
                return Root::Html;
            }
            if starts_with(name, "doctype svg") {
                return Root::Svg;
            }
            // the internal subset of a document type may hold `>`, in brackets
            match (text.find('['), text.find('>')) {
                (Some(bracket), Some(end)) if bracket < end => ("]>", 2),
                _ => (">", 2),
            }
        } else {
            break;
        };
        match text.get(skipped..).and_then(|rest| rest.split_once(end)) {
            Some((_, rest)) => text = rest,
            None => return Root::Other,
        }
    }
    let Some(name) = text.strip_prefix('<') else {
        return Root::Other;
    };
    let end = name.find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/')).unwrap_or(name.len());
    let qualified = &name[..end];
    let name = qualified.rsplit(':').next().unwrap_or(qualified);
    if name.eq_ignore_ascii_case("svg") {
        Root::Svg
    } else if name.eq_ignore_ascii_case("html") {
        Root::Html
    } else {
        Root::Other
    }
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}
