//! Where operations run that have held up their thread: on threads of their own, so that others keep theirs.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use partie_contract::{FaultKind, Platform, Response};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;

/// Requests that may be in the lane.
const ROOM: usize = 64;

/// Threads for operations that compute where they should await. They come about with the first one.
///
/// An operation has a thread only while it computes: one that awaits another, in this lane too, holds up nobody.
#[derive(Debug)]
pub(crate) struct SlowLane {
    threads: OnceLock<Threads>,
    room: Semaphore,
}

/// They end without being waited for.
#[derive(Debug)]
struct Threads(Option<Runtime>);

/// Work whose timers and sockets are those of another runtime than that of the thread it is on.
struct Guest<F> {
    home: Handle,
    work: Pin<Box<F>>,
}

// === impl SlowLane ===

impl SlowLane {
    /// Answers on a thread of the lane, timers and sockets still being those of the calling runtime. A full lane is an
    /// answer too.
    pub(super) async fn answer(&self, work: impl Future<Output = Response> + Send + 'static) -> Response {
        let (room, threads) = (self.room.try_acquire(), self.threads());
        let (Ok(_room), Some(threads)) = (room, threads) else {
            let fault = Platform::new(FaultKind::Overloaded)
                .with_detail("operations that hold up their thread have to wait for one");
            return fault.into_response(None, None);
        };
        let guest = Guest { home: Handle::current(), work: Box::pin(work) };
        match threads.spawn(guest).await {
            Ok(answer) => answer,
            // It panics where it would have.
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Platform::new(FaultKind::Overloaded).into_response(None, None),
            },
        }
    }

    fn threads(&self) -> Option<&Handle> {
        if self.threads.get().is_none() {
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
            let runtime = Builder::new_multi_thread().worker_threads(cores).thread_name("slow-lane").build();
            // Of two who come at once, one keeps his.
            self.threads.set(Threads(Some(runtime.ok()?))).ok();
        }
        Some(self.threads.get()?.0.as_ref()?.handle())
    }
}

impl Default for SlowLane {
    fn default() -> Self {
        Self { threads: OnceLock::new(), room: Semaphore::new(ROOM) }
    }
}

// === impl Threads ===

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

// === impl Guest ===

impl<F: Future> Future for Guest<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { home, work } = &mut *self;
        let _at_home = home.enter();
        work.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    fn answer(text: &'static str) -> Response {
        Response::new(partie_contract::Body::from(text))
    }

    #[tokio::test]
    async fn operations_that_wait_for_each_other_in_the_lane_get_on() {
        let lane = Arc::new(SlowLane::default());
        // More than there are threads, each waiting for one that comes later, and for a timer of this runtime.
        let waiting = |lane: Arc<SlowLane>| async move {
            let inner = lane.answer(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                answer("inner")
            });
            inner.await
        };
        let all: Vec<_> = (0..ROOM / 4).map(|_| lane.answer(waiting(Arc::clone(&lane)))).collect();
        let all = tokio::time::timeout(Duration::from_secs(20), futures_util::future::join_all(all)).await;
        assert_eq!(all.expect("nobody gets on").len(), ROOM / 4);
    }

    #[tokio::test]
    async fn a_full_lane_says_so() {
        let lane = SlowLane::default();
        let _all = lane.room.acquire_many(64).await.unwrap();
        assert_eq!(lane.answer(async { answer("late") }).await.status(), 503);
    }
}
