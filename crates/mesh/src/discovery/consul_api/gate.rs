//! Who may use the API: programs of this machine, and nobody's browser.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, header};

use super::query::Query;
use super::refusal::Refusal;
use crate::discovery::http::bare;
use crate::serve::Peer;

/// Judges a name and a token.
type Verify = Box<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Names of services that only a holder of the join token may announce.
pub struct Reserved {
    names: BTreeSet<String>,
    verify: Verify,
}

/// Refuses what does not come from a program of this machine. A page in a browser could send requests here too: those
/// it sends to another origin carry `Origin`, and with a name of its own for this address they carry that as `Host`.
pub(super) fn admit(peer: &Peer, head: &Parts) -> Result<(), Refusal> {
    if let Peer::Network(address) = peer
        && !address.ip().to_canonical().is_loopback()
    {
        return Err(Refusal::forbidden("the registry answers programs of its own machine only"));
    }
    if head.headers.contains_key(header::ORIGIN) {
        return Err(Refusal::forbidden("the registry does not answer browsers (there is an Origin)"));
    }
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match host.and_then(|host| host.parse::<Authority>().ok()) {
        Some(host) if names_this_machine(host.host()) => Ok(()),
        _ => Err(Refusal::forbidden("Host has to be localhost or a loopback address")),
    }
}

/// Whether a host can mean nothing but this machine.
pub(super) fn names_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || bare(host).parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The token of a request, in any of the places Consul takes it from.
pub(super) fn token<'r>(headers: &'r HeaderMap, query: &'r Query) -> Option<&'r str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = || text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    text("x-consul-token").or_else(bearer).or_else(|| query.first("token"))
}

// === impl Reserved ===

impl Reserved {
    /// No name is reserved.
    pub fn nothing() -> Self {
        Self::new([] as [&str; 0], |_, _| false)
    }

    /// Those names, for whoever has a token of which `verify` says that it is good for that name. Case does not matter in
    /// names: they are shown to `verify` in lower case.
    pub fn new(
        names: impl IntoIterator<Item = impl AsRef<str>>,
        verify: impl Fn(&str, &str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().to_ascii_lowercase()).collect();
        Self { names, verify: Box::new(verify) }
    }

    pub(super) fn check(&self, service: &str, token: Option<&str>) -> Result<(), Refusal> {
        let name = service.to_ascii_lowercase();
        let open = !self.names.contains(&name);
        if open || token.is_some_and(|token| (self.verify)(&name, token)) {
            return Ok(());
        }
        let text = format!("the service name {service:?} is reserved: X-Consul-Token has to be a join token");
        Err(Refusal::forbidden(text))
    }
}

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reserved").field(&self.names).finish()
    }
}
