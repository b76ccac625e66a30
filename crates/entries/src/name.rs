//! Paths, made fit to be shown. Nothing is ever unpacked by them.

use std::fmt::Write as _;

/// The upper half of code page 437, which zip has for names that are not UTF-8.
const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// The text of a name that says it is UTF-8, or does not say what it is. Most of the second kind are UTF-8 as well.
pub(crate) fn decode(bytes: &[u8], is_utf8: bool) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) if is_utf8 => String::from_utf8_lossy(bytes).into_owned(),
        Err(_) => bytes.iter().map(|byte| of_437(*byte)).collect(),
    }
}

fn of_437(byte: u8) -> char {
    match byte {
        0..0x80 => byte.into(),
        _ => UPPER.chars().nth(usize::from(byte - 0x80)).unwrap_or('\u{fffd}'),
    }
}

/// The parts that name something, between slashes. Control characters, and those that turn the direction of writing, are shown by their numbers: they would make
/// one name look like another.
pub(crate) fn clean(path: &str) -> String {
    let mut clean = String::with_capacity(path.len());
    let parts = path.split(['/', '\\']).filter(|part| !matches!(*part, "" | "." | ".."));
    for part in parts {
        if !clean.is_empty() {
            clean.push('/');
        }
        for sign in part.chars() {
            match sign {
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {
                    let _infallible = write!(clean, "\\u{{{:x}}}", u32::from(sign));
                }
                _ if sign.is_control() => clean.push('\u{fffd}'),
                _ => clean.push(sign),
            }
        }
    }
    clean
}
