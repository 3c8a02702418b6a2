//! When a listener has too much to do: requests it refuses at once, so that it answers the others in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use partie_contract::{FaultKind, Platform, Request, Response, wire};

use super::limits::Limits;
use crate::ticks::Ticks;

/// How often a worker feels its pulse while there are requests.
const BEAT: Duration = Duration::from_millis(10);
/// It stops after so many beats without a request: a worker without requests sleeps.
const SILENT_BEATS: u32 = 100;
/// The limit on requests under way never goes below this (Netflix's limits have the same).
const LEAST: u32 = 20;
/// A late answer takes a tenth off the limit, at most once in this time: those it was too much for come late together.
const NEXT_CUT: Duration = Duration::from_millis(50);

/// What one worker knows of the pressure on it.
///
/// Two queues can grow without anybody seeing them. One is that of a worker that has more to compute than time: requests
/// wait in their sockets until their task has its turn. A pulse, a timer that waits for its turn as they do, shows how
/// long that takes. The other is that of requests that wait for something else, such as a pool of threads: answers that
/// come after their deadline show that there are too many. The limit then sinks by a tenth, and rises by one for every
/// limit's worth of answers in time (AIMD, as in TCP and Netflix's `concurrency-limits`).
pub(super) struct Pressure {
    /// How late the pulse may be.
    lag: Duration,
    pulse: Arc<Pulse>,
    crowd: Arc<Crowd>,
}

/// When the next beat is due, and whether anybody listens.
#[derive(Default)]
struct Pulse {
    due: AtomicU64,
    beating: AtomicBool,
    requests: AtomicU32,
}

/// The requests under way of all workers of a listener.
pub(super) struct Crowd {
    most: u32,
    /// In thousandths, so that it can rise by parts of one.
    limit: AtomicU64,
    under_way: AtomicU32,
    last_cut: AtomicU64,
}

/// A request that was admitted, until its answer is known.
pub(super) struct Place(Option<Arc<Crowd>>);

// === impl Pressure ===

impl Pressure {
    pub(super) fn new(limits: &Limits, crowd: &Arc<Crowd>) -> Self {
        Self { lag: limits.lag, pulse: Arc::default(), crowd: Arc::clone(crowd) }
    }

    /// A place for the request, or the refusal: before anything of it was looked at that costs.
    pub(super) fn admit(&self, request: &Request) -> Result<Place, Platform> {
        if is_vital(request.uri().path()) {
            return Ok(Place(None));
        }
        if !self.lag.is_zero() && self.pulse.feel() > self.lag {
            return Err(too_much("a request waits too long for its turn here"));
        }
        // Whoever waits for news takes no part in the crowd.
        if request.headers().contains_key(wire::PREFER) {
            return Ok(Place(None));
        }
        self.crowd.enter().map(|()| Place(Some(Arc::clone(&self.crowd))))
    }
}

/// What has to be answered under any pressure: whoever watches must be able to tell it from death.
fn is_vital(path: &str) -> bool {
    path.starts_with("/health") || path == "/metrics" || path.starts_with("/grpc.health.v1.")
}

fn too_much(detail: &'static str) -> Platform {
    Platform::new(FaultKind::Overloaded).with_detail(detail)
}

// === impl Pulse ===

impl Pulse {
    /// How late it is. The first to ask starts it.
    fn feel(self: &Arc<Self>) -> Duration {
        let now = Ticks::now();
        self.requests.fetch_add(1, Ordering::Relaxed);
        if !self.beating.swap(true, Ordering::AcqRel) {
            self.due.store(now.after(BEAT).as_nanos(), Ordering::Relaxed);
            tokio::spawn(Arc::clone(self).beat());
            return Duration::ZERO;
        }
        now.since(Ticks::from_nanos(self.due.load(Ordering::Relaxed)))
    }

    async fn beat(self: Arc<Self>) {
        let mut silent = 0;
        while silent < SILENT_BEATS {
            self.due.store(Ticks::now().after(BEAT).as_nanos(), Ordering::Relaxed);
            tokio::time::sleep(BEAT).await;
            silent = if self.requests.swap(0, Ordering::Relaxed) == 0 { silent + 1 } else { 0 };
        }
        self.beating.store(false, Ordering::Release);
    }
}

// === impl Crowd ===

