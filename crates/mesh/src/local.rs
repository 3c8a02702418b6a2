//! Who sends a request to a door that is for programs of this machine only: such a program, or somebody's browser.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, header};

use crate::serve::Peer;

/// Why a request is not taken for one of a program of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotLocal {
    /// It comes from somewhere else.
    #[error("only programs of this machine are answered here")]
    Elsewhere,
    /// A browser sends it for a page from somewhere else.
    #[error("browsers are not answered here (there is an Origin)")]
    Browser,
    /// It asks for somebody else, as a page does that has a name of its own for this address.
    #[error("Host has to be localhost or a loopback address")]
    Host,
}

/// Lets a request of a program of this machine through, or says why not. A page in a browser could send requests here
/// too: those it sends to another origin carry `Origin`, and with a name of its own for this address they carry that as
/// `Host`.
///
/// # Errors
/// [`NotLocal`].
pub fn check_local(peer: &Peer, headers: &HeaderMap) -> Result<(), NotLocal> {
    if let Peer::Network(address) = peer
        && !address.ip().to_canonical().is_loopback()
    {
        return Err(NotLocal::Elsewhere);
    }
    if headers.contains_key(header::ORIGIN) {
        return Err(NotLocal::Browser);
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match host.and_then(|host| host.parse::<Authority>().ok()) {
        Some(host) if names_this_machine(host.host()) => Ok(()),
        _ => Err(NotLocal::Host),
    }
}

/// Whether a host can mean nothing but this machine.
pub(crate) fn names_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || bare(host).parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// A host as it is looked up: an IPv6 address has no brackets there.
pub(crate) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}
