//! `--chaos SEED`: what can go wrong goes wrong now and then, on purpose, and what became of it is counted.
//!
//! For development only. It sits behind seams that are there anyway: around the broker, around what a service serves, and in
//! the supervisor. Nothing else knows of it. From a seed follow the decisions, each part with a sequence of its own; which
//! event or call they fall on follows from how the threads take turns.

mod broker;
mod calls;
mod tally;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use partie_mesh::Serve;
use partie_messaging::Broker;
use partie_runtime::Ids;

use self::broker::ChaosBroker;
use self::calls::ChaosServe;
pub(crate) use self::tally::{Tally, count, table};

/// Where processes leave their counts, in the data directory.
pub(crate) const COUNTS: &str = "chaos";
/// How often. Whoever is killed takes at most so much along.
const EVERY: Duration = Duration::from_secs(1);

/// The mischief of one process. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Chaos {
    seed: u64,
    tally: Arc<Tally>,
}

// === impl Chaos ===

impl Chaos {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, tally: Arc::default() }
    }

    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Numbers for one part of the mischief, the same for the same seed.
    pub(crate) fn dice(&self, part: &str) -> Ids {
        let mixed = part.bytes().fold(self.seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Ids::seeded(mixed)
    }

    /// Around what carries the events.
    pub(crate) fn broker(&self, inner: Arc<dyn Broker>) -> Arc<dyn Broker> {
        Arc::new(ChaosBroker::new(inner, self.dice("broker"), Arc::clone(&self.tally)))
    }

    /// Around what a service serves.
    pub(crate) fn serve(&self, service: &str, inner: Arc<dyn Serve>) -> Arc<dyn Serve> {
        Arc::new(ChaosServe::new(inner, self.dice(service), Arc::clone(&self.tally)))
    }

    /// Leaves the counts there every second, for whoever outlives this process.
    pub(crate) async fn keep_leaving(self, part: String, data: PathBuf) {
        let mut every = tokio::time::interval(EVERY);
        loop {
            every.tick().await;
            self.leave(&part, &data);
        }
    }

    /// Leaves the counts there.
    pub(crate) fn leave(&self, part: &str, data: &Path) {
        let dir = data.join(COUNTS);
        let file = dir.join(format!("{part}-{}.json", std::process::id()));
        let counts = serde_json::to_vec(&*self.tally).unwrap_or_default();
        if let Err(error) = std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(file, counts)) {
            tracing::warn!(%error, "the counts of the chaos are not written down");
        }
    }
}