impl Crowd {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        let most = u32::try_from(limits.in_flight).unwrap_or(u32::MAX).max(1);
        let (limit, under_way) = (AtomicU64::new(u64::from(most) * 1_000), AtomicU32::new(0));
        Arc::new(Self { most, limit, under_way, last_cut: AtomicU64::new(0) })
    }

    fn enter(&self) -> Result<(), Platform> {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        if before >= self.limit() {
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            return Err(too_much("as many requests as can be answered in time are under way"));
        }
        Ok(())
    }

    fn limit(&self) -> u32 {
        u32::try_from(self.limit.load(Ordering::Relaxed) / 1_000).unwrap_or(u32::MAX)
    }

    /// An answer is there, in time or not. With few requests under way their number is not why it is late.
    fn answered(&self, late: bool, now: Ticks) {
        if self.under_way.load(Ordering::Relaxed) * 2 < self.limit() {
            return;
        }
        let (least, most) = (u64::from(LEAST.min(self.most)) * 1_000, u64::from(self.most) * 1_000);
        let last = self.last_cut.load(Ordering::Relaxed);
        let change = |limit: u64| {
            Some(if late {
                (limit / 10 * 9).max(least)
            } else {
                (limit + 1_000_000 / limit.max(1)).min(most)
            })
        };
        if late {
            let due = now.since(Ticks::from_nanos(last)) >= NEXT_CUT;
            let now = now.as_nanos();
            let ours = due
                && self.last_cut.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
            if !ours {
                return;
            }
        }
        // It cannot fail: there is always something to write.
        self.limit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).ok();
    }
}

// === impl Place ===

impl Place {
    /// The answer is known.
    pub(super) fn answered(&self, answer: &Response) {
        let Some(crowd) = &self.0 else { return };
        // Whoever waited for somebody else to the end would have done so with few requests too.
        let late =
            answer.status() == StatusCode::GATEWAY_TIMEOUT && !answer.headers().contains_key(wire::FAULT);
        if late || crowd.under_way.load(Ordering::Relaxed) > LEAST {
            crowd.answered(late, Ticks::now());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(crowd) = &self.0 {
            crowd.under_way.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(in_flight: usize) -> Arc<Crowd> {
        Crowd::new(&Limits { in_flight, ..Limits::default() })
    }

    #[test]
    fn the_limit_sinks_with_late_answers_and_rises_with_others() {
        let crowd = crowd(1_000);
        let mut now = Ticks::from_nanos(1);
        crowd.answered(true, now);
        assert_eq!(crowd.limit(), 1_000, "nobody is there whose number could be the reason");
        crowd.under_way.store(900, Ordering::Relaxed);
        let mut seen = Vec::new();
        for _ in 0..50 {
            now = now.after(NEXT_CUT);
            crowd.answered(true, now);
            crowd.answered(true, now);
            seen.push(crowd.limit());
        }
        assert_eq!(&seen[..3], [900, 810, 729], "those that are late together count once");
        assert_eq!(crowd.limit(), LEAST);
        assert!(crowd.enter().is_err());
        crowd.under_way.store(LEAST, Ordering::Relaxed);
        (0..10_000).for_each(|_| crowd.answered(false, now));
        assert!((21..=41).contains(&crowd.limit()), "as far as there is use for it: {}", crowd.limit());
    }

    #[test]
    fn places_are_given_back() {
        let crowd = crowd(2);
        let place = || crowd.enter().map(|()| Place(Some(Arc::clone(&crowd))));
        let (first, _second) = (place().unwrap(), place().unwrap());
        assert!(place().is_err());
        drop(first);
        assert!(place().is_ok());
    }

    #[tokio::test]
    async fn a_worker_that_has_no_time_for_its_pulse_feels_it() {
        let pulse = Arc::new(Pulse::default());
        assert_eq!(pulse.feel(), Duration::ZERO);
        // Nobody else has a turn meanwhile.
        std::thread::sleep(BEAT * 8);
        assert!(pulse.feel() >= BEAT * 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pulse_that_nobody_feels_stops() {
        let pulse = Arc::new(Pulse::default());
        for _ in 0..2 {
            assert_eq!(pulse.feel(), Duration::ZERO);
            tokio::time::sleep(BEAT * 3).await;
            assert_eq!(pulse.feel(), Duration::ZERO, "it beats");
            tokio::time::sleep(BEAT * SILENT_BEATS * 2).await;
            assert!(!pulse.beating.load(Ordering::Acquire));
        }
    }
}
