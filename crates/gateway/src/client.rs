//! Who the client is: the other end of the connection, or whom a trusted proxy names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use partie_mesh::Peer;

use crate::config::Network;

pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(crate) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// So many proxies may have been on the way. Of more only the nearest are looked at.
const LONGEST_CHAIN: usize = 32;

/// The client of a request, and what upstreams are told of it.
#[derive(Debug)]
pub(crate) struct Client {
    /// The nearest address on the way that is no trusted proxy.
    pub(crate) address: IpAddr,
    /// Whether the other end of the connection is a trusted proxy.
    trusted: bool,
}

/// What upstreams are told of the client.
pub(crate) struct Forwarded {
    chain: Option<HeaderValue>,
    proto: HeaderValue,
    host: Option<HeaderValue>,
}

// === impl Client ===

impl Client {
    /// The client, by the connection. Only if that is a trusted proxy's, its word counts.
    pub(crate) fn of(peer: &Peer, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let mut address = connection(peer).map_or(nobody, |peer| peer.ip().to_canonical());
        let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
        if !is_trusted(address) {
            return Self { address, trusted: false };
        }
        // From the right: each proxy has added who it got the request from. What cannot be read ends the chain.
        for hop in hops(headers).take(LONGEST_CHAIN) {
            let Some(hop) = hop else { break };
            address = hop;
            if !is_trusted(hop) {
                break;
            }
        }
        Self { address, trusted: true }
    }

    /// What upstreams are told: the way of the request as far as it can be believed, and whether it began with TLS.
    pub(crate) fn forwarded(&self, peer: &Peer, headers: &HeaderMap, secured: bool) -> Forwarded {
        let of_proxy = |name| self.trusted.then(|| headers.get(name)).flatten();
        let before = if self.trusted { chain(headers) } else { String::new() };
        let chain = connection(peer).and_then(|peer| match peer.ip().to_canonical() {
            address if !before.is_empty() => HeaderValue::try_from(format!("{before}, {address}")).ok(),
            IpAddr::V4(address) => dotted(address.octets()),
            IpAddr::V6(address) => HeaderValue::try_from(address.to_string()).ok(),
        });
        let ours = if secured { "https" } else { "http" };
        let proto = of_proxy(FORWARDED_PROTO).filter(|proto| matches!(proto.as_bytes(), b"http" | b"https"));
        Forwarded {
            chain,
            proto: proto.cloned().unwrap_or_else(|| HeaderValue::from_static(ours)),
            host: of_proxy(FORWARDED_HOST).or_else(|| headers.get(header::HOST)).cloned(),
        }
    }

    /// One client's share of a limit: an IPv6 client has a whole /64 to itself.
    pub(crate) fn bits(&self) -> u128 {
        match self.address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        }
    }
}

/// By hand, since it is written for nearly every request, and a formatter takes its time.
fn dotted(octets: [u8; 4]) -> Option<HeaderValue> {
    let (mut text, mut length) = ([0; 15], 0);
    let mut push = |byte| {
        text[length] = byte;
        length += 1;
    };
    for (place, octet) in octets.into_iter().enumerate() {
        if place > 0 {
            push(b'.');
        }
        if octet >= 100 {
            push(b'0' + octet / 100);
        }
        if octet >= 10 {
            push(b'0' + octet / 10 % 10);
        }
        push(b'0' + octet % 10);
    }
    HeaderValue::from_bytes(&text[..length]).ok()
}

fn connection(peer: &Peer) -> Option<&SocketAddr> {
    match peer {
        Peer::Network(address) | Peer::Service { address, .. } => Some(address),
        Peer::InProcess(_) => None,
    }
}

/// The addresses proxies have named, from the nearest on.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines: Vec<&HeaderValue> = headers.get_all(FORWARDED_FOR).iter().collect();
    lines
        .into_iter()
        .rev()
        .flat_map(|line| line.to_str().unwrap_or("?").rsplit(','))
        .map(|hop| address(hop.trim()))
}

/// An address as proxies write it: some add a port, or brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    bare().or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

/// The readable part of the chain, in the order of the way.
fn chain(headers: &HeaderMap) -> String {
    let mut hops: Vec<String> =
        hops(headers).take(LONGEST_CHAIN).map_while(|hop| hop.map(|hop| hop.to_string())).collect();
    hops.reverse();
    hops.join(", ")
}

// === impl Forwarded ===

impl Forwarded {
    /// Says it. Whatever the client said of that has to be gone.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        if let Some(chain) = self.chain {
            headers.insert(FORWARDED_FOR, chain);
        }
        headers.insert(FORWARDED_PROTO, self.proto);
        if let Some(host) = self.host {
            headers.insert(FORWARDED_HOST, host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, lines: &[&str], client: &str, told: &str) {
        let peer = Peer::Network(format!("{peer}:1000").parse().unwrap());
        let trusted: Vec<Network> = ["10.0.0.0/8", "192.0.2.7"].map(|text| text.parse().unwrap()).into();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let found = Client::of(&peer, &headers, &trusted);
        assert_eq!(found.address.to_string(), client, "{lines:?}");
        let mut out = HeaderMap::new();
        found.forwarded(&peer, &headers, false).write(&mut out);
        assert_eq!(out[FORWARDED_FOR], told, "{lines:?}");
        assert_eq!(out[FORWARDED_PROTO], "http");
    }

    #[test]
    fn only_a_trusted_proxy_says_who_the_client_is() {
        check("203.0.113.1", &[], "203.0.113.1", "203.0.113.1");
        check("8.70.100.255", &[], "8.70.100.255", "8.70.100.255");
        check("203.0.113.1", &["198.51.100.9"], "203.0.113.1", "203.0.113.1");
        check("10.0.0.1", &[], "10.0.0.1", "10.0.0.1");
        check("10.0.0.1", &["198.51.100.9"], "198.51.100.9", "198.51.100.9, 10.0.0.1");
        // What the client made up itself is left of what the first trusted proxy saw.
        check(
            "10.0.0.1",
            &["127.0.0.1, 198.51.100.9", "10.9.9.9"],
            "198.51.100.9",
            "127.0.0.1, 198.51.100.9, 10.9.9.9, 10.0.0.1",
        );
        check("10.0.0.1", &["unknown, 10.2.0.1"], "10.2.0.1", "10.2.0.1, 10.0.0.1");
        check("10.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1", "2001:db8::1, 10.0.0.1");
        check("10.0.0.1", &["nonsense"], "10.0.0.1", "10.0.0.1");
    }
}
