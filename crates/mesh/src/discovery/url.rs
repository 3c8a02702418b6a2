//! How a command line names a registry: one line of text that says which engine, and where.

mod open;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use http::uri::Authority;

use super::Misconfigured;

const OWN: &str = "http://HOST:PORT";
const CONSUL: &str = "consul://HOST:PORT";
const ETCD: &str = "etcd://HOST:PORT[,HOST:PORT]";
const DNS: &str = "dns:DOMAIN or dns://SERVER:PORT/DOMAIN";
const FIXED: &str = "static:NAME=ADDR,ADDR;NAME=ADDR";

/// A registry as people name it. [`open`](Self::open) makes it one.
///
/// | text | engine |
/// |---|---|
/// | `http://HOST:PORT` | our own registry (`partie registry`), by the Consul API it serves |
/// | `consul://HOST:PORT` | a Consul agent |
/// | `etcd://HOST:PORT,HOST:PORT` | the members of an etcd cluster |
/// | `dns:DOMAIN` | the SRV records `_NAME._tcp.DOMAIN`, asked of the system's servers |
/// | `dns://SERVER:PORT/DOMAIN` | the same, asked of that server (RFC 4501) |
/// | `static:NAME=ADDR,ADDR;NAME=ADDR` | a list that never changes; `ADDR` is `IP:PORT` |
///
/// ```
/// use partie_mesh::discovery::RegistryUrl;
///
/// let url: RegistryUrl = "static:product=127.0.0.1:5001".parse()?;
/// let registry = url.open()?; // for `Mesh::discover`
/// # Ok::<(), partie_mesh::discovery::RegistryUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryUrl {
    /// Our own registry at that `HOST:PORT`.
    Own(String),
    /// The Consul agent at that `HOST:PORT`.
    Consul(String),
    /// An etcd cluster with members at those `HOST:PORT`.
    Etcd(Vec<String>),
    /// SRV records.
    Dns {
        /// Under which domain.
        domain: String,
        /// Who is asked, if not the servers of the system.
        server: Option<SocketAddr>,
    },
    /// Services, and where their instances are.
    Fixed(Vec<(String, Vec<SocketAddr>)>),
}

/// That names no registry, or none that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryUrlError {
    /// It begins like none of them.
    #[error("`{0}` names no registry: it has to be {OWN}, {CONSUL}, {ETCD}, {DNS}, or {FIXED}")]
    Unknown(String),
    /// It begins like one of them and goes on otherwise.
    #[error("`{url}` is not of the form {form}: {reason}")]
    Form {
        /// The text.
        url: String,
        /// What it should look like.
        form: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// This program was built without the engine.
    #[error("`{url}`: this program was built without the feature `{feature}` of partie-mesh")]
    NotBuilt {
        /// The text.
        url: String,
        /// What to build it with.
        feature: &'static str,
    },
    /// The engine does not take it.
    #[error(transparent)]
    Misconfigured(#[from] Misconfigured),
}

impl FromStr for RegistryUrl {
    type Err = RegistryUrlError;

    fn from_str(url: &str) -> Result<Self, RegistryUrlError> {
        let one = |rest: &str, form| {
            authority(rest.strip_suffix('/').unwrap_or(rest)).map_err(|reason| malformed(url, form, reason))
        };
        if let Some(rest) = url.strip_prefix("http://") {
            return Ok(Self::Own(one(rest, OWN)?));
        }
        if let Some(rest) = url.strip_prefix("consul://") {
            return Ok(Self::Consul(one(rest, CONSUL)?));
        }
        if let Some(rest) = url.strip_prefix("etcd://") {
            let members = rest.strip_suffix('/').unwrap_or(rest).split(',').map(authority);
            let members = members.collect::<Result<_, _>>();
            return Ok(Self::Etcd(members.map_err(|reason| malformed(url, ETCD, reason))?));
        }
        if let Some(rest) = url.strip_prefix("dns:") {
            return dns(rest).map_err(|reason| malformed(url, DNS, reason));
        }
        if let Some(rest) = url.strip_prefix("static:") {
            return fixed(rest).map(Self::Fixed).map_err(|reason| malformed(url, FIXED, reason));
        }
        Err(RegistryUrlError::Unknown(url.to_owned()))
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(at) => write!(f, "http://{at}"),
            Self::Consul(at) => write!(f, "consul://{at}"),
            Self::Etcd(members) => write!(f, "etcd://{}", members.join(",")),
            Self::Dns { domain, server: None } => write!(f, "dns:{domain}"),
            Self::Dns { domain, server: Some(server) } => write!(f, "dns://{server}/{domain}"),
            Self::Fixed(services) => {
                f.write_str("static:")?;
                for (i, (name, addresses)) in services.iter().enumerate() {
                    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                    write!(f, "{}{name}={}", if i == 0 { "" } else { ";" }, addresses.join(","))?;
                }
                Ok(())
            }
        }
    }
}

fn malformed(url: &str, form: &'static str, reason: String) -> RegistryUrlError {
    RegistryUrlError::Form { url: url.to_owned(), form, reason }
}

/// `HOST:PORT`, as it was written.
fn authority(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is no HOST:PORT");
    let authority: Authority = text.parse().map_err(|_| wrong())?;
    let complete = !authority.host().is_empty() && authority.port_u16().is_some_and(|port| port != 0);
    if complete && !text.contains('@') { Ok(text.to_owned()) } else { Err(wrong()) }
}

fn dns(rest: &str) -> Result<RegistryUrl, String> {
    let (server, domain) = match rest.strip_prefix("//").map(|rest| rest.split_once('/')) {
        None => (None, rest),
        Some(None) => return Err("there is no domain behind the server".to_owned()),
        Some(Some((server, domain))) => {
            let parsed = server.parse().map_err(|_| format!("`{server}` is no IP:PORT"))?;
            (Some(parsed), domain)
        }
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if domain.strip_suffix('.').unwrap_or(domain).split('.').all(label) {
        Ok(RegistryUrl::Dns { domain: domain.to_owned(), server })
    } else {
        Err(format!("`{domain}` is no domain"))
    }
}

fn fixed(rest: &str) -> Result<Vec<(String, Vec<SocketAddr>)>, String> {
    let mut services: Vec<(String, Vec<SocketAddr>)> = Vec::new();
    for entry in rest.split(';').filter(|entry| !entry.is_empty()) {
        let (name, addresses) = entry.split_once('=').ok_or_else(|| format!("`{entry}` has no ="))?;
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '/') {
            return Err(format!("`{name}` is no name of a service"));
        }
        if services.iter().any(|(known, _)| known == name) {
            return Err(format!("`{name}` is there twice"));
        }
        let address = |text: &str| text.parse().map_err(|_| format!("`{text}` is no IP:PORT"));
        let addresses = addresses.split(',').map(address).collect::<Result<_, String>>()?;
        services.push((name.to_owned(), addresses));
    }
    if services.is_empty() { Err("there is no service in it".to_owned()) } else { Ok(services) }
}
