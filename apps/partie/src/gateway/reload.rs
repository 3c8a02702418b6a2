//! Reads the configuration again while requests are served: when its file changes, at SIGHUP, when asked to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partie_gateway::Edge;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::config::{Config, Source};
use super::plan::Plan;

/// Keeps the gateway by its configuration.
pub(super) struct Reloader {
    source: Source,
    edge: Arc<Edge>,
    state: Mutex<State>,
}

struct State {
    /// The one that counts.
    config: Config,
    /// Why the last one that was read does not.
    broken: Option<String>,
}

// === impl Reloader ===

impl Reloader {
    pub(super) fn new(source: Source, config: Config, edge: Arc<Edge>) -> Self {
        Self { source, edge, state: Mutex::new(State { config, broken: None }) }
    }

    /// Goes on until it is dropped.
    pub(super) async fn watch(self: Arc<Self>) {
        let again = || async { self.reload().await.unwrap_or_default() };
        Arc::clone(&self.edge).keep(self.source.watched(), again).await;
    }

    /// Reads the configuration and goes by it, or says why not.
    pub(super) async fn reload(self: &Arc<Self>) -> Result<(), String> {
        let this = Arc::clone(self);
        let done = spawn_blocking(move || this.swap()).await;
        done.unwrap_or_else(|panic| Err(panic.to_string()))
    }

    fn swap(&self) -> Result<(), String> {
        let mut read = None;
        let swapped = self.edge.reload_from(|| {
            let config = self.source.read().map_err(|error| error.to_string())?;
            Plan::check(&config).map_err(|error| error.to_string())?;
            let (gateway, before) = (config.gateway.clone(), self.state().config.clone());
            let later = [
                ("registry", before.registry != config.registry),
                ("admin", before.admin != config.admin),
                ("identity", before.identity != config.identity),
                ("mesh", before.mesh != config.mesh),
                ("title", before.title != config.title),
                ("logs", before.logs != config.logs),
            ];
            read = Some(config);
            Ok((
                gateway,
                later.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect(),
            ))
        });
        let mut state = self.state();
        state.broken = swapped.clone().err();
        if let (Ok(()), Some(config)) = (&swapped, read) {
            state.config = config;
        }
        swapped
    }

    /// The configuration that counts.
    pub(super) fn show(&self) -> Value {
        serde_json::to_value(&self.state().config).unwrap_or_default()
    }

    /// Why the last configuration that was read does not count.
    pub(super) fn broken(&self) -> Option<String> {
        self.state().broken.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
