//! A bound on how long work may take. It costs nothing until the work has to wait.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use partie_contract::Deadline;
use tokio::task::coop::unconstrained;

use crate::timer::Timer;

/// Until when work may take.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// Until then.
    At(Deadline),
    /// So long from when the work first waits: most does not, and is spared the look at the clock.
    After(Duration),
}

/// The output of work that ends in time; nothing if it does not. Work that ends at once never sees a timer.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Limited<F> {
    work: F,
    limit: Limit,
    timer: Option<Timer>,
}

// === impl Limited ===

impl<F: Future + Unpin> Limited<F> {
    /// That work, so long.
    pub fn new(limit: Limit, work: F) -> Self {
        Self { work, limit, timer: None }
    }
}

impl<F: Future + Unpin> Future for Limited<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = Pin::new(&mut self.work).poll(cx) {
            return Poll::Ready(Some(output));
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| match limit {
            Limit::At(deadline) => Timer::at(deadline.instant().into()),
            Limit::After(wait) => Timer::after(wait),
        });
        // Work that has used up the task's turns must not keep the time from passing.
        let mut rings = unconstrained(poll_fn(|cx| timer.poll(cx)));
        Pin::new(&mut rings).poll(cx).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_is_given_up_when_its_time_is_over() {
        let second = Duration::from_secs(1);
        for limit in [Limit::After(second), Limit::At(Deadline::after(second))] {
            assert_eq!(Limited::new(limit, ready(7)).await, Some(7));
            assert_eq!(Limited::new(limit, pending::<()>()).await, None);
        }
        let busy = std::pin::pin!(async {
            loop {
                tokio::task::coop::consume_budget().await;
            }
        });
        assert_eq!(
            Limited::<Pin<&mut dyn Future<Output = ()>>>::new(Limit::After(Duration::ZERO), busy).await,
            None
        );
    }
}
