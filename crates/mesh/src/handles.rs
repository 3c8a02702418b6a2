//! What the mesh and its listeners are given by the program they run in.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use partie_runtime::{Activity, Ids};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

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

/// Runs in the task of whoever waits for it, since almost everybody waits to the end: a task of its own would be two
/// more trips through the scheduler for each request. Dropped before the end it gets that task.
pub(crate) struct Finishing<F: Future<Output: Send> + Unpin + Send + 'static> {
    work: Option<(F, TaskTrackerToken)>,
}

// === impl Handles ===

impl Default for Handles {
    fn default() -> Self {
        Self { activity: Activity::default(), ids: Ids::from_entropy(), detached: Detached::default() }
    }
}

// === impl Detached ===

impl Detached {
    /// The work, as a future that may be dropped without stopping it.
    pub(crate) fn finishing<F>(&self, work: F) -> Finishing<F>
    where
        F: Future<Output: Send> + Unpin + Send + 'static,
    {
        Finishing { work: Some((work, self.0.token())) }
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

// === impl Finishing ===

impl<F: Future<Output: Send> + Unpin + Send + 'static> Future for Finishing<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some((work, _)) = &mut self.work else { return Poll::Pending };
        let output = ready!(Pin::new(work).poll(cx));
        self.work = None;
        Poll::Ready(output)
    }
}

impl<F: Future<Output: Send> + Unpin + Send + 'static> Drop for Finishing<F> {
    fn drop(&mut self) {
        // Without a runtime nothing runs any more.
        if let (Some((work, token)), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            runtime.spawn(async move {
                work.await;
                drop(token);
            });
        }
    }
}
