//! What the mesh and its listeners are given by the program they run in.

use std::future::Future;

use partie_runtime::{Activity, Ids};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// The program's handles. Cheap to clone; all parts of a program share the same ones.
#[derive(Debug, Clone)]
pub struct Handles {
    /// Where requests count as work going on.
    pub activity: Activity,
    /// Where span and request ids come from.
    pub ids: Ids,
    /// Where work goes that outlives its caller.
    pub detached: Detached,
}

/// Work that runs to its end although nobody may wait for it any more. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Detached(TaskTracker);

// === impl Handles ===

impl Default for Handles {
    fn default() -> Self {
        Self { activity: Activity::default(), ids: Ids::from_entropy(), detached: Detached::default() }
    }
}

// === impl Detached ===

impl Detached {
    /// Runs it on the current runtime.
    pub(crate) fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.0.spawn(work)
    }

    /// Ends when nothing is running. A drain waits for it before it takes the runtime away.
    pub async fn finished(&self) {
        self.0.wait().await;
    }

    /// How much is running.
    pub fn running(&self) -> usize {
        self.0.len()
    }
}

impl Default for Detached {
    fn default() -> Self {
        let tasks = TaskTracker::new();
        // A closed tracker still takes tasks; it only lets `finished` end as soon as there are none.
        tasks.close();
        Self(tasks)
    }
}
