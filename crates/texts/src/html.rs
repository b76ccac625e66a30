//! The text of markup: what stands between tags, without scripts, styles and comments. It follows the tokenizer of the HTML standard as far as text depends on it,
//! and is only for finding words: nothing that it gives is ever shown as markup.

/// Elements whose content is no text for readers. They end at their own end tag alone, whatever is in between.
const HIDDEN: [&str; 6] = ["script", "style", "template", "noscript", "iframe", "object"];

/// Elements that stand within words and lines: all others part words.
const INLINE: [&str; 22] = [
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark",
    "q", "s", "small", "span", "strong", "u", "wbr",
];

/// Named references that texts in Latin letters have; others stay as they are, and part words.
const NAMED: [(&str, char); 42] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("shy", '\u{ad}'),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("agrave", 'à'),
    ("aacute", 'á'),
    ("acirc", 'â'),
    ("atilde", 'ã'),
    ("aring", 'å'),
    ("aelig", 'æ'),
    ("ccedil", 'ç'),
    ("egrave", 'è'),
    ("eacute", 'é'),
    ("ecirc", 'ê'),
    ("euml", 'ë'),
    ("igrave", 'ì'),
    ("iacute", 'í'),
    ("icirc", 'î'),
    ("iuml", 'ï'),
    ("ntilde", 'ñ'),
    ("ograve", 'ò'),
    ("oacute", 'ó'),
    ("ocirc", 'ô'),
    ("otilde", 'õ'),
    ("oslash", 'ø'),
    ("ugrave", 'ù'),
    ("uacute", 'ú'),
    ("ucirc", 'û'),
    ("Eacute", 'É'),
    ("Oslash", 'Ø'),
    ("Aring", 'Å'),
    ("oelig", 'œ'),
];

/// Longest name of an element or a reference that is looked at.
const MAX_NAME: usize = 16;

/// The text of a document, in one pass over it.
pub(crate) fn text(markup: &str) -> String {
    let mut text = String::with_capacity(markup.len() / 2);
    let mut rest = markup;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('&') { reference(rest, &mut text) } else { tag(rest, &mut text) };
    }
    text.push_str(rest);
    text
}

/// What follows the reference that `rest` begins with; its character goes into the text.
fn reference<'m>(rest: &'m str, text: &mut String) -> &'m str {
    let name = &rest[1..];
    let end = name.bytes().take(MAX_NAME).position(|byte| !byte.is_ascii_alphanumeric() && byte != b'#');
    let found = end.filter(|end| name.as_bytes()[*end] == b';').and_then(|end| {
        let found = character(&name[..end])?;
        Some((found, &name[end + 1..]))
    });
    match found {
        Some((found, rest)) => {
            // a soft hyphen stands inside a word
            if found != '\u{ad}' {
                text.push(found);
            }
            rest
        }
        None => {
            text.push('&');
            name
        }
    }
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        return code.ok().and_then(char::from_u32).filter(|found| *found != '\0');
    }
    NAMED.iter().find(|(known, _)| *known == name).map(|(_, found)| *found)
}

/// What follows the tag, comment or declaration that `rest` begins with.
fn tag<'m>(rest: &'m str, text: &mut String) -> &'m str {
    if let Some(comment) = rest.strip_prefix("<!--") {
        // `<!-->` and `<!--->` are whole comments
        let start = comment.strip_prefix('-').unwrap_or(comment);
        return match start.strip_prefix('>') {
            Some(rest) => rest,
            None => comment.find("-->").map_or("", |end| &comment[end + 3..]),
        };
    }
    if let Some(data) = rest.strip_prefix("<![CDATA[") {
        let (data, rest) = data.split_once("]]>").unwrap_or((data, ""));
        text.push_str(data);
        return rest;
    }
    if rest.starts_with("<!") || rest.starts_with("<?") {
        return rest.find('>').map_or("", |end| &rest[end + 1..]);
    }
    let (is_end, name) = match rest.strip_prefix("</") {
        Some(name) => (true, name),
        None => (false, &rest[1..]),
    };
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        text.push('<');
        return &rest[1..];
    }
    let length = name.bytes().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'));
    let (name, attributes) = name.split_at(length.unwrap_or(name.len()));
    let is = |other: &&str| name.eq_ignore_ascii_case(other);
    if !INLINE.iter().any(is) {
        text.push('\n');
    }
    let (rest, closes_itself) = after_attributes(attributes);
    match HIDDEN.iter().find(|other| is(other)) {
        Some(hidden) if !is_end && !closes_itself => after_end_of(hidden, rest),
        _ => rest,
    }
}

/// What follows the `>` that ends a tag, which none within quotes does; and whether there was a `/` before it.
fn after_attributes(attributes: &str) -> (&str, bool) {
    let bytes = attributes.as_bytes();
    let mut quote = None;
    for (at, byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return (&attributes[at + 1..], at > 0 && bytes[at - 1] == b'/'),
            // only what follows `=` is a value
            (None, b'"' | b'\'') if attributes[..at].trim_end().ends_with('=') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
    }
    ("", true)
}

/// What follows the end tag of this element.
fn after_end_of<'m>(name: &str, mut rest: &'m str) -> &'m str {
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        let found = rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
        let behind = rest.as_bytes().get(name.len());
        if found && behind.is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>')) {
            return after_attributes(&rest[name.len()..]).0;
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::text;

    fn words(markup: &str) -> String {
        text(markup).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn scripts_styles_and_comments_are_no_text() {
        for (markup, expected) in [
            ("<!DOCTYPE html><title>One</title><p>two<p>three", "One two three"),
            ("a<script>if (a < b) { '</p>' }</script >b<STYLE>p{}</style>c", "a b c"),
            ("<script>never ended", ""),
            ("<script src=x></script>after", "after"),
            ("x<!-- a > b -->y<!-->z<!--->!", "xyz!"),
            ("<!-- never ended", ""),
            ("<p title=\"a > b\" alt='c'>text</p>", "text"),
            ("it's <b>b</b>old <i>and</i> l<br>ine", "it's bold and l ine"),
            ("<svg><text>label</text><![CDATA[raw <b>]]></svg>", "label raw <b>"),
            ("a < b &lt; c &amp; d &#8364;&#x41; &unknown; &amp", "a < b < c & d €A &unknown; &amp"),
            ("Donau&shy;dampf", "Donaudampf"),
            ("<", "<"),
            ("<p", ""),
            ("&#0;&#xD800;&#99999999999;", "&#0;&#xD800;&#99999999999;"),
            ("<scripty>shown</scripty>", "shown"),
        ] {
            assert_eq!(words(markup), expected, "{markup}");
        }
    }

    #[test]
    fn it_takes_one_pass() {
        // each of these once took time by the square of its length in some parser
        for part in
            ["<", "<a ", "</script", "<!--", "&", "&#", "<p a=\"", "<script>", "<a a='", "=\"\"", "<![CDATA["]
        {
            let _ = text(&part.repeat(200_000));
            let _ = text(&format!("<script>{}", part.repeat(200_000)));
            let _ = text(&format!("<a {}", part.repeat(200_000)));
        }
    }
}
