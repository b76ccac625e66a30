use std::fmt;

/// A password that must not be stored or compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// No characters at all.
    #[error("the password is empty")]
    Empty,
    /// Too few characters, where that rule holds.
    #[error("the password has fewer than {min_chars} characters")]
    TooShort {
        /// As many are wanted.
        min_chars: usize,
    },
    /// It is one of those that are tried first.
    #[error("the password is one of the most common ones")]
    Common,
    /// It is the account's address, or the name in it.
    #[error("the password is the address")]
    IsAddress,
    /// bcrypt reads 72 bytes; more would be cut in silence.
    #[error("the password is longer than 72 bytes")]
    TooLong,
    /// bcrypt would take the hash of `abc` for `abc`, NUL, anything.
    #[error("the password holds a NUL character")]
    Nul,
}

/// A password in clear, for as long as it takes to hash it. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Longest password: what bcrypt reads.
    pub const MAX_BYTES: usize = 72;
    /// Shortest password in the v1 API unless a setting says otherwise (NIST SP 800-63B, 5.1.1.2). The classic sign-up has no such rule.
    pub const MIN_CHARS: usize = 8;

    /// Checks what any protocol must refuse.
    ///
    /// # Errors
    /// [`InvalidPassword`]: empty, too long, or with a NUL.
    pub fn parse(text: &str) -> Result<Self, InvalidPassword> {
        if text.is_empty() {
            Err(InvalidPassword::Empty)
        } else if text.len() > Self::MAX_BYTES {
            Err(InvalidPassword::TooLong)
        } else if text.contains('\0') {
            Err(InvalidPassword::Nul)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The clear text, for the hash function.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bcrypt_would_cut_or_confuse_is_refused() {
        assert!(Password::parse(&"x".repeat(72)).is_ok());
        assert_eq!(Password::parse(&"x".repeat(73)), Err(InvalidPassword::TooLong));
        assert_eq!(Password::parse(&"ä".repeat(37)), Err(InvalidPassword::TooLong));
        assert_eq!(Password::parse("abc\0abc"), Err(InvalidPassword::Nul));
        assert_eq!(Password::parse(""), Err(InvalidPassword::Empty));
        assert!(Password::parse("a:b@c%ü ").is_ok());
    }
}
