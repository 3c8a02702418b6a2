//! Timers that are set for every request and ring for hardly any.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, Sleep};

/// So many unused timers a thread keeps.
const KEPT: usize = 64;
/// Among so many of them one is looked for that need not be moved.
const LOOKED_AT: usize = 4;

thread_local! {
    static UNUSED: RefCell<Vec<(Id, Pin<Box<Sleep>>)>> = const { RefCell::new(Vec::new()) };
}

/// A timer that rings at its time. To register one with the runtime, and to take it back, costs more than the rest of it; so
/// one that is not needed any more stays as it is, for the next that rings no earlier. Then it rings before its time, and only
/// then it is moved.
#[derive(Debug)]
pub(crate) struct Timer {
    /// Nothing once it has been given back.
    sleep: Option<Pin<Box<Sleep>>>,
    until: Instant,
}

// === impl Timer ===

impl Timer {
    /// Rings then.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`tokio::time::sleep_until`].
    pub(crate) fn at(until: Instant) -> Self {
        let mut sleep = unused(until).unwrap_or_else(|| Box::pin(tokio::time::sleep_until(until)));
        if until < sleep.deadline() {
            sleep.as_mut().reset(until);
        }
        Self { sleep: Some(sleep), until }
    }

    /// Rings then instead.
    pub(crate) fn set(&mut self, until: Instant) {
        self.until = until;
        if let Some(sleep) = &mut self.sleep
            && until < sleep.deadline()
        {
            sleep.as_mut().reset(until);
        }
    }

    /// Ready when it has rung.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = &mut self.sleep else { return Poll::Ready(()) };
        ready!(sleep.as_mut().poll(cx));
        while sleep.deadline() < self.until {
            sleep.as_mut().reset(self.until);
            ready!(sleep.as_mut().poll(cx));
        }
        Poll::Ready(())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let (Some(sleep), Ok(runtime)) = (self.sleep.take(), Handle::try_current()) else { return };
        // At the end of a thread there may be nothing left to keep it in.
        _ = UNUSED.try_with(|unused| {
            let mut unused = unused.borrow_mut();
            if unused.len() < KEPT && !sleep.is_elapsed() {
                unused.push((runtime.id(), sleep));
            }
        });
    }
}

/// As tokio's timers count it.
#[expect(clippy::disallowed_methods, reason = "tokio's timers count in tokio's time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// One of this runtime's that nobody needs, and best one that rings no later than that.
fn unused(until: Instant) -> Option<Pin<Box<Sleep>>> {
    let runtime = Handle::current().id();
    UNUSED.with(|unused| {
        let mut unused = unused.borrow_mut();
        let mut recent = unused.iter().enumerate().rev().take(LOOKED_AT);
        let fits = recent.find(|(_, (of, sleep))| *of == runtime && sleep.deadline() <= until);
        match fits {
            Some((at, _)) => Some(unused.swap_remove(at).1),
            None => unused.pop_if(|(of, _)| *of == runtime).map(|(_, sleep)| sleep),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn rings(timer: &mut Timer) {
        poll_fn(|cx| timer.poll(cx)).await;
    }

    /// One that was waited for in vain.
    async fn waited(until: Instant) -> Timer {
        let mut timer = Timer::at(until);
        assert!(tokio::time::timeout(Duration::ZERO, rings(&mut timer)).await.is_err());
        timer
    }

    fn kept() -> usize {
        UNUSED.with(|unused| unused.borrow().len())
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_was_used_rings_at_the_new_time() {
        for (before, after) in [(1, 5), (5, 1), (5, 5)] {
            let begun = now();
            drop(waited(begun + before * SECOND).await);
            assert_eq!(kept(), 1);
            let mut timer = Timer::at(begun + after * SECOND);
            assert_eq!(kept(), 0, "it is used again");
            rings(&mut timer).await;
            assert_eq!(now() - begun, after * SECOND);
            // It has rung, and is of no use any more.
            drop(timer);
            assert_eq!(kept(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_rang_unheard_rings_again() {
        let begun = now();
        drop(waited(begun + SECOND).await);
        tokio::time::sleep(3 * SECOND).await;
        let mut timer = Timer::at(begun + 5 * SECOND);
        rings(&mut timer).await;
        assert_eq!(now() - begun, 5 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_moved_either_way() {
        let begun = now();
        let mut timer = waited(begun + 2 * SECOND).await;
        timer.set(begun + 9 * SECOND);
        timer.set(begun + 4 * SECOND);
        rings(&mut timer).await;
        assert_eq!(now() - begun, 4 * SECOND);
    }

    #[test]
    fn another_runtime_has_timers_of_its_own() {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (one, other) = (runtime(), runtime());
        one.block_on(async { drop(waited(now() + SECOND).await) });
        drop(one);
        other.block_on(async {
            let mut timer = Timer::at(now() + Duration::from_millis(1));
            rings(&mut timer).await;
        });
    }

    #[tokio::test]
    async fn a_thread_keeps_so_many() {
        let mut all = Vec::new();
        for _ in 0..=KEPT {
            all.push(waited(now() + SECOND).await);
        }
        drop(all);
        assert_eq!(kept(), KEPT);
    }
}
