//! Where those who run a program find out how it does.

use std::net::SocketAddr;
use std::time::Duration;

use partie_mesh::{BindError, Handles, Limits, Listener};
use serde::{Deserialize, Serialize};

/// How long a request may take to end once the program has nothing else to do.
const DRAIN: Duration = Duration::from_secs(1);

/// Where those who run a program find out how it does. There is no such place unless `listen` says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct AdminConfig {
    /// Where it listens, without TLS. What changes the program, or tells more than health and metrics, is for programs of the
    /// same machine.
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
        // Whoever watches has to be told under any pressure, and nobody waits long for that in the end.
        let limits =
            Limits { lag: Duration::ZERO, lame_duck: Duration::ZERO, drain: DRAIN, ..Limits::default() };
        self.listen.map(|at| Listener::bind(at, limits, 0, handles.clone())).transpose()
    }
}
