//! An edge that is kept by a configuration: read again when its file changes and at SIGHUP, while requests are served.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use partie_telemetry::{Definition, Unit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;

use super::Edge;
use crate::config::Gateway;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// After so many looks the names of upstreams are looked up again.
const NAMES: u32 = 30;

const RELOADS: Definition = Definition::new(
    "partie.gateway.reloads",
    Unit::Count,
    "Configurations that were read while requests were served, by what became of them",
);

/// A configuration file, and how it was when it was read: make it before that, and no change is missed.
#[derive(Debug, Clone)]
pub struct Watched {
    file: Option<PathBuf>,
    seen: Stamp,
}

/// What tells one state of a file from another.
type Stamp = Option<(SystemTime, u64)>;

// === impl Watched ===

impl Watched {
    /// That file as it is now, if it is there; without one there is only SIGHUP.
    pub fn now(file: Option<&Path>) -> Self {
        Self { file: file.map(Path::to_owned), seen: file.and_then(stamp) }
    }

    /// The file.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Whether it has changed since somebody asked. A file that is gone for a moment is about to be replaced.
    fn has_changed(&mut self) -> bool {
        let now = self.file().and_then(stamp);
        let changed = now.is_some() && now != self.seen;
        if changed {
            self.seen = now;
        }
        changed
    }
}

// === impl Edge ===

impl Edge {
    /// Has the configuration read again with `reload` when that file changes, when it comes to be, and at SIGHUP; and now and
    /// then looks up the names of upstreams again. Goes on until it is dropped. Call it inside a tokio runtime.
    pub async fn keep<F: Future<Output = ()>>(self: Arc<Self>, mut file: Watched, reload: impl Fn() -> F) {
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
                    file.has_changed();
                    reload().await;
                    continue;
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            if file.has_changed() {
                reload().await;
            }
            looks += 1;
            if looks % NAMES == 0 {
                let edge = Arc::clone(&self);
                if let Ok(Err(error)) = spawn_blocking(move || edge.look_again()).await {
                    tracing::info!(%error, "the addresses of before stay");
                }
            }
        }
    }

    /// Reads a configuration and goes by it, or by the old one: `read` gives the settings of the edge, with the names of all
    /// others that differ, which count only after a restart. What came of it is logged and counted. Blocks; call it inside a
    /// tokio runtime.
    ///
    /// # Errors
    /// Why it cannot be used, in one line. Then nothing has changed.
    pub fn reload_from(
        &self,
        read: impl FnOnce() -> Result<(Gateway, Vec<String>), String>,
    ) -> Result<(), String> {
        let swapped = read().and_then(|(config, others)| {
            let own = self.reload(&config).map_err(|error| error.to_string())?;
            Ok(own.into_iter().map(str::to_owned).chain(others).collect::<Vec<_>>())
        });
        match swapped {
            Ok(later) => {
                RELOADS.counter(&[("result", "used")]).increment(1);
                tracing::info!(generation = self.generation(), "another configuration counts");
                if !later.is_empty() {
                    let settings = later.join(", ");
                    tracing::warn!(settings, "these settings count only after a restart");
                }
                Ok(())
            }
            Err(reason) => {
                RELOADS.counter(&[("result", "refused")]).increment(1);
                tracing::warn!(reason, "the new configuration cannot be used, the old one stays");
                Err(reason)
            }
        }
    }
}

fn stamp(file: &Path) -> Stamp {
    let about = std::fs::metadata(file).ok()?;
    Some((about.modified().ok()?, about.len()))
}
