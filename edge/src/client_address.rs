//! Who is at the other end of a connection: the peer, or the client that trusted proxies name.
//!
//! Only a peer of `TRUSTED_PROXIES` is believed. Its list of hops is read from the right, the end that it wrote itself,
//! and the first address that is no trusted proxy is the client: what a client writes into these headers stands further
//! left and is never reached. `X-Forwarded-For` is read before `Forwarded` (RFC 7239): a proxy that writes the latter
//! has to remove the former.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

const FORWARDED: HeaderName = axum::http::header::FORWARDED;
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// More hops than any real chain has; what is further left is not read.
const MAX_HOPS: usize = 32;

/// The networks (CIDR) of proxies whose forwarding headers are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// The client of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    pub ip: IpAddr,
    /// Whether the client came by TLS: to this port, or to a trusted proxy that says so.
    pub secure: bool,
}

impl ClientAddress {
    /// As the accept loop put it into a request's extensions.
    pub fn of(extensions: &Extensions) -> Self {
        let unknown = Self { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), secure: false };
        extensions.get().copied().unwrap_or(unknown)
    }

    /// What rate limits count by: an IPv6 host has a /64 of its own to choose addresses from.
    pub fn network(self) -> IpAddr {
        network(self.ip)
    }
}

/// An IPv4 address itself, of an IPv6 address its /64.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl TrustedProxies {
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    pub fn trusts(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// The client of a request that arrived from `peer`, by TLS if `secure`. What a trusted proxy says of its own client
    /// is worth more than how it came itself.
    pub fn client(&self, peer: IpAddr, secure: bool, headers: &HeaderMap) -> ClientAddress {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return ClientAddress { ip: peer, secure };
        }
        let proto = last_values(headers, &X_FORWARDED_PROTO).next();
        let hops: Vec<Hop> = if headers.contains_key(X_FORWARDED_FOR) {
            last_values(headers, &X_FORWARDED_FOR)
                .map(|text| Hop { ip: address(text), proto })
                .take(MAX_HOPS)
                .collect()
        } else {
            last_values(headers, &FORWARDED).map(Hop::forwarded).take(MAX_HOPS).collect()
        };
        let mut client = ClientAddress { ip: peer, secure: proto.map_or(secure, is_https) };
        for hop in hops {
            // Obfuscated, `unknown` or garbage: what is further left cannot be attributed.
            let Some(ip) = hop.ip else { break };
            client = ClientAddress { ip, secure: hop.proto.or(proto).map_or(secure, is_https) };
            if !self.trusts(ip) {
                break;
            }
        }
        client
    }
}

struct Hop<'a> {
    ip: Option<IpAddr>,
    proto: Option<&'a str>,
}

impl<'a> Hop<'a> {
    /// One element of `Forwarded`: `for=192.0.2.60;proto=https;by=203.0.113.43`.
    fn forwarded(element: &'a str) -> Self {
        let mut hop = Self { ip: None, proto: None };
        for (name, value) in element.split(';').filter_map(|pair| pair.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => hop.ip = address(value),
                "proto" => hop.proto = Some(value),
                _ => {}
            }
        }
        hop
    }
}

/// The list items of all fields of this name, the last one first. What is not text is an empty item: it names no one, and
/// what a proxy wrote into the same field is read all the same.
fn last_values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let fields: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    let items = fields.into_iter().rev().flat_map(|field| field.rsplit(|byte| *byte == b','));
    items.map(|item| std::str::from_utf8(item).unwrap_or_default().trim())
}

/// An address with or without a port, IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split(']').next());
    let ip = bracketed.unwrap_or(text).parse::<IpAddr>().ok();
    ip.or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()))
        .map(|ip| ip.to_canonical())
}

