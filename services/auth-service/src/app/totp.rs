//! Time-based one-time passwords (RFC 6238, over HOTP of RFC 4226) as every authenticator app has them: SHA-1, six digits, thirty seconds.

use aws_lc_rs::{hmac, rand};
use common::{PortError, PortResult, Timestamp};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// Seconds for which a code is shown (RFC 6238, 5.2).
const STEP_SECONDS: i64 = 30;
/// As long as the digest, as RFC 4226, 4, R6, wants.
const SECRET_BYTES: usize = 20;

/// A secret that an app and this service share.
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    /// A random one.
    pub(crate) fn new() -> PortResult<Self> {
        let mut bytes = vec![0; SECRET_BYTES];
        rand::fill(&mut bytes)
            .map_err(|_| PortError::broken("random", "the system gives no random bytes"))?;
        Ok(Self(bytes))
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// In base 32 (RFC 4648, 6), as apps take it.
    pub(crate) fn base32(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let groups = self.0.chunks(5).flat_map(|bytes| {
            let bits = bytes.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte))
                << (8 * (5 - bytes.len()));
            let digits = (bytes.len() * 8).div_ceil(5);
            (0..digits).map(move |place| (bits >> (35 - 5 * place) & 31) as usize)
        });
        groups.map(|digit| char::from(ALPHABET[digit])).collect()
    }

    /// What an app reads from the picture. <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>
    pub(crate) fn uri(&self, issuer: &str, account: &str) -> String {
        let encode = |text: &str| -> String {
            text.bytes()
                .map(|byte| match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                        char::from(byte).to_string()
                    }
                    byte => format!("%{byte:02X}"),
                })
                .collect()
        };
        let (issuer, account, secret) = (encode(issuer), encode(account), self.base32());
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
        )
    }

    /// The step whose code this is, of the present one, the one before and the one after: clocks differ, and typing takes time.
    pub(crate) fn matching_step(&self, typed: &str, now: Timestamp) -> Option<u64> {
        let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        if typed.len() != 6 || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let typed: u32 = typed.parse().ok()?;
        let present = u64::try_from(now.seconds().div_euclid(STEP_SECONDS)).ok()?;
        let (mut found, mut step) = (Choice::from(0), 0);
        for candidate in present.saturating_sub(1)..=present + 1 {
            let equal = self.code(candidate).ct_eq(&typed);
            step.conditional_assign(&candidate, equal);
            found |= equal;
        }
        bool::from(found).then_some(step)
    }

    /// The code of a step (RFC 4226, 5.3).
    fn code(&self, step: u64) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let digest = tag.as_ref();
        let offset = usize::from(digest[19] & 0xf);
        let mut word = [0; 4];
        word.copy_from_slice(&digest[offset..offset + 4]);
        (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    /// RFC 6238, appendix B, whose codes have eight digits: the last six are ours.
    #[test]
    fn the_vectors_of_the_rfc() {
        let secret = Secret::from_bytes(b"12345678901234567890".to_vec());
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = u64::try_from(seconds / 30).unwrap();
            assert_eq!(secret.matching_step(code, at(seconds)), Some(step), "{seconds}");
            assert_eq!(secret.matching_step(code, at(seconds + 30)), Some(step));
            assert_eq!(secret.matching_step(code, at(seconds - 30)), Some(step));
            assert_eq!(secret.matching_step(code, at(seconds + 60)), None);
            assert_eq!(secret.matching_step(code, at(seconds - 60)), None);
        }
        assert_eq!(secret.matching_step("287 082", at(59)), Some(1));
        for wrong in ["", "287083", "28708", "2870820", "+87082", "２87082", "94287082"] {
            assert_eq!(secret.matching_step(wrong, at(59)), None, "{wrong}");
        }
    }

    /// RFC 4648, 10, without padding, which apps do not want.
    #[test]
    fn secrets_are_shown_in_base_32() {
        for (plain, text) in [
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(Secret::from_bytes(plain.as_bytes().to_vec()).base32(), text);
        }
        let secret = Secret::new().unwrap();
        assert_eq!(secret.base32().len(), 32);
        assert_ne!(secret.base32(), Secret::new().unwrap().base32());
    }

    #[test]
    fn an_app_is_told_everything_in_one_line() {
        let uri = Secret::from_bytes(b"foobar".to_vec()).uri("Files Manager", "bob+x@example.org");
        assert_eq!(
            uri,
            "otpauth://totp/Files%20Manager:bob%2Bx@example.org?secret=MZXW6YTBOI&issuer=Files%20Manager&algorithm=SHA1&digits=6&period=30"
        );
    }
}
