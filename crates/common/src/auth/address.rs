use std::fmt;

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

    /// Has the form `local@domain`, with something on both sides and no white space: enough to try to send mail to.
    pub fn is_mailbox(&self) -> bool {
        self.0.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !self.0.chars().any(char::is_whitespace)
        })
    }

    /// The key under which the account is unique, whatever the case.
    pub fn key(&self) -> AddressKey {
        AddressKey(AddressKey::fold(&self.0))
    }
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
}
