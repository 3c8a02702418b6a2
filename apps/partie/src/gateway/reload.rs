//! Reads the configuration again while requests are served: when its file changes, at SIGHUP, when asked to.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use partie_gateway::Edge;
use partie_telemetry::{Definition, Unit};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;

use super::config::{Config, Source};
use super::plan::Plan;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// After so many looks the names of upstreams are looked up again.
const NAMES: u32 = 30;

const RELOADS: Definition = Definition::new(
    "partie.gateway.reloads",
    Unit::Count,
    "Configurations that were read while requests were served, by what became of them",
);

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

/// What tells one state of a file from another.
type Stamp = Option<(SystemTime, u64)>;

// === impl Reloader ===

impl Reloader {
    pub(super) fn new(source: Source, config: Config, edge: Arc<Edge>) -> Self {
        Self { source, edge, state: Mutex::new(State { config, broken: None }) }
    }

    /// Goes on until it is dropped.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut seen = self.source.file().and_then(stamp);
        let mut hangups = signal(SignalKind::hangup()).ok();
        let mut looks = 0;
        loop {
            let asked = async {
                match &mut hangups {
                    Some(hangups) => hangups.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = asked => {
                    seen = self.source.file().and_then(stamp);
                    self.reload().await.ok();
                    continue;
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = self.source.file().and_then(stamp);
            // A file that is gone for a moment is about to be replaced.
            if now.is_some() && now != seen {
                seen = now;
                self.reload().await.ok();
            }
            looks += 1;
            if looks % NAMES == 0 {
                let edge = Arc::clone(&self.edge);
                if let Ok(Err(error)) = spawn_blocking(move || edge.look_again()).await {
                    tracing::info!(%error, "the addresses of before stay");
                }
            }
        }
    }

    /// Reads the configuration and goes by it, or says why not.
    pub(super) async fn reload(self: &Arc<Self>) -> Result<(), String> {
        let this = Arc::clone(self);
        let done = spawn_blocking(move || this.swap()).await;
        done.unwrap_or_else(|panic| Err(panic.to_string()))
    }

    fn swap(&self) -> Result<(), String> {
        let read = || {
            let config = self.source.read().map_err(|error| error.to_string())?;
            Plan::check(&config).map_err(|error| error.to_string())?;
            let mut later = self.edge.reload(&config.gateway).map_err(|error| error.to_string())?;
            let before = self.state().config.clone();
            for (name, differs) in [
                ("registry", before.registry != config.registry),
                ("admin", before.admin != config.admin),
                ("identity", before.identity != config.identity),
                ("mesh", before.mesh != config.mesh),
                ("title", before.title != config.title),
                ("logs", before.logs != config.logs),
            ] {
                later.extend(differs.then_some(name));
            }
            Ok((config, later))
        };
        match read() {
            Ok((config, later)) => {
                let mut state = self.state();
                (state.config, state.broken) = (config, None);
                RELOADS.counter(&[("result", "used")]).increment(1);
                tracing::info!(generation = self.edge.generation(), "another configuration counts");
                if !later.is_empty() {
                    let settings = later.join(", ");
                    tracing::warn!(settings, "these settings count only after a restart");
                }
                Ok(())
            }
            Err(reason) => {
                RELOADS.counter(&[("result", "refused")]).increment(1);
                tracing::warn!(reason, "the new configuration cannot be used, the old one stays");
                self.state().broken = Some(String::clone(&reason));
                Err(reason)
            }
        }
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

fn stamp(file: &Path) -> Stamp {
    let about = std::fs::metadata(file).ok()?;
    Some((about.modified().ok()?, about.len()))
}
