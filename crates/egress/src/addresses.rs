//! Which addresses are on the Internet: the special-purpose registries of IANA for IPv4 and IPv6, as of RFC 6890 and what came after it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::network::{InvalidNetwork, Network};

/// Which addresses may be reached: those on the Internet, and the private networks that are listed here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed(Vec<Network>);

impl Allowed {
    /// Reads networks with commas between, as a setting has them.
    ///
    /// # Errors
    /// [`InvalidNetwork`] with the first text that is none.
    pub fn parse(networks: &str) -> Result<Self, InvalidNetwork> {
        Network::parse_list(networks).map(Self)
    }

    /// Whether this address may be reached.
    pub fn permits(&self, address: IpAddr) -> bool {
        let listed = |address: IpAddr| self.0.iter().any(|network| network.contains(address));
        match address {
            IpAddr::V4(four) => is_public_v4(four) || listed(address),
            IpAddr::V6(six) => match carried(six) {
                // wherever it says it is, its packets go to the address inside
                Some(inside) => is_public_v4(inside) || listed(inside.into()),
                None => is_public_v6(six) || listed(address),
            },
        }
    }
}

/// Whether a network of IPv4 has this address: its first bits are these.
const fn begins(address: Ipv4Addr, network: [u8; 4], bits: u32) -> bool {
    let ignored = 32 - bits;
    address.to_bits() >> ignored == u32::from_be_bytes(network) >> ignored
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    const SPECIAL: [([u8; 4], u32); 16] = [
        ([0, 0, 0, 0], 8),       // this network, RFC 791
        ([10, 0, 0, 0], 8),      // private, RFC 1918
        ([100, 64, 0, 0], 10),   // shared by customers of a carrier (CGNAT), RFC 6598
        ([127, 0, 0, 0], 8),     // loopback, RFC 1122
        ([169, 254, 0, 0], 16),  // link-local, RFC 3927: also metadata services
        ([172, 16, 0, 0], 12),   // private
        ([192, 0, 0, 0], 24),    // protocol assignments, RFC 6890
        ([192, 0, 2, 0], 24),    // documentation, RFC 5737
        ([192, 31, 196, 0], 24), // AS112, RFC 7535
        ([192, 52, 193, 0], 24), // AMT, RFC 7450
        ([192, 88, 99, 0], 24),  // relays of 6to4, RFC 7526
        ([192, 168, 0, 0], 16),  // private
        ([192, 175, 48, 0], 24), // AS112, RFC 7534
        ([198, 18, 0, 0], 15),   // benchmarks, RFC 2544
        ([198, 51, 100, 0], 24), // documentation
        ([203, 0, 113, 0], 24),  // documentation
    ];
    // multicast (RFC 5771), reserved (RFC 1112) and broadcast lie above
    address.octets()[0] < 224 && !SPECIAL.iter().any(|(network, bits)| begins(address, *network, *bits))
}

/// The address of IPv4 to which packets for one of IPv6 go, where it carries one.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let four = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match [a, b, c, d, e, f] {
        // ::1 and :: are not of that kind: they are special as they are
        [0, 0, 0, 0, 0, 0] if g != 0 => Some(four(g, h)), // compatible, RFC 4291
        [0, 0, 0, 0, 0, 0xffff] => Some(four(g, h)),      // mapped, RFC 4291
        [0, 0, 0, 0, 0xffff, 0] => Some(four(g, h)),      // translated, RFC 2765
        [0x64, 0xff9b, 0, 0, 0, 0] => Some(four(g, h)),   // NAT64, RFC 6052
        [0x2002, high, low, ..] => Some(four(high, low)), // 6to4, RFC 3056
        _ => None,
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // what may be reached from everywhere is given out of 2000::/3; loopback, local, multicast and reserved ones lie outside
    let is_unicast = a & 0xe000 == 0x2000;
    // protocol assignments, RFC 2928: Teredo, benchmarks, ORCHID, and AS112
    let is_protocol = a == 0x2001 && b < 0x200;
    let is_documentation = a == 0x2001 && b == 0xdb8 || a == 0x3fff && b < 0x1000; // RFC 3849, RFC 9637
    is_unicast && !is_protocol && !is_documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(networks: &str, address: &str) -> bool {
        Allowed::parse(networks).unwrap().permits(address.parse().unwrap())
    }

    #[test]
    fn what_is_on_the_internet_may_be_reached() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2a00::1",
            "3fff:1000::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(permits("", address), "{address}");
        }
    }

    #[test]
    fn what_is_not_on_the_internet_may_not() {
        for address in [
            // this host, and nowhere
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.255",
            "::",
            "::1",
            // private, shared, link-local and unique local
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "192.168.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            // assignments, relays, documentation, benchmarks
            "192.0.0.1",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "192.31.196.1",
            "192.52.193.1",
            "192.175.48.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff::1",
            "2001:db8::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "64:ff9b:1::1",
            // many, all, and reserved
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "ff0e::1",
            "4000::1",
            // the same in other clothes
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "::127.0.0.1",
            "::10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::192.168.0.1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "2002:c0a8:1::1",
            "2002:a9fe:a9fe::1",
        ] {
            assert!(!permits("", address), "{address}");
        }
    }

    #[test]
    fn listed_networks_may_be_reached_and_no_others() {
        let networks = "192.168.1.0/24, 127.0.0.1, fd12::/16";
        for address in
            ["192.168.1.7", "127.0.0.1", "fd12::1", "::ffff:192.168.1.7", "64:ff9b::192.168.1.7", "8.8.8.8"]
        {
            assert!(permits(networks, address), "{address}");
        }
        for address in ["192.168.2.7", "127.0.0.2", "fd13::1", "::1", "::ffff:127.0.0.2", "10.0.0.1"] {
            assert!(!permits(networks, address), "{address}");
        }
        // a network of IPv6 opens nothing of IPv4
        assert!(!permits("::/0", "::ffff:127.0.0.1"));
        assert!(Allowed::parse("home").is_err());
    }
}
