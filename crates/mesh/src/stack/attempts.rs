//! The attempts of a call over the wire: each at an instance of its own choice, all within a budget.

mod leg;

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::{Either, select};
use http::request::Parts;
use partie_contract::{Body, Deadline, FaultKind, Platform, Request, Response, wire};

use self::leg::{Ended, Leg};
use super::deadline::late;
use super::replay::Replay;
use super::{Once, is_read, is_retry_safe};
use crate::balance::{EndpointSet, UnderWay};
use crate::limited::{Limit, Limited};
use crate::resilience::Policy;
use crate::target::{TargetState, Way};
use crate::ticks::Ticks;

/// An answer, and what counts the call at its instance until the body ends.
pub(crate) type Answer = (Response, UnderWay);

/// What all attempts of one call have in common.
struct Attempts<'a> {
    head: &'a Parts,
    target: &'a TargetState,
    policy: &'a Policy,
    deadline: Deadline,
    /// Numbers by chance start here.
    chance: AtomicU64,
    /// Twice is as good as once.
    safe: bool,
    /// It waits for an instance to come.
    held: AtomicBool,
}

/// Takes the request from its place to an instance of the service, and to another one if it has to be.
pub(super) async fn run(
    target: &TargetState,
    policy: &Policy,
    request: &mut Request,
    deadline: Deadline,
    chance: u64,
    mut now: Ticks,
) -> Result<Answer, Platform> {
    if matches!(&**target.way(), Way::Nowhere) {
        return Err(target.unknown());
    }
    target.budget.deposit(now);
    // A service that refuses most calls is spared some of them.
    if !target.throttle.admit(now, target.bulkhead.under_way(), chance >> 8) {
        return Err(Platform::new(FaultKind::Overloaded)
            .with_detail(format!("{} refuses most calls, so this one was not sent", target.service)));
    }
    let safe = is_retry_safe(request);
    // Exactly one hop tries again: work that is itself a second attempt is done once.
    let first = request.headers().get(wire::ATTEMPT).and_then(|number| number.to_str().ok()?.parse().ok());
    let first: u32 = first.unwrap_or(1);
    let once = first > 1 || request.extensions().get::<Once>().is_some();
    let retries = if safe && !once { policy.retries } else { 0 };
    let read = is_read(request.method());
    let waits = request.headers().contains_key(wire::PREFER);
    let (head, mut body) = std::mem::take(request).into_parts();
    let replay = safe.then(|| Replay::prepare(&mut body));
    let attempts = Attempts {
        head: &head,
        target,
        policy,
        deadline,
        chance: AtomicU64::new(chance),
        safe,
        held: AtomicBool::new(false),
    };
    let mut made = 0;
    loop {
        // Whoever asked to wait for news is not in a hurry.
        let second = if retries > made && !waits { attempts.second(read, now) } else { None };
        let number = first + made;
        let ended = attempts.at_most_two(&mut body, number, replay.as_ref(), second, &mut made, now).await?;
        let Ended { fault, answer, again } = match ended {
            Ok(answer) => return Ok(answer),
            Err(ended) => ended,
        };
        let next = match &replay {
            Some(replay) if again && made <= retries => attempts.again(made, replay).await,
            _ => None,
        };
        let Some(next) = next else {
            let fault = || fault.unwrap_or_else(|| late(&target.service).from_upstream());
            return answer.map(|answer| *answer).ok_or_else(fault);
        };
        (body, now) = (next, Ticks::now());
    }
}

// === impl Attempts ===

