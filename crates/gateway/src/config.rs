//! The gateway's settings.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use partie_mesh::{BindError, Handles, Limits, Listener, ServerTls, TlsFiles};
use partie_runtime::duration;
use serde::{Deserialize, Serialize};

/// Settings of the edge. [`build`](Self::build) makes it.
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