fn is_https(proto: &str) -> bool {
    proto.eq_ignore_ascii_case("https") || proto.eq_ignore_ascii_case("wss")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, fields: &[(&'static str, &str)]) -> (String, bool) {
        over(false, peer, fields)
    }

    fn over(secure: bool, peer: &str, fields: &[(&'static str, &str)]) -> (String, bool) {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
        let proxies = TrustedProxies::new(networks.to_vec());
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), value.parse().expect("a header value"));
        }
        let client = proxies.client(peer.parse().expect("an address"), secure, &headers);
        (client.ip.to_string(), client.secure)
    }

    fn plain(ip: &str) -> (String, bool) {
        (ip.to_owned(), false)
    }

    #[test]
    fn forwarding_headers_of_strangers_are_ignored() {
        let fields = [
            ("x-forwarded-for", "198.51.100.1"),
            ("forwarded", "for=198.51.100.2"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(client("203.0.113.9", &fields), plain("203.0.113.9"));
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_no_trusted_proxy() {
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "198.51.100.1")]), plain("198.51.100.1"));
        let forged = [("x-forwarded-for", "1.1.1.1, 198.51.100.1, 10.2.0.1")];
        assert_eq!(client("10.0.0.1", &forged), plain("198.51.100.1"));
        let two_fields = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.1")];
        assert_eq!(client("10.0.0.1", &two_fields), plain("198.51.100.1"));
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "10.9.9.9")]), plain("10.9.9.9"));
    }

    #[test]
    fn addresses_are_read_in_every_form_that_proxies_write() {
        for (text, ip) in [
            ("198.51.100.1:4711", "198.51.100.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
        ] {
            assert_eq!(client("::ffff:10.0.0.1", &[("x-forwarded-for", text)]), plain(ip), "{text}");
        }
        let fields = [("forwarded", r#"for=1.1.1.1, For="[2001:db8::1]:4711";proto=https;by=10.0.0.1"#)];
        assert_eq!(client("10.0.0.1", &fields), ("2001:db8::1".to_owned(), true));
    }

    #[test]
    fn nothing_beyond_an_unreadable_hop_is_believed() {
        for hop in ["unknown", "_hidden", "", "999.1.1.1"] {
            let fields = [("x-forwarded-for", format!("198.51.100.1, {hop}"))];
            assert_eq!(client("10.0.0.1", &[(fields[0].0, &fields[0].1)]), plain("10.0.0.1"), "{hop}");
        }
    }

    #[test]
    fn x_forwarded_for_is_read_before_forwarded() {
        let fields = [
            ("forwarded", "for=1.1.1.1"),
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(client("10.0.0.1", &fields), ("198.51.100.1".to_owned(), true));
    }

    #[test]
    fn a_connection_is_secure_unless_a_trusted_proxy_knows_better() {
        let direct = |fields: &[_]| over(true, "203.0.113.9", fields);
        assert!(direct(&[]).1 && direct(&[("x-forwarded-proto", "http")]).1);
        let proxied = |fields: &[_]| over(true, "10.0.0.1", fields);
        let hop = ("x-forwarded-for", "198.51.100.1");
        assert!(proxied(&[hop]).1 && proxied(&[hop, ("x-forwarded-proto", "https")]).1);
        assert_eq!(proxied(&[hop, ("x-forwarded-proto", "http")]), plain("198.51.100.1"));
        assert_eq!(proxied(&[("forwarded", "for=198.51.100.1;proto=http")]), plain("198.51.100.1"));
    }

    #[test]
    fn limits_count_an_ipv6_client_by_its_64_bit_prefix() {
        let network = |ip: &str| {
            ClientAddress { ip: ip.parse().expect("an address"), secure: false }.network().to_string()
        };
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:198.51.100.1"), "198.51.100.1");
        assert_eq!(network("198.51.100.1"), "198.51.100.1");
    }
}

#[cfg(test)]
mod fuzz {
    use natter_fuzz::fuzz;

    use super::*;

    #[test]
    fn whatever_a_client_writes_it_is_who_its_proxy_says() {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
        let proxies = TrustedProxies::new(networks.to_vec());
        let proxy = IpAddr::from([10, 0, 0, 1]);
        let real = IpAddr::from([198, 51, 100, 1]);
        let client = |name: &HeaderName, fields: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(name, HeaderValue::from_bytes(field).ok()?);
            }
            Some(proxies.client(proxy, false, &headers).ip)
        };
        fuzz("forwarded", &[], |bytes| {
            for (name, hop) in [(X_FORWARDED_FOR, "198.51.100.1"), (FORWARDED, "for=198.51.100.1")] {
                // Proxies append to the field, or add one.
                let appended = [bytes, b", ", hop.as_bytes()].concat();
                for ip in [client(&name, &[&appended]), client(&name, &[bytes, hop.as_bytes()])] {
                    assert!(ip.is_none_or(|ip| ip == real), "{name}: {:?}", String::from_utf8_lossy(bytes));
                }
            }
            let alone = client(&X_FORWARDED_FOR, &[bytes]);
            (alone.is_some(), alone == Some(proxy), client(&FORWARDED, &[bytes]) == Some(proxy))
        });
    }
}
