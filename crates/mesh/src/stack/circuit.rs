//! The breaker of a service as a whole, for callers that have something better to do than to wait for it.

use std::time::Duration;

use partie_contract::{Deadline, FaultKind, Platform, wire};

use super::Answer;
use crate::resilience::{Admission, Breaker, BreakerConfig};
use crate::ticks::Ticks;

/// How long a call that tries a service again may leave everybody else waiting; most end long before.
const LONGEST_PROBE: Duration = Duration::from_secs(60);

/// The breaker, if the table of policies has one for the service.
#[derive(Debug)]
pub(crate) struct Circuit(Option<(Breaker, BreakerConfig)>);

// === impl Circuit ===

impl Circuit {
    pub(crate) fn new(config: Option<&BreakerConfig>) -> Self {
        Self(config.map(|config| (Breaker::new(config), config.clone())))
    }

    /// Lets a call through, or fails it at once.
    pub(super) fn admit(&self, service: &str, deadline: Deadline, now: Ticks) -> Result<(), Platform> {
        let Some((breaker, _)) = &self.0 else { return Ok(()) };
        match breaker.admission(now) {
            Admission::Open => Ok(()),
            Admission::Probe if breaker.probe(now, now.until(deadline).min(LONGEST_PROBE)) => Ok(()),
            Admission::Probe | Admission::Shut => Err(Platform::new(FaultKind::UpstreamUnavailable)
                .with_detail(format!("{service} has failed too often and is left alone for a while"))
                .from_upstream()),
        }
    }

    /// How the call went. Failures of somebody behind the service count: whoever calls it waits for them as well.
    pub(super) fn record(&self, service: &str, answered: &Result<Answer, Platform>, chance: u64) {
        let Some((breaker, config)) = &self.0 else { return };
        let now = Ticks::now();
        let failed = match answered {
            Ok((answer, _)) => {
                answer.status().is_server_error() || answer.headers().contains_key(wire::FAULT)
            }
            Err(fault) => fault.kind().is_absence(),
        };
        if !failed {
            breaker.succeeded(now);
        } else if breaker.failed(now, true, config) {
            tracing::warn!(service, "a service fails too often and is left alone for a while");
            breaker.open(now, config, chance);
        }
    }
}
