//! What an answer says about the instance that gave it, and about trying again.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use partie_contract::{Response, grpc, wire};

use crate::balance::Outcome;

/// What to make of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) outcome: Outcome,
    /// Whether somebody else may answer better, if the call may be made twice.
    pub(super) again: bool,
}

/// Judges an answer by its head.
///
/// * Anything below 500 is the instance's considered answer, 429 included: it tells this caller, not this instance.
/// * 500 is a failure, but of the kind that comes again.
/// * 502 to 504 are failures somebody else may not have, unless it was somebody behind the instance who failed: then
///   whoever called that one has tried again already, and the instance is as good as any.
/// * 503 with `Retry-After`, which is how our services say that they have too much to do, is no reason to think that the
///   instance is broken.
pub(super) fn judge(answer: &Response, took: Duration) -> Judgement {
    let headers = answer.headers();
    let well = Judgement { outcome: Outcome::Answered(took), again: false };
    match answer.status() {
        StatusCode::OK => of_grpc(headers, took).unwrap_or(well),
        status if status.as_u16() < 500 => well,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            if is_beyond(headers) {
                return Judgement { outcome: Outcome::Beyond(took), again: false };
            }
            let busy = answer.status() == StatusCode::SERVICE_UNAVAILABLE
                && headers.contains_key(header::RETRY_AFTER);
            let outcome = if busy { Outcome::Busy(retry_after(headers)) } else { Outcome::Failed };
            Judgement { outcome, again: true }
        }
        _ => Judgement { outcome: Outcome::Failed, again: false },
    }
}

/// A gRPC call that fails at once says so in its head; later it is in the trailers, which nobody waits for here.
///
/// `UNAVAILABLE` (14) may be tried again, and with a pushback it is how our services say that they have too much to do;
/// `RESOURCE_EXHAUSTED` (8) says the same; `UNKNOWN` (2), `DEADLINE_EXCEEDED` (4), `INTERNAL` (13) and `DATA_LOSS` (15) are
/// failures, unless of somebody behind the instance. A negative or unreadable pushback forbids
/// to try again (gRPC's A6).
fn of_grpc(headers: &HeaderMap, took: Duration) -> Option<Judgement> {
    let status = headers.get(grpc::STATUS)?.to_str().ok()?;
    let pushback =
        headers.get("grpc-retry-pushback-ms").map(|value| value.to_str().ok()?.parse::<u64>().ok());
    let forbidden = matches!(pushback, Some(None));
    let wait = pushback.flatten().map(Duration::from_millis);
    match status {
        "2" | "4" | "13" | "14" | "15" if is_beyond(headers) => {
            Some(Judgement { outcome: Outcome::Beyond(took), again: false })
        }
        "14" if wait.is_some() => Some(Judgement { outcome: Outcome::Busy(wait), again: true }),
        "14" => Some(Judgement { outcome: Outcome::Failed, again: !forbidden }),
        "8" => Some(Judgement { outcome: Outcome::Busy(wait), again: !forbidden }),
        "2" | "4" | "13" | "15" => Some(Judgement { outcome: Outcome::Failed, again: false }),
        _ => None,
    }
}

/// Whether it was somebody behind the instance who failed.
fn is_beyond(headers: &HeaderMap) -> bool {
    headers.get(wire::FAULT).is_some_and(|fault| fault == wire::UPSTREAM)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, headers, outcome, and whether somebody else may do better.
    type Row = (u16, &'static [(&'static str, &'static str)], Outcome, bool);

    #[test]
    fn answers_are_judged_by_who_failed() {
        let took = Duration::from_millis(1);
        let table: &[Row] = &[
            (200, &[], Outcome::Answered(took), false),
            (404, &[], Outcome::Answered(took), false),
            (429, &[("retry-after", "1")], Outcome::Answered(took), false),
            (500, &[], Outcome::Failed, false),
            (502, &[], Outcome::Failed, true),
            (502, &[("partie-fault", "upstream")], Outcome::Beyond(took), false),
            (503, &[], Outcome::Failed, true),
            (503, &[("retry-after", "7")], Outcome::Busy(Some(Duration::from_secs(7))), true),
            (503, &[("retry-after", "soon")], Outcome::Busy(None), true),
            (503, &[("retry-after", "7"), ("partie-fault", "upstream")], Outcome::Beyond(took), false),
            (504, &[], Outcome::Failed, true),
            (505, &[], Outcome::Failed, false),
            (200, &[("grpc-status", "0")], Outcome::Answered(took), false),
            (200, &[("grpc-status", "5")], Outcome::Answered(took), false),
            (200, &[("grpc-status", "13")], Outcome::Failed, false),
            (200, &[("grpc-status", "14")], Outcome::Failed, true),
            (200, &[("grpc-status", "14"), ("grpc-retry-pushback-ms", "-1")], Outcome::Failed, false),
            (
                200,
                &[("grpc-status", "14"), ("grpc-retry-pushback-ms", "5")],
                Outcome::Busy(Some(took * 5)),
                true,
            ),
            (200, &[("grpc-status", "14"), ("partie-fault", "upstream")], Outcome::Beyond(took), false),
            (
                200,
                &[("grpc-status", "8"), ("grpc-retry-pushback-ms", "5")],
                Outcome::Busy(Some(took * 5)),
                true,
            ),
        ];
        for (status, headers, outcome, again) in table {
            let mut answer = Response::default();
            *answer.status_mut() = StatusCode::from_u16(*status).unwrap();
            for (name, value) in *headers {
                answer.headers_mut().insert(*name, value.parse().unwrap());
            }
            let judgement = judge(&answer, took);
            assert_eq!(judgement, Judgement { outcome: *outcome, again: *again }, "{status} {headers:?}");
        }
    }
}
