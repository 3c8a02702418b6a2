//! Which of several upstreams a request goes to: by weight, and for one client always to the same one.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, header};
use partie_contract::Identity;
use partie_mesh::Target;
use partie_runtime::{Ids, scramble};

use crate::config::Sticky;

/// Upstreams with their weights.
#[derive(Debug)]
pub(crate) struct Choice {
    targets: Box<[Weighted]>,
    total: u64,
    sticky: Option<Key>,
}

#[derive(Debug)]
struct Weighted {
    target: Target,
    weight: u32,
    /// Of the upstream's name: the same in every process.
    seed: u64,
}

/// By what a client is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Address,
    User,
    Header(HeaderName),
    Cookie(Box<str>),
}

/// What is known of a client.
pub(crate) struct Known<'r> {
    pub(crate) address: Option<IpAddr>,
    pub(crate) who: Option<&'r Identity>,
    pub(crate) headers: &'r HeaderMap,
}

// === impl Choice ===

impl Choice {
    /// The choice among those; there is at least one, and none has a weight of 0.
    pub(crate) fn new(targets: Vec<(Target, u32)>, sticky: Option<Key>) -> Self {
        let total = targets.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let weighted = |(target, weight): (Target, u32)| Weighted {
            seed: hash(target.service().as_bytes()),
            target,
            weight,
        };
        Self { targets: targets.into_iter().map(weighted).collect(), total, sticky }
    }

    /// All of them, with their weights.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (&Target, u32)> {
        self.targets.iter().map(|weighted| (&weighted.target, weighted.weight))
    }

    /// Whether the client's address is asked for.
    pub(crate) fn wants_address(&self) -> bool {
        self.targets.len() > 1 && self.sticky == Some(Key::Address)
    }

    /// The one for this client.
    pub(crate) fn pick(&self, known: &Known<'_>, ids: &Ids) -> Option<&Target> {
        if let [only] = &*self.targets {
            return Some(&only.target);
        }
        match self.sticky.as_ref().and_then(|key| key.of(known)) {
            Some(client) => self.for_client(client),
            None => self.at(ids.below(self.total)),
        }
    }

    /// The client's own. Each upstream draws a number for the client, those with more weight better ones, and the best
    /// one counts (weighted rendezvous hashing): when weights change, nobody moves but from whoever has less now to
    /// whoever has more.
    fn for_client(&self, client: u64) -> Option<&Target> {
        let score = |weighted: &Weighted| {
            // Between 0 and 1, without either.
            let drawn = ((scramble(client ^ weighted.seed) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            f64::from(weighted.weight) / -drawn.ln()
        };
        self.targets.iter().max_by(|a, b| score(a).total_cmp(&score(b))).map(|best| &best.target)
    }

    /// The one at a place among all weights.
    fn at(&self, mut place: u64) -> Option<&Target> {
        for weighted in &self.targets {
            match place.checked_sub(u64::from(weighted.weight)) {
                Some(rest) => place = rest,
                None => return Some(&weighted.target),
            }
        }
        None
    }
}

// === impl Key ===

impl Key {
    /// The key by which a route knows its clients; nothing for a name no header field has.
    pub(crate) fn new(sticky: &Sticky) -> Option<Self> {
        Some(match sticky {
            Sticky::Address => Self::Address,
            Sticky::User => Self::User,
            Sticky::Header(name) => Self::Header(HeaderName::from_bytes(name.as_bytes()).ok()?),
            Sticky::Cookie(name) => Self::Cookie(name.as_str().into()),
        })
    }

    fn of(&self, known: &Known<'_>) -> Option<u64> {
        match self {
            Self::Address => match known.address? {
                IpAddr::V4(address) => Some(hash(&address.octets())),
                IpAddr::V6(address) => Some(hash(&address.octets()[..8])),
            },
            Self::User => known.who.map(|who| hash(who.subject.as_bytes())),
            Self::Header(name) => known.headers.get(name).map(|value| hash(value.as_bytes())),
            Self::Cookie(name) => cookie(known.headers, name).map(|value| hash(value.as_bytes())),
        }
    }
}

/// The value of a cookie (RFC 6265 section 4.2.1).
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The same number for the same bytes, in every process and every build (FNV-1a).
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use partie_mesh::{Handles, Mesh, MeshConfig};

    use super::*;

    fn choice(weights: &[(&str, u32)]) -> Choice {
        let mesh = Mesh::new(MeshConfig::default(), Handles::default());
        let targets = weights.iter().map(|(name, weight)| (mesh.target(name), *weight)).collect();
        Choice::new(targets, Key::new(&Sticky::Header("x-session".into())))
    }

    fn of(choice: &Choice, client: u32) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-session", client.to_string().parse().unwrap());
        let known = Known { address: None, who: None, headers: &headers };
        choice.pick(&known, &Ids::seeded(1)).unwrap().service().to_owned()
    }

    #[test]
    fn clients_are_shared_out_by_weight_and_stay() {
        let before = choice(&[("menu", 95), ("menu-next", 5)]);
        let after = choice(&[("menu", 80), ("menu-next", 20)]);
        let (mut next, mut later) = (0, 0);
        for client in 0..10_000 {
            let (first, second) = (of(&before, client), of(&after, client));
            assert_eq!(first, of(&before, client));
            assert!(first == "menu" || second == "menu-next", "{client} moved back");
            next += u32::from(first == "menu-next");
            later += u32::from(second == "menu-next");
        }
        assert!((400..600).contains(&next) && (1_800..2_200).contains(&later), "{next} {later}");
    }

    #[test]
    fn who_is_not_known_is_led_by_chance() {
        let (choice, ids, headers) = (choice(&[("a", 1), ("b", 3)]), Ids::seeded(7), HeaderMap::new());
        let known = Known { address: None, who: None, headers: &headers };
        let b = (0..4_000).filter(|_| choice.pick(&known, &ids).unwrap().service() == "b").count();
        assert!((2_800..3_200).contains(&b), "{b}");
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "xsession=1; session2=2".parse().unwrap());
        headers.append(header::COOKIE, "a=b; session=c=d".parse().unwrap());
        assert_eq!(cookie(&headers, "session"), Some("c=d"));
        assert_eq!(cookie(&headers, "sess"), None);
    }
}
