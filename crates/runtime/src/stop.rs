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

    /// A part of this stage: it stops with it, or before it. The stage waits for the part's tasks too, however they were
    /// stopped.
    pub fn part(&self) -> Self {
        Self { token: self.token.child_token(), tasks: self.tasks.clone() }
    }

    /// Tells the tasks to stop, of a part only its own.
    pub fn stop(&self) {
        self.token.cancel();
    }

    /// Tells the tasks to stop and waits until they have, and those of all its parts.
    pub async fn finish(&self) {
        self.stop();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_part_stops_alone_or_with_the_whole_and_is_waited_for() {
        let stage = Stop::default();
        let (first, second) = (stage.part(), stage.part());
        let ended = Arc::new(AtomicBool::new(false));
        second.spawn({
            let (stopped, ended) = (second.stopped(), Arc::clone(&ended));
            async move {
                stopped.await;
                tokio::task::yield_now().await;
                ended.store(true, Ordering::SeqCst);
            }
        });
        first.stop();
        assert!(first.is_stopped() && !second.is_stopped() && !stage.is_stopped());
        stage.finish().await;
        assert!(ended.load(Ordering::SeqCst) && second.is_stopped());
    }

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
