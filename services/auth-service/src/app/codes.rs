//! Codes that go by mail: random, kept by their hash, good once, for less than an hour.

use std::time::Duration;

use aws_lc_rs::rand;
use common::auth::{CodeKind, MailedCode};
use common::{PortError, PortResult, Sha256, Timestamp, UserId};

use super::typed;

/// How long a code works.
pub(crate) const CODE_LIFETIME: Duration = Duration::from_secs(55 * 60);

/// 130 bits: nobody guesses one, whoever has the hashes included.
const DIGITS: usize = 26;
/// Digits between two hyphens, so that a code can be typed.
const GROUP: usize = 5;

/// A new code, as a mail shows it.
pub(crate) fn new_code() -> PortResult<String> {
    random_text(DIGITS, GROUP)
}

/// Random digits in groups, five bits each.
pub(crate) fn random_text(digits: usize, group: usize) -> PortResult<String> {
    let mut bytes = vec![0; digits];
    rand::fill(&mut bytes).map_err(|_| PortError::broken("random", "the system gives no random bytes"))?;
    Ok(typed::code(bytes.into_iter(), group))
}

/// The hash of a code, however it was typed.
pub(crate) fn hash_code(code: &str) -> [u8; 32] {
    Sha256::of(typed::canonical(code).as_bytes()).0
}

/// A code as the store keeps it.
pub(crate) fn mailed(code: &str, kind: CodeKind, user: Option<UserId>, now: Timestamp) -> MailedCode {
    MailedCode {
        hash: hash_code(code),
        kind,
        user,
        address: None,
        other_hash: None,
        expires_at: now + CODE_LIFETIME,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = new_code().unwrap();
        assert_eq!(code.len(), DIGITS + (DIGITS - 1) / GROUP, "{code}");
        assert_ne!(code, new_code().unwrap());
        let hash = hash_code(&code);
        assert_eq!(
            hash_code(&code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l")),
            hash
        );
        assert_ne!(hash_code(&code[1..]), hash);
    }
}
