//! Where operations run that have held up their thread: on threads of their own, so that others keep theirs.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;

use partie_contract::{FaultKind, Platform, Response};
use partie_runtime::Compute;
use tokio::runtime::Handle;

/// Requests that may wait for a thread of the lane.
const QUEUE: usize = 64;

/// Threads for operations that compute where they should await. They come about with the first one.
#[derive(Debug, Default)]
pub(crate) struct SlowLane(OnceLock<Compute>);

// === impl SlowLane ===

impl SlowLane {
    /// Answers on a thread of the lane, timers and sockets still being those of the calling runtime. A full queue is an
    /// answer too.
    pub(super) async fn answer(&self, work: impl Future<Output = Response> + Send + 'static) -> Response {
        let here = Handle::current();
        let work = move || catch_unwind(AssertUnwindSafe(|| here.block_on(work)));
        let answered = match self.threads() {
            Some(threads) => threads.run(work).await.ok(),
            None => None,
        };
        match answered {
            Some(Ok(answer)) => answer,
            // It panics where it would have.
            Some(Err(panic)) => resume_unwind(panic),
            None => {
                let fault = Platform::new(FaultKind::Overloaded)
                    .with_detail("operations that hold up their thread have to wait for one");
                fault.into_response(None, None)
            }
        }
    }

    fn threads(&self) -> Option<&Compute> {
        if self.0.get().is_none() {
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
            // Of two who come at once, one keeps his.
            self.0.set(Compute::start(cores, QUEUE).ok()?).ok();
        }
        self.0.get()
    }
}
