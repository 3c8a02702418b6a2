//! The gateway's settings.

mod admin;
mod compression;
mod cors;
mod network;
mod rate;
mod route;
mod upstream;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use partie_mesh::{BindError, Handles, Limits, Listener, ServerTls, TlsFiles};
use partie_runtime::duration;
use serde::{Deserialize, Serialize};

pub use self::admin::AdminConfig;
pub use self::compression::CompressionConfig;
pub use self::cors::CorsConfig;
pub use self::network::{Network, NotANetwork};
pub use self::rate::{NotARate, Rate, RatesConfig};
pub use self::route::{Lenience, RouteAccess, RouteConfig, Sticky, To};
pub use self::upstream::UpstreamConfig;

/// Settings of the edge. [`build`](Self::build) makes it.
///
/// What has to do with the socket (`listen`, `workers`, `limits`) holds until the gateway starts again; everything else
/// may be [changed](crate::Edge::reload) while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gateway {
    /// Where it listens. Port 0 is any free port.
    pub listen: SocketAddr,
    /// Threads, each with its own socket. One for each core by default; 0 is none but the runtime that runs it.
    pub workers: Option<usize>,
    /// What connections may do.
    pub limits: Limits,
    /// Set, it speaks TLS with these certificates, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// The largest request body, in bytes. More is a 413.
    pub body: usize,
    /// How long an operation may take that does not say so itself.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How long an operation may take whatever it says. `Prefer: wait=N` comes on top, up to 30 s.
    #[serde(with = "duration")]
    pub longest_timeout: Duration,
    /// Proxies in front of this gateway. They, and nobody else, are believed when they say who the client is.
    pub trusted_proxies: Vec<Network>,
    /// Whether every request is logged at level info, not failures of ours alone.
    pub access_log: bool,
    /// Which pages of its own the gateway shows. An address that is not shown is free for routes.
    pub pages: Vec<Page>,
    /// How many requests a client may send. Nobody counts them unless this says so.
    pub rates: RatesConfig,
    /// What pages of other origins may do. Nothing unless this says so.
    pub cors: Option<CorsConfig>,
    /// Which answers are compressed. None unless this says so.
    pub compression: Option<CompressionConfig>,
    /// Programs that routes lead to, by name. A name that is not here is that of a service.
    pub upstreams: BTreeMap<String, UpstreamConfig>,
    /// What leads where, beyond what contracts say. Contracts go first.
    pub routes: Vec<RouteConfig>,
}

/// A page of the gateway's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Page {
    /// `/health`: alive.
    Health,
    /// `/health/ready`: able to do its work, service by service.
    Ready,
    /// `/metrics`, in Prometheus' text format.
    Metrics,
    /// `/.well-known/jwks.json`: the public keys of the tokens the system issues.
    Jwks,
    /// `/openapi.json`: everything behind the gateway, described.
    Openapi,
    /// `/docs`: the same for people.
    Docs,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            workers: None,
            limits: Limits::default(),
            tls: None,
            body: 1 << 20,
            timeout: Duration::from_secs(10),
            longest_timeout: Duration::from_secs(30),
            trusted_proxies: Vec::new(),
            access_log: false,
            pages: Page::ALL.to_vec(),
            rates: RatesConfig::default(),
            cors: None,
            compression: None,
            upstreams: BTreeMap::new(),
            routes: Vec::new(),
        }
    }
}

// === impl Gateway ===

impl Gateway {
    /// Binds the sockets of the edge.
    ///
    /// # Errors
    /// When the address is taken, or cannot be listened on, or its certificates cannot be used.
    pub fn bind(&self, handles: Handles) -> Result<Listener, BindError> {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let workers = self.workers.unwrap_or_else(cores);
        self.show(Listener::bind(self.listen, self.limits.clone(), workers, handles)?)
    }

    /// The listener, with the certificates of the edge if it has any.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn show(&self, listener: Listener) -> Result<Listener, BindError> {
        Ok(match &self.tls {
            Some(files) => listener.with_tls(ServerTls::open(files.clone())?),
            None => listener,
        })
    }
}

// === impl Page ===

impl Page {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Health, Self::Ready, Self::Metrics, Self::Jwks, Self::Openapi, Self::Docs];
}
