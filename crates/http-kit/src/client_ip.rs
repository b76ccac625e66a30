//! The client's address behind gateways.

use std::net::IpAddr;

use actix_web::HttpRequest;
use common::network::{InvalidNetwork, Network};

/// The gateways whose `X-Forwarded-For` is believed. None by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Reads addresses and networks.
    ///
    /// # Errors
    /// [`InvalidNetwork`] with the first text that is neither.
    pub fn parse<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Result<Self, InvalidNetwork> {
        texts.into_iter().map(|text| text.as_ref().trim().parse()).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The address of whoever made the request: the peer, or, if the peer is a trusted proxy, the rightmost address of `X-Forwarded-For`
/// that is not one. A part that is no address ends the search at the last proxy that vouched for it. No other header is read.
/// None on a Unix socket.
pub fn client_ip(request: &HttpRequest, trusted: &TrustedProxies) -> Option<IpAddr> {
    let mut client = request.peer_addr()?.ip().to_canonical();
    if !trusted.contains(client) {
        return Some(client);
    }
    let fields: Vec<_> = request.headers().get_all("x-forwarded-for").collect();
    for field in fields.into_iter().rev() {
        let Ok(field) = field.to_str() else { return Some(client) };
        for part in field.rsplit(',') {
            let Some(address) = address(part.trim()) else { return Some(client) };
            client = address.to_canonical();
            if !trusted.contains(client) {
                return Some(client);
            }
        }
    }
    Some(client)
}

/// An address as proxies write it: bare, in brackets, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Some(socket.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// One counter for each IPv4 address and each IPv6 /64, the least that one customer gets (RFC 6177).
pub fn customer_key(ip: Option<IpAddr>) -> String {
    match ip {
        Some(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::")
        }
        Some(ip) => ip.to_canonical().to_string(),
        None => "local".to_owned(),
    }
}

/// The network of an IPv6 address that a customer with many prefixes has, a /48 (RFC 6177); none for IPv4.
pub fn network_key(ip: Option<IpAddr>) -> Option<String> {
    match ip {
        Some(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none() => {
            let [a, b, c, ..] = v6.segments();
            Some(format!("{a:x}:{b:x}:{c:x}::"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn ip(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut request = TestRequest::default()
            .peer_addr(peer.parse().unwrap())
            .insert_header(("x-real-ip", "6.6.6.6"))
            .insert_header(("forwarded", "for=6.6.6.6"));
        for field in forwarded {
            request = request.append_header(("x-forwarded-for", *field));
        }
        let trusted = TrustedProxies::parse(trusted).unwrap();
        client_ip(&request.to_http_request(), &trusted).unwrap().to_string()
    }

    #[test]
    fn c190_headers_of_an_untrusted_peer_are_ignored() {
        assert_eq!(ip("9.9.9.9:1", &["1.2.3.4"], &[]), "9.9.9.9");
        assert_eq!(ip("9.9.9.9:1", &["1.2.3.4"], &["10.0.0.0/8"]), "9.9.9.9");
    }

    #[test]
    fn c191_the_rightmost_untrusted_address_counts() {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(ip("10.0.0.1:1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"], &trusted), "1.2.3.4");
        assert_eq!(ip("10.0.0.1:1", &["6.6.6.6", "1.2.3.4", "10.0.0.2"], &trusted), "1.2.3.4");
        assert_eq!(ip("[fd00::1]:1", &["6.6.6.6, 2001:db8::5"], &trusted), "2001:db8::5");
        assert_eq!(ip("[::ffff:10.0.0.1]:1", &["[2001:db8::5]:443"], &trusted), "2001:db8::5");
        assert_eq!(ip("10.0.0.1:1", &["1.2.3.4:5678"], &trusted), "1.2.3.4");
        assert_eq!(ip("10.0.0.1:1", &[], &trusted), "10.0.0.1");
        assert_eq!(ip("10.0.0.1:1", &["6.6.6.6, unknown, 10.0.0.3"], &trusted), "10.0.0.3");
        assert_eq!(ip("10.0.0.1:1", &["10.0.0.7, 10.0.0.3"], &trusted), "10.0.0.7");
    }

    #[test]
    fn networks_are_read_strictly() {
        for wrong in ["", "10.0.0.0/33", "10.0.0.0/x", "::/129", "host", "10.0.0/8"] {
            assert!(TrustedProxies::parse([wrong]).is_err(), "{wrong}");
        }
        let all = TrustedProxies::parse(["0.0.0.0/0", "::/0"]).unwrap();
        assert!(all.contains("1.2.3.4".parse().unwrap()) && all.contains("::5".parse().unwrap()));
        assert!(!TrustedProxies::parse(["::/0"]).unwrap().contains("1.2.3.4".parse().unwrap()));
    }

    #[test]
    fn one_customer_has_one_counter() {
        let key = |text: &str| customer_key(Some(text.parse().unwrap()));
        assert_eq!(key("2001:db8:1:2:3::4"), key("2001:db8:1:2:ffff::1"));
        assert_ne!(key("2001:db8:1:2::"), key("2001:db8:1:3::"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
        assert_ne!(key("10.0.0.2"), key("10.0.0.1"));
    }
}
