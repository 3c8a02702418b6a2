//! Timers that are set for every request and ring for hardly any.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, Sleep};

/// So many unused timers a thread keeps.
const KEPT: usize = 64;
/// In the place of waits that nobody can count; a program does not run that long.
const NEVER: Duration = Duration::from_hours(24 * 365 * 30);
/// Among so many of them one is looked for that need not be moved.
const LOOKED_AT: usize = 4;

thread_local! {
    static UNUSED: RefCell<Vec<(Id, Pin<Box<Sleep>>)>> = const { RefCell::new(Vec::new()) };
}

/// A timer that rings at its time. To register one with the runtime, and to take it back, costs more than the rest of it; so
/// one that is not needed any more stays as it is, for the next on its thread, best for one that rings no earlier: that rings
/// before its time then, and only then it is moved. Until it rings, or is used again, it keeps what it would have woken:
/// perhaps a task that is over.
#[derive(Debug)]
pub(crate) struct Timer {
    /// Nothing once it has been given back.
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whose it is. It rings nowhere else.
    of: Id,
    until: Instant,
}

// === impl Timer ===

impl Timer {
    /// Rings then.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`tokio::time::sleep_until`].
    pub(crate) fn at(until: Instant) -> Self {
        let of = Handle::current().id();
        let mut sleep = unused(of, until).unwrap_or_else(|| Box::pin(tokio::time::sleep_until(until)));
        if until < sleep.deadline() {
            sleep.as_mut().reset(until);
        }
        Self { sleep: Some(sleep), of, until }
    }

    /// Rings after that time; practically never, if it is too long to be counted.
    pub(crate) fn after(wait: Duration) -> Self {
        Self::at(from_now(wait))
    }

    /// Rings after that time instead, from now on.
    pub(crate) fn set(&mut self, wait: Duration) {
        let until = from_now(wait);
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
        let Some(sleep) = self.sleep.take() else { return };
        let of = self.of;
        // At the end of a thread there may be nothing left to keep it in.
        _ = UNUSED.try_with(|unused| {
            let mut unused = unused.borrow_mut();
            if unused.len() < KEPT && !sleep.is_elapsed() {
                unused.push((of, sleep));
            }
        });
    }
}

/// As tokio's timers count it.
#[expect(clippy::disallowed_methods, reason = "tokio's timers count in tokio's time")]
fn from_now(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or(now + NEVER)
}

/// One of this runtime's that nobody needs, and best one that rings no later than that.
fn unused(runtime: Id, until: Instant) -> Option<Pin<Box<Sleep>>> {
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
#[expect(clippy::disallowed_methods, reason = "tokio's timers count in tokio's time")]
mod tests {
    use std::future::poll_fn;

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
            let begun = Instant::now();
            drop(waited(begun + before * SECOND).await);
            assert_eq!(kept(), 1);
            let mut timer = Timer::at(begun + after * SECOND);
            assert_eq!(kept(), 0, "it is used again");
            rings(&mut timer).await;
            assert_eq!(begun.elapsed(), after * SECOND);
            // It has rung, and is of no use any more.
            drop(timer);
            assert_eq!(kept(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_rang_unheard_rings_again() {
        let begun = Instant::now();
        drop(waited(begun + SECOND).await);
        tokio::time::sleep(3 * SECOND).await;
        let mut timer = Timer::at(begun + 5 * SECOND);
        rings(&mut timer).await;
        assert_eq!(begun.elapsed(), 5 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_moved_either_way() {
        let begun = Instant::now();
        let mut timer = waited(begun + 2 * SECOND).await;
        timer.set(9 * SECOND);
        timer.set(4 * SECOND);
        rings(&mut timer).await;
        assert_eq!(begun.elapsed(), 4 * SECOND);
    }

    #[test]
    fn another_runtime_has_timers_of_its_own() {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (one, other) = (runtime(), runtime());
        let [first, second] = [0, 1].map(|_| one.block_on(waited(Instant::now() + SECOND)));
        drop(first);
        // What is dropped elsewhere is not that place's.
        other.block_on(async { drop(second) });
        drop(one);
        other.block_on(async {
            for _ in 0..2 {
                let mut timer = Timer::after(Duration::from_millis(1));
                rings(&mut timer).await;
            }
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_nobody_can_count_is_one() {
        let mut timer = Timer::after(Duration::MAX);
        assert!(tokio::time::timeout(SECOND, rings(&mut timer)).await.is_err());
    }

    #[tokio::test]
    async fn a_thread_keeps_so_many() {
        let mut all = Vec::new();
        for _ in 0..=KEPT {
            all.push(waited(Instant::now() + SECOND).await);
        }
        drop(all);
        assert_eq!(kept(), KEPT);
    }
}
