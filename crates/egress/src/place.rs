//! Places that users name.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::Allowed;

/// Longest text of a place, in bytes.
pub const MAX_PLACE_BYTES: usize = 2048;

/// A text that names no place to which requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlace {
    /// See [`MAX_PLACE_BYTES`].
    #[error("an address has at most 2048 bytes")]
    Long,
    /// Not a URL at all.
    #[error("this is no URL")]
    Url,
    /// Neither `http` nor `https`.
    #[error("an address begins with http:// or https://")]
    Scheme,
    /// It has a user or a password.
    #[error("an address has no user and no password in it")]
    Credentials,
    /// It names an address that may not be reached.
    #[error("addresses of private networks and of this server may not be reached")]
    Address,
}

/// A place to which requests go. `Debug` shows its scheme and host only: the rest may carry what is to stay secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Place(Url);

impl Place {
    /// Reads a place. An address in it is checked here already; a name is resolved and checked at every request.
    ///
    /// # Errors
    /// [`InvalidPlace`].
    pub fn parse(text: &str, allowed: &Allowed) -> Result<Self, InvalidPlace> {
        if text.len() > MAX_PLACE_BYTES {
            return Err(InvalidPlace::Long);
        }
        let mut url = Url::parse(text).map_err(|_| InvalidPlace::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidPlace::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidPlace::Credentials);
        }
        url.set_fragment(None);
        let address: Option<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) => None,
            None => return Err(InvalidPlace::Url),
        };
        match address {
            Some(address) if !allowed.permits(address) => Err(InvalidPlace::Address),
            _ => Ok(Self(url)),
        }
    }

    /// As it was understood.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({}://{}/…)", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_of_the_web() {
        let parse = |text: &str| Place::parse(text, &Allowed::default());
        for (text, understood) in [
            ("https://example.org", "https://example.org/"),
            ("http://example.org:8080/a?b=c#d", "http://example.org:8080/a?b=c"),
            ("https://8.8.8.8/", "https://8.8.8.8/"),
            ("https://[2606:4700:4700::1111]:444/", "https://[2606:4700:4700::1111]:444/"),
            ("HTTPS://BÜCHER.example/", "https://xn--bcher-kva.example/"),
            // a name is checked when it is used
            ("http://localhost/", "http://localhost/"),
        ] {
            assert_eq!(parse(text).unwrap().as_str(), understood);
        }
        for (text, wrong) in [
            ("", InvalidPlace::Url),
            ("example.org", InvalidPlace::Url),
            ("https://", InvalidPlace::Url),
            ("ftp://example.org/", InvalidPlace::Scheme),
            ("file:///etc/passwd", InvalidPlace::Scheme),
            ("gopher://example.org/", InvalidPlace::Scheme),
            ("https://bob@example.org/", InvalidPlace::Credentials),
            ("https://:secret@example.org/", InvalidPlace::Credentials),
            ("http://127.0.0.1/", InvalidPlace::Address),
            ("http://[::1]/", InvalidPlace::Address),
            ("http://[::ffff:127.0.0.1]/", InvalidPlace::Address),
            // other ways to write 127.0.0.1
            ("http://2130706433/", InvalidPlace::Address),
            ("http://0x7f.1/", InvalidPlace::Address),
            ("http://0177.0.0.1/", InvalidPlace::Address),
            ("http://127.1/", InvalidPlace::Address),
            ("http://１２７.0.0.1/", InvalidPlace::Address),
            ("http://169.254.169.254/latest/meta-data/", InvalidPlace::Address),
        ] {
            assert_eq!(parse(text), Err(wrong), "{text}");
        }
        let long = format!("https://example.org/{}", "x".repeat(MAX_PLACE_BYTES));
        assert_eq!(parse(&long), Err(InvalidPlace::Long));
        let secret = parse("https://example.org/secret").unwrap();
        assert_eq!(format!("{secret:?}"), "Place(https://example.org/…)");
    }
}
