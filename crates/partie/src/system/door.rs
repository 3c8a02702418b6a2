//! A socket beside the system's own.

use std::net::SocketAddr;
use std::sync::Arc;

use partie_mesh::{Listener, Serve};
use partie_runtime::Stop;
use tokio::task::JoinHandle;

/// A socket beside the system's own, served until it is closed. The system does without it.
#[derive(Debug)]
pub(crate) struct Door {
    name: &'static str,
    address: SocketAddr,
    stop: Stop,
    serving: JoinHandle<()>,
}

// === impl Door ===

impl Door {
    /// Serves from now on. The name is for the log.
    pub(super) fn open(name: &'static str, listener: Listener, serve: Arc<dyn Serve>) -> Self {
        let (address, stop) = (listener.local_addr(), Stop::default());
        let running = listener.run(serve, stop.clone());
        let serving = tokio::spawn(async move {
            if let Err(error) = running.await {
                tracing::error!(%error, "{name} is gone");
            }
        });
        Self { name, address, stop, serving }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers those who are here already.
    pub(super) async fn close(self) {
        self.stop.stop();
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "{} died", self.name);
        }
    }
}
