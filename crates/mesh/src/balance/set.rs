//! The instances of one service among which a call chooses.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::endpoint::{Endpoint, Outcome, UnderWay};
use super::subset;
use crate::discovery::Instance;
use crate::resilience::{Admission, Breaker, BreakerConfig, MeshConfig};
use crate::ticks::Ticks;
use crate::transport::Remote;

/// Up to so many instances all are looked at; among more, two by chance are as good ("the power of two choices").
const TINY: usize = 3;
/// How often two are drawn before all are looked at.
const DRAWS: u32 = 3;
/// When fewer of a hundred instances than this are well, the breakers are not believed: something else is wrong.
const PANIC_PERCENT: usize = 50;

/// The instances as of one list. Immutable; a new list makes a new set of which the old instances are part.
#[derive(Debug, Default)]
pub(crate) struct EndpointSet {
    endpoints: Vec<Arc<Endpoint>>,
    /// Fewer are well than can be true.
    panic: AtomicBool,
}

/// What a call wants of the choice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) now: Ticks,
    /// Any number: the choice is by chance.
    pub(crate) random: u64,
    /// An instance that has just failed this call.
    pub(crate) not: Option<&'a Arc<Endpoint>>,
    /// How long a probe of an instance that was left alone may take; `None` if the call is no good for one, because it
    /// could not be tried again elsewhere.
    pub(crate) probe: Option<Duration>,
    pub(crate) slow_start: Duration,
}

// === impl EndpointSet ===

impl EndpointSet {
    /// The set of a new list. What is known of instances that were there before is kept.
    pub(crate) fn next(
        &self,
        instances: &[Instance],
        config: &MeshConfig,
        of_process: u64,
        now: Ticks,
        remote: impl Fn(SocketAddr) -> Remote,
    ) -> Self {
        let old: HashMap<&str, &Arc<Endpoint>> =
            self.endpoints.iter().map(|endpoint| (&*endpoint.instance.id, endpoint)).collect();
        // Those of a first list have no others to be slower than.
        let joined = (!self.endpoints.is_empty()).then_some(now);
        let endpoint = |instance: Instance| match old.get(&*instance.id) {
            Some(known) if known.instance == instance => Arc::clone(known),
            _ => {
                let remote = remote(instance.address);
                Endpoint::new(instance, remote, Breaker::new(&config.breaker), joined)
            }
        };
        let chosen = subset::choose(instances, config.subset, of_process);
        let set =
            Self { endpoints: chosen.into_iter().map(endpoint).collect(), panic: AtomicBool::new(false) };
        set.count();
        set
    }

    pub(crate) fn len(&self) -> usize {
        self.endpoints.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.endpoints.iter()
    }

    /// The instance for a call: of those that are well the one where it costs least. Without any that is well, one that
    /// is not: a breaker is a guess, and no answer is certain to be worse.
    pub(crate) fn pick(&self, wish: &Wish<'_>) -> Option<UnderWay> {
        let chosen = match self.endpoints.as_slice() {
            [] => return None,
            [only] => only,
            few if few.len() <= TINY => self.best(few.iter(), wish).unwrap_or_else(|| self.any(wish)),
            many => self.of_two(many, wish).unwrap_or_else(|| self.any(wish)),
        };
        Some(chosen.begin())
    }

    /// The outcome of a call to an instance. Opens its breaker if it fails too often and not too many are open.
    pub(crate) fn record(
        &self,
        endpoint: &Endpoint,
        now: Ticks,
        outcome: Outcome,
        config: &BreakerConfig,
        random: u64,
    ) {
        endpoint.record(now, outcome);
        let was_well = endpoint.breaker.is_closed();
        let open = match outcome {
            Outcome::Answered(_) => {
                endpoint.breaker.succeeded(now);
                false
            }
            Outcome::Beyond(_) | Outcome::Abandoned(_) => false,
            Outcome::Busy(_) => endpoint.breaker.failed(now, false, config),
            Outcome::Failed => endpoint.breaker.failed(now, true, config),
        };
        if open && (!was_well || self.may_eject(config)) {
            tracing::warn!(instance = ?endpoint, "an instance fails too often and is left alone for a while");
            endpoint.breaker.open(now, config, random);
        }
        if was_well != endpoint.breaker.is_closed() {
            self.count();
        }
    }

    /// Whether another instance may be left alone: not the last one, and, but for the first, not more than their share.
    fn may_eject(&self, config: &BreakerConfig) -> bool {
        let shut = self.len() - self.well();
        shut + 1 < self.len()
            && (shut == 0 || (shut + 1) * 100 <= self.len() * config.ejected_percent as usize)
    }

    fn count(&self) {
        self.panic.store(self.well() * 100 < self.len() * PANIC_PERCENT, Ordering::Relaxed);
    }

    fn well(&self) -> usize {
        self.endpoints.iter().filter(|endpoint| endpoint.breaker.is_closed()).count()
    }

    /// The cheapest of those that may be called. A probe that is due comes first: it costs one call.
    fn best<'a>(
        &'a self,
        endpoints: impl Iterator<Item = &'a Arc<Endpoint>>,
        wish: &Wish<'_>,
    ) -> Option<&'a Arc<Endpoint>> {
        let panic = self.panic.load(Ordering::Relaxed);
        let mut best: Option<(&Arc<Endpoint>, f32)> = None;
        for endpoint in endpoints.filter(|endpoint| wish.not.is_none_or(|not| !Arc::ptr_eq(not, endpoint))) {
            let admission = if panic { Admission::Open } else { endpoint.breaker.admission(wish.now) };
            match admission {
                Admission::Open => {
                    let cost = endpoint.cost(wish.now, wish.slow_start);
                    if best.is_none_or(|(_, least)| cost < least) {
                        best = Some((endpoint, cost));
                    }
                }
                Admission::Probe
                    if wish.probe.is_some_and(|within| endpoint.breaker.probe(wish.now, within)) =>
                {
                    return Some(endpoint);
                }
                Admission::Probe | Admission::Shut => {}
            }
        }
        best.map(|(endpoint, _)| endpoint)
    }

    /// The cheaper of two by chance.
    fn of_two<'a>(&'a self, many: &'a [Arc<Endpoint>], wish: &Wish<'_>) -> Option<&'a Arc<Endpoint>> {
        let mut random = wish.random;
        for _ in 0..DRAWS {
            random = scramble(random);
            let first = below(random, many.len());
            // Another one than the first, each as likely.
            let second = (first + 1 + below(random.rotate_left(32), many.len() - 1)) % many.len();
            let two = [&many[first], &many[second]];
            if let Some(best) = self.best(two.into_iter(), wish) {
                return Some(best);
            }
        }
        self.best(many.iter(), wish)
    }

    /// When all others are left alone: whoever is well after all, even if it has just failed; else anybody.
    fn any(&self, wish: &Wish<'_>) -> &Arc<Endpoint> {
        let start = below(scramble(wish.random), self.len());
        let around = (0..self.len()).map(|step| &self.endpoints[(start + step) % self.len()]);
        around.clone().find(|endpoint| endpoint.breaker.is_closed()).unwrap_or(&self.endpoints[start])
    }
}

/// A number below `limit`, each as likely as makes no difference.
fn below(random: u64, limit: usize) -> usize {
    (((random & 0xFFFF_FFFF) * limit as u64) >> 32) as usize
}

/// Another number with all bits mixed (the finalizer of SplitMix64).
fn scramble(seed: u64) -> u64 {
    let mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}