impl Attempts<'_> {
    /// One attempt; and a second one beside it when the first is not answered by then. The first answer counts.
    async fn at_most_two(
        &self,
        body: &mut Body,
        number: u32,
        replay: Option<&Replay>,
        second: Option<Second>,
        made: &mut u32,
        now: Ticks,
    ) -> Result<Result<Answer, Ended>, Platform> {
        *made += 1;
        let limit = match self.policy.attempt {
            Some(most) => self.deadline.min(Deadline::counted_from(now.instant(), most)),
            None => self.deadline,
        };
        let expired = AtomicBool::new(false);
        let mut copy;
        let mut first = pin!(Leg::new(self, number, replay, &expired).walk(body, now));
        if let Some(second) = second.filter(|second| second.at < limit) {
            if let Some(ended) = Limited::new(Limit::At(second.at), first.as_mut()).await {
                return Ok(ended);
            }
            // To the same instance it would be no better.
            let others = self.endpoints(|endpoints| endpoints.len() > 1);
            let now = Ticks::now();
            copy = replay.filter(|_| others).and_then(Replay::again);
            if let Some(copy) = &mut copy
                && self.target.budget.withdraw(now)
            {
                *made += 1;
                // Boxed, for it is rare, and every call carries the room for it.
                let mut other = Box::pin(Leg::new(self, number + 1, replay, &expired).walk(copy, now));
                return self.either(first, other.as_mut(), &expired, &second, limit).await;
            }
        }
        match Limited::new(Limit::At(limit), first.as_mut()).await {
            Some(ended) => Ok(ended),
            None => self.expire(&expired),
        }
    }

    /// The answer of whoever has one first; a failure only if both fail.
    async fn either<F>(
        &self,
        first: Pin<&mut F>,
        other: Pin<&mut F>,
        expired: &AtomicBool,
        second: &Second,
        limit: Deadline,
    ) -> Result<Result<Answer, Ended>, Platform>
    where
        F: Future<Output = Result<Answer, Ended>>,
    {
        let race = async {
            let (ended, rest) = match select(first, other).await {
                Either::Left((ended, rest)) | Either::Right((ended, rest)) => (ended, rest),
            };
            match ended {
                Ok(answer) => {
                    // Whoever was waited for that long while somebody else answers is too slow.
                    expired.store(second.blames, Ordering::Relaxed);
                    Ok(answer)
                }
                Err(_) => rest.await,
            }
        };
        match Limited::new(Limit::At(limit), pin!(race)).await {
            Some(ended) => Ok(ended),
            None => self.expire(expired),
        }
    }

    /// The time of the attempts is over: of those of this policy, or of the whole call.
    fn expire(&self, expired: &AtomicBool) -> Result<Result<Answer, Ended>, Platform> {
        expired.store(true, Ordering::Relaxed);
        if self.held.load(Ordering::Relaxed) {
            // Whoever cannot be reached until the end is not there, rather than late.
            return Err(self.target.unknown().from_upstream());
        }
        if self.deadline.has_passed() {
            return Err(late(&self.target.service).from_upstream());
        }
        Ok(Err(Ended { fault: Some(late(&self.target.service).from_upstream()), answer: None, again: true }))
    }

    /// The body for another attempt, after a while; nothing if the budget, the deadline or the body forbid it.
    async fn again(&self, failures: u32, replay: &Replay) -> Option<Body> {
        let body = replay.again()?;
        if !self.target.budget.withdraw(Ticks::now()) {
            tracing::debug!(service = %self.target.service, "the budget for retries is used up");
            return None;
        }
        let wait = self.policy.backoff.after(failures, &self.target.handles.ids);
        if wait >= self.deadline.remaining() {
            return None;
        }
        tokio::time::sleep(wait).await;
        Some(body)
    }

    /// When a second attempt begins beside the first.
    fn second(&self, read: bool, now: Ticks) -> Option<Second> {
        let at = |after| Deadline::counted_from(now.instant(), after);
        if let Some(after) = self.policy.hedge.filter(|_| read) {
            return Some(Second { at: at(after), blames: false });
        }
        // An instance that has said nothing for half of the time may never say anything.
        let half = now.until(self.deadline) / 2;
        self.policy.attempt.is_none().then(|| Second { at: at(half), blames: true })
    }

    fn endpoints<T>(&self, look: impl FnOnce(&EndpointSet) -> T) -> T {
        match &**self.target.way() {
            Way::There(endpoints) => look(endpoints),
            Way::Nowhere | Way::Here(_) => look(&EndpointSet::default()),
        }
    }

    /// A number by chance.
    fn chance(&self) -> u64 {
        self.chance.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)
    }
}

/// A second attempt beside the first.
struct Second {
    at: Deadline,
    /// Whether the first instance is to blame for its silence until then.
    blames: bool,
}
