//! A socket beside the system's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use partie_mesh::{BindError, Listener, Serve};
use partie_runtime::Stop;
use tokio::task::JoinHandle;

/// How long to wait before an address is tried again that another process has.
const TAKEN: Duration = Duration::from_millis(100);

/// A socket beside the system's own, served until it is closed or dropped. The system does without it.
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
        let serving = tokio::spawn(run(name, listener, serve, stop.clone()));
        Self { name, address, stop, serving }
    }

    /// Serves where `bind` listens, if it does: from now on, or, if another process has the address that may be about to go,
    /// from when it is free.
    ///
    /// # Errors
    /// When the address cannot be listened on at all.
    pub(super) fn open_when_free(
        name: &'static str,
        bind: impl Fn() -> Result<Option<Listener>, BindError> + Send + 'static,
        serve: Arc<dyn Serve>,
    ) -> Result<Option<Self>, BindError> {
        let address = match bind() {
            Ok(listener) => return Ok(listener.map(|listener| Self::open(name, listener, serve))),
            Err(BindError::Taken { address }) => address,
            Err(error) => return Err(error),
        };
        tracing::warn!(%address, "{name} waits for an address that another process has");
        let stop = Stop::default();
        let told = stop.clone();
        let serving = tokio::spawn(async move {
            let listener = loop {
                tokio::select! {
                    () = told.stopped() => return,
                    () = tokio::time::sleep(TAKEN) => {}
                }
                match bind() {
                    Ok(Some(listener)) => break listener,
                    Ok(None) => return,
                    Err(BindError::Taken { .. }) => {}
                    Err(error) => return tracing::error!(%error, "{name} does not open"),
                }
            };
            run(name, listener, serve, told).await;
        });
        Ok(Some(Self { name, address, stop, serving }))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers those who are here already.
    pub(super) async fn close(mut self) {
        self.stop.stop();
        if let Err(error) = (&mut self.serving).await {
            tracing::error!(%error, "{} died", self.name);
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn run(name: &'static str, listener: Listener, serve: Arc<dyn Serve>, stop: Stop) {
    if let Err(error) = listener.run(serve, stop).await {
        tracing::error!(%error, "{name} is gone");
    }
}
