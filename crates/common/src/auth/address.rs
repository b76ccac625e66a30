use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use unicode_normalization::UnicodeNormalization as _;

/// An address that cannot name an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Nothing but white space.
    #[error("the address is empty")]
    Empty,
    /// More than [`Address::MAX_BYTES`].
    #[error("the address is longer than 254 bytes")]
    TooLong,
    /// Control characters would make log lines and mail headers ambiguous.
    #[error("the address holds control characters")]
    Control,
}

/// An account's address as typed, trimmed. The classic API takes any text; stricter calls check [`Address::is_mailbox`].
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Longest address: what fits an SMTP path (RFC 5321, 4.5.3.1.3, less its brackets).
    pub const MAX_BYTES: usize = 254;

    /// Trims and checks an address.
    ///
    /// # Errors
    /// [`InvalidAddress`] when it is empty, too long or holds control characters.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidAddress::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(InvalidAddress::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidAddress::Control);
        }
        Ok(Self(text.to_owned()))
    }

    /// The address as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Has the form `local@domain` (RFC 5321, 4.1.2, with the characters of RFC 6531), without white space: enough to try to send mail to. The local part is of up to
    /// 64 bytes, and quoted if it holds what is special; the domain is made of labels of letters, digits and hyphens of any script, or is a network address in
    /// brackets.
    pub fn is_mailbox(&self) -> bool {
        self.0.rsplit_once('@').is_some_and(|(local, domain)| {
            !self.0.chars().any(is_unseen) && is_local_part(local) && is_domain(domain)
        })
    }

    /// The key under which the account is unique, whatever the case.
    pub fn key(&self) -> AddressKey {
        AddressKey(AddressKey::fold(&self.0))
    }
}

/// White space, and what would make two addresses look the same or one look like another: it belongs into no address. Joiners are letters of some scripts.
fn is_unseen(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || matches!(letter, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// Bytes that quotes take.
const QUOTES: usize = 2;

fn is_local_part(text: &str) -> bool {
    if text.is_empty() || text.len() > 64 {
        return false;
    }
    match text.strip_prefix('"') {
        // dots may stand anywhere: there are mailboxes that have them so, and mails to them quote that
        None => {
            let is_dot_atom = !text.starts_with('.') && !text.ends_with('.') && !text.contains("..");
            (is_dot_atom || text.len() <= 64 - QUOTES)
                && !text.contains(['(', ')', '<', '>', '[', ']', ':', ';', '@', '\\', ',', '"'])
        }
        Some(rest) => {
            let Some(quoted) = rest.strip_suffix('"') else { return false };
            let mut letters = quoted.chars();
            while let Some(letter) = letters.next() {
                if letter == '"' || (letter == '\\' && letters.next().is_none()) {
                    return false;
                }
            }
            !quoted.is_empty()
        }
    }
}

fn is_domain(text: &str) -> bool {
    if let Some(literal) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return match literal.strip_prefix("IPv6:") {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => literal.parse::<Ipv4Addr>().is_ok(),
        };
    }
    let is_of_labels = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || !letter.is_ascii();
    text.split('.').all(|label| {
        (1..=63).contains(&label.chars().count())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(is_of_labels)
    })
}

impl fmt::Debug for Address {
    // addresses stay out of logs
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// The folded form of an address: one account each.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AddressKey(String);

impl AddressKey {
    /// A text in the form of keys: a part of an address, to look for.
    pub fn fold(text: &str) -> String {
        text.trim().nfkc().flat_map(char::to_lowercase).nfc().collect()
    }

    /// The key as stores keep it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_whatever_the_case_and_the_spaces() {
        let typed = Address::parse(" User@Example.ORG ").unwrap();
        assert_eq!(typed.as_str(), "User@Example.ORG");
        assert_eq!(typed.key(), Address::parse("user@example.org").unwrap().key());
        assert_ne!(typed.key(), Address::parse("user+tag@example.org").unwrap().key());
    }

    #[test]
    fn the_classic_takes_any_text_but_not_nothing() {
        assert!(Address::parse("x").is_ok());
        assert_eq!(Address::parse("  "), Err(InvalidAddress::Empty));
        assert_eq!(Address::parse("a\nb"), Err(InvalidAddress::Control));
        assert_eq!(Address::parse(&"a".repeat(255)), Err(InvalidAddress::TooLong));
    }

    #[test]
    fn a_mailbox_has_two_sides() {
        for (text, is) in
            [("a@b", true), ("a", false), ("@b", false), ("a@", false), ("a b@c", false), ("\"a@b\"@c", true)]
        {
            assert_eq!(Address::parse(text).unwrap().is_mailbox(), is, "{text}");
        }
    }

    #[test]
    fn what_looks_like_no_mailbox_is_none() {
        let long = format!("{}@b", "a".repeat(65));
        let label = format!("a@{}.org", "b".repeat(64));
        let dots = format!("{}.@b", "a".repeat(62));
        for text in [
            "a@b@c",
            "a b@c",
            "a@b c",
            "a\u{a0}b@c",
            "a@",
            "@",
            "a@.",
            "a@b.",
            "a@.b",
            "a@b..c",
            "a@-b",
            "a@b-",
            "a@b_c",
            "a@b/c",
            "a@b:25",
            "a,b@c",
            "a;b@c",
            "<a@b>",
            "Ann <a@b>",
            "a@b>",
            "(a)@b",
            "a\\b@c",
            "a\"b@c",
            "\"@b",
            "\"\"@b",
            "\"a\"b\"@c",
            "\"a\\\"@c",
            "a@[1.2.3]",
            "a@[IPv6:x]",
            "a@[b]",
            "a\u{202e}b@c",
            "a\u{200b}@c",
            "mailto:a@b",
            &long,
            &label,
            &dots,
        ] {
            assert!(!Address::parse(text).unwrap().is_mailbox(), "{text}");
        }
        for text in include_str!("mailboxes.txt").lines() {
            assert!(Address::parse(text).unwrap().is_mailbox(), "{text}");
        }
    }
}
