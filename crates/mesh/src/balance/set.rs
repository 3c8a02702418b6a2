//! The instances of one service among which a call chooses.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partie_runtime::scramble;

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
        remote: impl Fn(&Instance) -> Remote,
    ) -> Self {
        let old: HashMap<&str, &Arc<Endpoint>> =
            self.endpoints.iter().map(|endpoint| (&*endpoint.instance.id, endpoint)).collect();
        // Those of a first list have no others to be slower than.
        let joined = (!self.endpoints.is_empty()).then_some(now);
        let endpoint = |instance: Instance| match old.get(&*instance.id) {
            Some(known) if known.instance == instance => Arc::clone(known),
            _ => {
                let remote = remote(&instance);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Ticks {
        Ticks::from_nanos(1).after(SECOND * u32::try_from(seconds).unwrap())
    }

    fn instances(numbers: impl IntoIterator<Item = u16>) -> Vec<Instance> {
        let instance =
            |port: u16| Instance::new(port.to_string(), std::net::SocketAddr::from(([127, 0, 0, 1], port)));
        numbers.into_iter().map(instance).collect()
    }

    fn set(numbers: impl IntoIterator<Item = u16>, before: &EndpointSet, config: &MeshConfig) -> EndpointSet {
        let remote = |instance: &Instance| Remote::new(instance.address, SECOND, SECOND, None);
        before.next(&instances(numbers), config, 7, at(0), remote)
    }

    fn wish(now: Ticks, random: u64) -> Wish<'static> {
        Wish { now, random, not: None, probe: None, slow_start: SECOND }
    }

    fn fail(set: &EndpointSet, number: usize, now: Ticks, config: &BreakerConfig) {
        for _ in 0..config.failures {
            set.record(&set.endpoints[number], now, Outcome::Failed, config, 0);
        }
    }

    /// Who gets one of many calls.
    fn picked(set: &EndpointSet, now: Ticks) -> BTreeSet<String> {
        let pick = |random| set.pick(&wish(now, random)).unwrap().endpoint().instance.id.to_string();
        (0..500).map(pick).collect()
    }

    #[test]
    fn whoever_fails_again_and_again_is_left_alone_but_never_too_many() {
        let config = MeshConfig::default();
        for (size, ejected) in [(1, 0), (2, 1), (3, 1), (4, 2), (10, 5)] {
            let set = set(1..=size, &EndpointSet::default(), &config);
            for number in 0..usize::from(size) {
                fail(&set, number, at(0), &config.breaker);
            }
            let shut = set.iter().filter(|endpoint| !endpoint.breaker.is_closed()).count();
            assert_eq!(shut, ejected, "of {size}");
            assert!(!set.panic.load(Ordering::Relaxed));
            let well = set.iter().filter(|endpoint| endpoint.breaker.is_closed());
            let well: BTreeSet<_> = well.map(|endpoint| endpoint.instance.id.to_string()).collect();
            assert!(picked(&set, at(0)).is_subset(&well), "of {size}");
        }
    }

    #[test]
    fn one_call_that_could_be_repeated_finds_out_when_the_time_has_come() {
        let config = MeshConfig::default();
        let set = set(1..=3, &EndpointSet::default(), &config);
        fail(&set, 0, at(0), &config.breaker);
        let probes = |now, probe| {
            let picked: Vec<_> =
                (0..50).map(|random| set.pick(&Wish { probe, ..wish(now, random) }).unwrap()).collect();
            picked.iter().filter(|picked| &*picked.endpoint().instance.id == "1").count()
        };
        assert_eq!(probes(at(0), Some(SECOND)), 0);
        assert_eq!(probes(at(2), None), 0, "none that could not be tried elsewhere");
        assert_eq!(probes(at(2), Some(SECOND)), 1);
        set.record(&set.endpoints[0], at(2), Outcome::Answered(SECOND / 1_000), &config.breaker, 0);
        assert!(set.endpoints[0].breaker.is_closed());
    }

    #[test]
    fn when_fewer_are_well_than_can_be_true_nobody_is_left_alone() {
        let config = MeshConfig::default();
        let all = set(1..=10, &EndpointSet::default(), &config);
        for number in 0..5 {
            fail(&all, number, at(0), &config.breaker);
        }
        // Of those that were well all but one go.
        let rest = set(1..=6, &all, &config);
        assert!(rest.panic.load(Ordering::Relaxed));
        assert!(picked(&rest, at(0)).len() > 1, "the one that is left cannot carry all");
    }

    #[test]
    fn a_new_list_forgets_nobody_who_stays() {
        let config = MeshConfig::default();
        let before = set(1..=3, &EndpointSet::default(), &config);
        let after = set(2..=4, &before, &config);
        let kept = |id: &str| {
            let find = |set: &EndpointSet| set.iter().find(|endpoint| &*endpoint.instance.id == id).cloned();
            Arc::ptr_eq(&find(&before).unwrap(), &find(&after).unwrap())
        };
        assert!(kept("2") && kept("3"));
        assert_eq!(after.len(), 3);
    }

    #[test]
    fn whoever_has_just_failed_the_call_does_not_get_it_again() {
        let config = MeshConfig::default();
        for size in [2, 3, 8] {
            let set = set(1..=size, &EndpointSet::default(), &config);
            let not = Some(&set.endpoints[0]);
            for random in 0..200 {
                let picked = set.pick(&Wish { not, ..wish(at(0), random) }).unwrap();
                assert_ne!(&*picked.endpoint().instance.id, "1", "of {size}");
            }
        }
    }
}
