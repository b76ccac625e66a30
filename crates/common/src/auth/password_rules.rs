use std::collections::HashSet;
use std::sync::LazyLock;

use super::{Address, InvalidPassword, Password};

/// What people try first: a short list of the passwords that stand at the top of every published count, one a line, in small letters.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// What a password must be to be chosen anew. Everything but the classic sign-up, which takes any, goes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordRules {
    /// Fewest characters.
    pub min_chars: usize,
}

impl Default for PasswordRules {
    fn default() -> Self {
        Self { min_chars: Password::MIN_CHARS }
    }
}

impl PasswordRules {
    /// The password, if it is good enough for the account with this address.
    ///
    /// # Errors
    /// [`InvalidPassword`].
    pub fn check(&self, text: &str, address: Option<&Address>) -> Result<Password, InvalidPassword> {
        let password = Password::parse(text)?;
        if text.chars().count() < self.min_chars {
            return Err(InvalidPassword::TooShort { min_chars: self.min_chars });
        }
        let folded = text.trim().to_lowercase();
        if COMMON.contains(&*folded) {
            return Err(InvalidPassword::Common);
        }
        let is_address = |address: &Address| {
            let address = address.as_str().to_lowercase();
            folded == address || address.split_once('@').is_some_and(|(local, _)| folded == local)
        };
        if address.is_some_and(is_address) {
            return Err(InvalidPassword::IsAddress);
        }
        Ok(password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), InvalidPassword> {
        let address = Address::parse("Adalovelace@example.org").unwrap();
        PasswordRules::default().check(text, Some(&address)).map(drop)
    }

    #[test]
    fn what_people_try_first_is_refused() {
        for common in
            ["password", "Password1", "QWERTYUIOP", " iloveyou1 ", "12345678", "correcthorsebatterystaple"]
        {
            assert_eq!(check(common), Err(InvalidPassword::Common), "{common}");
        }
        assert_eq!(check("ada@example"), Ok(()));
        assert_eq!(check("ADALOVELACE"), Err(InvalidPassword::IsAddress));
        assert_eq!(check("adalovelace@EXAMPLE.org"), Err(InvalidPassword::IsAddress));
        assert_eq!(check("correct horse"), Ok(()));
    }

    #[test]
    fn the_length_is_a_setting() {
        assert_eq!(check("äöüäöü1"), Err(InvalidPassword::TooShort { min_chars: 8 }));
        assert!(Password::parse("toto").is_ok(), "only new ones must be long");
        let rules = PasswordRules { min_chars: 14 };
        assert_eq!(rules.check("correct horse", None), Err(InvalidPassword::TooShort { min_chars: 14 }));
        assert!(rules.check("correct horses", None).is_ok());
        assert_eq!(rules.check(&"x".repeat(73), None), Err(InvalidPassword::TooLong));
    }

    #[test]
    fn the_list_is_one_that_is_found_in() {
        assert!(COMMON.len() > 500, "{}", COMMON.len());
        for line in include_str!("common_passwords.txt").lines() {
            assert!(!line.is_empty() && line == line.trim().to_lowercase(), "{line:?}");
        }
    }
}
