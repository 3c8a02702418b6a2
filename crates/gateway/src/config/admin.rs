//! Where those who run a program find out how it does.

use std::net::SocketAddr;

use partie_mesh::{BindError, Handles, Limits, Listener};
use serde::{Deserialize, Serialize};

/// Where those who run a program find out how it does. There is no such place unless `listen` says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct AdminConfig {
    /// Where it listens, without TLS. Off loopback it shows health and metrics only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
}

// === impl AdminConfig ===

impl AdminConfig {
    /// Its listener, if there is to be one.
    ///
    /// # Errors
    /// When the port is taken, or cannot be listened on.
    pub fn bind(&self, handles: &Handles) -> Result<Option<Listener>, BindError> {
        self.listen.map(|at| Listener::bind(at, Limits::default(), 0, handles.clone())).transpose()
    }
}
