//! Tells what runs in the background to end, and waits until it has.

use std::future::Future;

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;

/// One stage of a drain: tasks that are told to stop together. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    tasks: TaskTracker,
}

// === impl Stop ===

impl Stop {
    /// Runs a task that the stage waits for. The task watches [`stopped`](Self::stopped) itself.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(task);
    }

    /// Ends when the stage is told to stop.
    pub fn stopped(&self) -> WaitForCancellationFutureOwned {
        self.token.clone().cancelled_owned()
    }

    /// Whether the stage was told to stop.
    pub fn is_stopped(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Tells the tasks to stop.
    pub fn stop(&self) {
        self.token.cancel();
        self.tasks.close();
    }

    /// Tells the tasks to stop and waits until they have.
    pub async fn finish(&self) {
        self.stop();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn finishing_waits_for_the_tasks() {
        let stop = Stop::default();
        let ended = Arc::new(AtomicBool::new(false));
        stop.spawn({
            let (stopped, ended) = (stop.stopped(), Arc::clone(&ended));
            async move {
                stopped.await;
                tokio::task::yield_now().await;
                ended.store(true, Ordering::SeqCst);
            }
        });
        stop.finish().await;
        assert!(ended.load(Ordering::SeqCst) && stop.is_stopped());
    }
}
