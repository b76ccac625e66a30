//! Networks of addresses, as settings name them.

use std::net::IpAddr;
use std::str::FromStr;

/// A text that is neither an address nor a network such as `10.0.0.0/8`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address nor a network such as 10.0.0.0/8")]
pub struct InvalidNetwork(String);

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| invalid()))?;
        if bits > most { Err(invalid()) } else { Ok(Self { address, bits }) }
    }
}

impl Network {
    /// Reads networks with commas between; none in an empty text.
    ///
    /// # Errors
    /// [`InvalidNetwork`] with the first text that is none.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, InvalidNetwork> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse).collect()
    }

    /// Whether this address is in it. An IPv4 address is in no network of IPv6, whatever form it has.
    pub fn contains(&self, other: IpAddr) -> bool {
        let equal_in = |a: u128, b: u128, width: u32| {
            let ignored = width - u32::from(self.bits);
            a.checked_shr(ignored).unwrap_or(0) == b.checked_shr(ignored).unwrap_or(0)
        };
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => equal_in(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => equal_in(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_begins_alike() {
        let contains = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("10.1.0.0/16", "10.1.255.255"));
        assert!(!contains("10.1.0.0/16", "10.2.0.0"));
        assert!(contains("0.0.0.0/0", "255.255.255.255"));
        assert!(contains("127.0.0.1", "127.0.0.1"));
        assert!(!contains("127.0.0.1", "127.0.0.2"));
        assert!(contains("fd00::/8", "fd12::1"));
        assert!(contains("::/0", "ff02::1"));
        assert!(!contains("::/0", "1.2.3.4"));
    }

    #[test]
    fn lists_have_commas_between() {
        assert_eq!(Network::parse_list("").unwrap(), []);
        assert_eq!(Network::parse_list("10.0.0.0/8, ::1,").unwrap().len(), 2);
        for wrong in ["10.0.0.0/33", "ten", "10.0.0.0/", "10.0.0.0/8 ::1"] {
            assert!(Network::parse_list(wrong).is_err(), "{wrong}");
        }
    }
}
