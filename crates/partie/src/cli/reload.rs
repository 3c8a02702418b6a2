//! Reads `[gateway]` again while requests are served: when the configuration file changes, and at SIGHUP.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use clap::ArgMatches;
use partie_gateway::{Edge, Watched};
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;

use super::{configure_from, file};
use crate::config::{Config, ConfigError, Effective};
use crate::system::{Running, System};

/// Where the settings come from, to be read again and again.
pub(super) struct Source {
    defaults: Config,
    flags: ArgMatches,
    file: Watched,
    /// All settings, as they are shown: those that count, and those that will after a restart.
    known: Map<String, Value>,
}

/// Keeps the gateway by its configuration.
struct Reloader {
    source: Source,
    edge: Arc<Edge>,
    known: Mutex<Map<String, Value>>,
}

// === impl Source ===

impl Source {
    /// Made before the settings are read for the first time, and told them then.
    pub(super) fn new(system: &System, flags: &ArgMatches) -> Self {
        let (defaults, flags, file) =
            (system.defaults.clone(), flags.clone(), Watched::now(Some(file(flags))));
        Self { defaults, flags, file, known: Map::new() }
    }

    /// The settings, read anew.
    pub(super) fn read(&mut self) -> Result<Effective, ConfigError> {
        let read = configure_from(&self.defaults, &self.flags)?;
        self.known = shown(&read.config);
        Ok(read)
    }

    /// Keeps the gateway of a process by it, if that has one; goes on until it is dropped.
    pub(super) async fn keep(mut self, running: Arc<Running>) {
        let Some(edge) = running.edge().map(Arc::clone) else { return };
        drop(running);
        let (file, known) = (self.file.clone(), Mutex::new(std::mem::take(&mut self.known)));
        let reloader = Arc::new(Reloader { source: self, edge: Arc::clone(&edge), known });
        let again = || {
            let reloader = Arc::clone(&reloader);
            async move { spawn_blocking(move || reloader.reload()).await.unwrap_or_default() }
        };
        edge.keep(file, again).await;
    }
}

// === impl Reloader ===

impl Reloader {
    fn reload(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = None;
        let swapped = self.edge.reload_from(|| {
            let Source { defaults, flags, .. } = &self.source;
            let config = configure_from(defaults, flags).map_err(|error| error.to_string())?.config;
            let now = read.insert(shown(&config));
            let differs = |name: &&String| *name != "gateway" && now.get(*name) != known.get(*name);
            let names: BTreeSet<&String> = now.keys().chain(known.keys()).collect();
            Ok((config.gateway, names.into_iter().filter(differs).cloned().collect()))
        });
        // Why not is in the log.
        if let (Ok(()), Some(read)) = (swapped, read) {
            *known = read;
        }
    }
}

/// All settings by their names, secrets left out.
fn shown(config: &Config) -> Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(),
    }
}
