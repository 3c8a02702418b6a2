//! The deadline of a call: checked at entry, sent along, and enforced.

use std::future::Future;
use std::pin::pin;

use http::{HeaderMap, HeaderValue};
use partie_contract::{Deadline, FaultKind, Platform, wire};

use crate::limited::{Limit, Limited};
use crate::ticks::Ticks;

/// Refuses a call that starts too late.
pub(super) fn check(deadline: Deadline, service: &str, now: Ticks) -> Result<(), Platform> {
    if now.until(deadline).is_zero() {
        return Err(Platform::new(FaultKind::UpstreamTimeout)
            .with_detail(format!("the deadline had passed before {service} was called")));
    }
    Ok(())
}

/// Writes what is left.
pub(super) fn write(deadline: Deadline, headers: &mut HeaderMap, now: Ticks) {
    headers.insert(wire::TIMEOUT_MS, HeaderValue::from(now.left(deadline)));
}

/// Gives up at the deadline.
pub(super) async fn bound<F: Future>(
    deadline: Deadline,
    service: &str,
    work: F,
) -> Result<F::Output, Platform> {
    Limited::new(Limit::At(deadline), pin!(work)).await.ok_or_else(|| late(service))
}

/// The service took too long.
pub(crate) fn late(service: &str) -> Platform {
    Platform::new(FaultKind::UpstreamTimeout)
        .with_detail(format!("{service} did not answer before the deadline"))
}
