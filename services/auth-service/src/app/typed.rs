//! Codes that people type: digits in groups, read however they are typed.

/// Crockford's digits: no letter that looks like another or like a digit.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code of these values, of which the lowest five bits count, with a hyphen after so many.
pub(crate) fn code(values: impl Iterator<Item = u8>, group: usize) -> String {
    let mut text = String::new();
    for (place, value) in values.enumerate() {
        if place > 0 && place % group == 0 {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(value % 32)]));
    }
    text
}

/// A code as all ways to type it have in common: case, grouping, and letters that look like a digit do not count.
pub(crate) fn canonical(typed: &str) -> String {
    let plain = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').flat_map(char::to_uppercase);
    plain
        .map(|c| match c {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}
