//! One attempt: one answer of one instance. What surely was not seen by anybody is sent on at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partie_contract::{Body, Platform, Response};

use super::{Answer, Attempts};
use crate::balance::{Endpoint, Outcome, UnderWay, Wish};
use crate::misdirected::is_misdirected;
use crate::stack::judge::judge;
use crate::stack::replay::Replay;
use crate::ticks::Ticks;
use crate::transport::{Failed, Sending};

/// At so many instances that refuse connections a call asks in a row before it waits.
const REFUSALS: usize = 3;
/// How long a call waits for an instance before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// An instance that was given less time than this is not blamed for its silence.
const A_CHANCE: Duration = Duration::from_millis(20);

/// An attempt that was not answered well.
pub(super) struct Ended {
    /// What went wrong, if there is no answer.
    pub(super) fault: Option<Platform>,
    /// The answer that says what went wrong.
    pub(super) answer: Option<Box<Answer>>,
    /// Whether another instance may do better.
    pub(super) again: bool,
}

/// One attempt on its way.
pub(super) struct Leg<'a> {
    attempts: &'a Attempts<'a>,
    number: u32,
    /// For what a stale connection swallowed.
    replay: Option<&'a Replay>,
    /// Set before the attempt is dropped because its time is over.
    expired: &'a AtomicBool,
}

/// A call at an instance. Dropped without an outcome it says how long nothing came.
struct AtInstance<'a> {
    leg: &'a Leg<'a>,
    began: Ticks,
    under_way: UnderWay,
    concluded: bool,
}

// === impl Leg ===

impl<'a> Leg<'a> {
    pub(super) fn new(
        attempts: &'a Attempts<'a>,
        number: u32,
        replay: Option<&'a Replay>,
        expired: &'a AtomicBool,
    ) -> Self {
        Self { attempts, number, replay, expired }
    }

    /// Picks an instance, sends the request and judges the answer.
    pub(super) async fn walk(self, body: &mut Body, mut now: Ticks) -> Result<Answer, Ended> {
        let target = self.attempts.target;
        let (mut refusals, mut refused_by): (usize, Option<Arc<Endpoint>>) = (0, None);
        let mut unsent = None;
        loop {
            let news = target.news.notified();
            let picked = if refusals < REFUSALS { self.pick(refused_by.as_ref(), now) } else { None };
            let Some(at) = picked else {
                refusals = 0;
                // Its next instance may be about to come, for a while.
                now = Ticks::now();
                let held = now.since(target.unreached(now));
                self.attempts.held.store(true, Ordering::Relaxed);
                if held < target.config.hold {
                    tokio::select! {
                        () = news => {}
                        () = tokio::time::sleep(LOOK_AGAIN) => {}
                    }
                    if !self.attempts.deadline.has_passed() {
                        self.attempts.held.store(false, Ordering::Relaxed);
                        continue;
                    }
                }
                let fault = target.unknown().from_upstream();
                // Why the last one was not reached, if there was one.
                let fault = match unsent {
                    Some(cause) => fault.caused_by(cause),
                    None => fault,
                };
                return Err(Ended { fault: Some(fault), answer: None, again: false });
            };
            let remote = &at.under_way.endpoint().remote;
            let mut result = remote.send(&self.sending(now), body, false).await;
            let swallowed = matches!(result, Err(Failed::Swallowed(_)));
            if let Some(again) = self.replay.filter(|_| swallowed).and_then(Replay::again) {
                // The connection had most likely been closed before: a fresh one to the same instance.
                *body = again;
                result = remote.send(&self.sending(Ticks::now()), body, true).await;
            }
            if let Ok(answer) = &result
                && is_misdirected(answer, target)
            {
                let again = self.replay.and_then(Replay::again);
                result = Err(Failed::elsewhere(again.is_some()));
                *body = again.unwrap_or_default();
            }
            match result {
                Ok(answer) => return at.answered(answer),
                Err(Failed::Unsent(fault)) => {
                    now = Ticks::now();
                    refused_by = Some(Arc::clone(at.under_way.endpoint()));
                    at.conclude(now, Outcome::Failed);
                    tracing::debug!(service = %target.service, %fault, "an instance cannot be reached");
                    unsent = Some(fault);
                    refusals += 1;
                    if refusals >= self.attempts.endpoints(super::EndpointSet::len) {
                        refusals = REFUSALS;
                    }
                }
                Err(Failed::Own(fault)) => {
                    // It is the caller's, and nobody else is to blame.
                    at.conclude(Ticks::now(), Outcome::Abandoned(Duration::ZERO));
                    return Err(Ended { fault: Some(fault), answer: None, again: false });
                }
                Err(failed) => {
                    at.conclude(Ticks::now(), Outcome::Failed);
                    return Err(Ended {
                        fault: Some(failed.into_fault().from_upstream()),
                        answer: None,
                        again: true,
                    });
                }
            }
        }
    }

    /// The request, with what is left of the deadline. That is never extended.
    fn sending(&self, now: Ticks) -> Sending<'a> {
        let Attempts { target, head, deadline, .. } = *self.attempts;
        let left = now.left(deadline);
        Sending { head, at: now.instant(), attempt: self.number, left, to: target.addressee() }
    }

    fn pick(&'a self, not: Option<&Arc<Endpoint>>, now: Ticks) -> Option<AtInstance<'a>> {
        let Attempts { target, deadline, safe, .. } = *self.attempts;
        let wish = Wish {
            now,
            random: self.attempts.chance(),
            not,
            probe: safe.then(|| now.until(deadline)),
            slow_start: target.config.slow_start,
        };
        let under_way = self.attempts.endpoints(|endpoints| endpoints.pick(&wish))?;
        Some(AtInstance { leg: self, began: now, under_way, concluded: false })
    }
}

// === impl AtInstance ===

impl AtInstance<'_> {
    fn answered(self, answer: Response) -> Result<Answer, Ended> {
        let target = self.leg.attempts.target;
        let now = Ticks::now();
        let judgement = judge(&answer, now.since(self.began));
        target.reached();
        if !matches!(judgement.outcome, Outcome::Busy(_)) {
            target.throttle.accepted(now);
        }
        // The call counts at the instance until its body ends.
        let answer = (answer, self.under_way.endpoint().begin());
        self.conclude(now, judgement.outcome);
        if judgement.again {
            Err(Ended { fault: None, answer: Some(Box::new(answer)), again: true })
        } else {
            Ok(answer)
        }
    }

    fn conclude(mut self, now: Ticks, outcome: Outcome) {
        self.concluded = true;
        self.record(now, outcome);
    }

    fn record(&self, now: Ticks, outcome: Outcome) {
        let Attempts { target, .. } = *self.leg.attempts;
        let chance = self.leg.attempts.chance();
        let endpoint = self.under_way.endpoint();
        self.leg.attempts.endpoints(|endpoints| {
            endpoints.record(endpoint, now, outcome, &target.config.breaker, chance);
        });
    }
}

impl Drop for AtInstance<'_> {
    fn drop(&mut self) {
        if self.concluded {
            return;
        }
        let now = Ticks::now();
        let waited = now.since(self.began);
        let blamed = self.leg.expired.load(Ordering::Relaxed) && waited >= A_CHANCE;
        self.record(now, if blamed { Outcome::Failed } else { Outcome::Abandoned(waited) });
    }
}
