//! One instance as a caller sees it: the way there, how fast it answers, and how it has been lately.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::load::PeakEwma;
use crate::discovery::{Instance, USUAL_WEIGHT};
use crate::resilience::Breaker;
use crate::ticks::Ticks;
use crate::transport::Remote;

/// A cost no measured instance has: nobody has answered yet, and one call is finding out how long it takes.
const UNKNOWN: f32 = 1e18;
/// The share a new instance begins with.
const FIRST_SHARE: f32 = 0.1;

/// An instance. Lives as long as it is in the list, across changes of the list.
pub(crate) struct Endpoint {
    pub(crate) instance: Instance,
    pub(crate) remote: Remote,
    pub(crate) breaker: Breaker,
    load: PeakEwma,
    under_way: AtomicU32,
    /// Since when it gets more and more of its share; `None` for those that were there first.
    joined: Option<Ticks>,
}

/// A call to an instance that is under way, until it is dropped: with the body of the answer.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Endpoint>);

/// How an attempt ended, for the balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer of use came after that time.
    Answered(Duration),
    /// The instance answered, but somebody behind it failed: this says nothing about the instance.
    Beyond(Duration),
    /// It has too much to do, and may have said when to come back.
    Busy(Option<Duration>),
    /// It failed, or did not answer in time.
    Failed,
    /// Nobody waits for its answer any more. So far there was none for that time.
    Abandoned(Duration),
}

// === impl Endpoint ===

impl Endpoint {
    pub(crate) fn new(
        instance: Instance,
        remote: Remote,
        breaker: Breaker,
        joined: Option<Ticks>,
    ) -> Arc<Self> {
        let (load, under_way) = (PeakEwma::default(), AtomicU32::new(0));
        Arc::new(Self { instance, remote, breaker, load, under_way, joined })
    }

    /// Begins a call.
    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// What one more call would cost here: the time of an answer, as often as there are calls, for its share.
    pub(super) fn cost(&self, now: Ticks, slow_start: Duration) -> f32 {
        let under_way = self.under_way.load(Ordering::Relaxed) as f32;
        let time = match self.load.get(now) {
            Some(time) => time,
            // One call finds out how long it takes; until then it gets no other while there is a choice.
            None if under_way == 0.0 => return 0.0,
            None => UNKNOWN,
        };
        time * (under_way + 1.0) / self.share(now, slow_start)
    }

    /// The outcome of a call, for the balance.
    pub(super) fn record(&self, now: Ticks, outcome: Outcome) {
        match outcome {
            Outcome::Answered(took) | Outcome::Beyond(took) => self.load.answered(now, took),
            Outcome::Busy(retry_after) => self.load.failed(now, retry_after),
            Outcome::Failed => self.load.failed(now, None),
            Outcome::Abandoned(waited) => self.load.abandoned(now, waited),
        }
    }

    /// Its share of the calls, 1 being usual. A new instance has cold caches and gets its share by and by.
    fn share(&self, now: Ticks, slow_start: Duration) -> f32 {
        let weight = self.instance.weight as f32 / USUAL_WEIGHT as f32;
        match self.joined {
            Some(joined) if now.since(joined) < slow_start => {
                weight * (now.since(joined).as_secs_f32() / slow_start.as_secs_f32()).max(FIRST_SHARE)
            }
            _ => weight,
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.instance.id, self.instance.address)
    }
}

// === impl UnderWay ===

impl UnderWay {
    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.0
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
