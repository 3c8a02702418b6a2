//! A service some of whose calls are held up, refused, or carried out without an answer.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use partie_contract::{BoxFuture, FaultKind, Platform, Request, Response, wire};
use partie_mesh::{Peer, Serve};
use partie_runtime::Ids;

use super::tally::{Tally, count};

/// One call in so many is held up, at most by that.
const SLOW: u64 = 20;
const SLOWEST_MS: u64 = 300;
/// One in so many is refused, and one in so many carried out without an answer.
const REFUSED: u64 = 40;
const LOST: u64 = 60;

/// So many failures at most wait to be made up for.
const MOST: usize = 10_000;

pub(super) struct ChaosServe {
    inner: Arc<dyn Serve>,
    dice: Ids,
    tally: Arc<Tally>,
    /// Requests that failed on purpose, by what is the same when they are made again.
    failed: Mutex<HashSet<String>>,
}

// === impl ChaosServe ===

impl ChaosServe {
    pub(super) fn new(inner: Arc<dyn Serve>, dice: Ids, tally: Arc<Tally>) -> Self {
        Self { inner, dice, tally, failed: Mutex::default() }
    }

    fn one_in(&self, many: u64) -> bool {
        self.dice.below(many) == 0
    }

    /// Fails one that has not failed before; twice in a row is no more than once.
    fn fails(&self, name: &str, many: u64) -> bool {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.len() < MOST && !failed.contains(name) && self.one_in(many) && failed.insert(name.to_owned())
    }

    fn answered(&self, name: &str, response: &Response) {
        let ended = !response.status().is_server_error();
        if ended && self.failed.lock().unwrap_or_else(PoisonError::into_inner).remove(name) {
            count(&self.tally.again);
        }
    }
}

impl Serve for ChaosServe {
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response> {
        Box::pin(async move {
            let name = name(&request);
            if self.one_in(SLOW) {
                count(&self.tally.slow);
                tokio::time::sleep(Duration::from_millis(self.dice.below(SLOWEST_MS))).await;
                count(&self.tally.slow_answered);
            }
            let Some(name) = name else { return Arc::clone(&self.inner).serve(peer, request).await };
            if self.fails(&name, REFUSED) {
                count(&self.tally.refused);
                return failure(FaultKind::Degraded, "chaos: refused before anything was done");
            }
            let loses = self.fails(&name, LOST);
            let response = Arc::clone(&self.inner).serve(peer, request).await;
            if loses {
                count(&self.tally.lost);
                return failure(
                    FaultKind::UpstreamUnavailable,
                    "chaos: carried out, and the answer was lost",
                );
            }
            self.answered(&name, &response);
            response
        })
    }
}

fn failure(kind: FaultKind, detail: &'static str) -> Response {
    Platform::new(kind).with_detail(detail).retry_after(Duration::from_secs(1)).into_response(None, None)
}

/// What stays the same when a request is made again. None for those that nobody may make again, and for long polls.
fn name(request: &Request) -> Option<String> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if header(wire::PREFER).is_some() || header(wire::LAST_EVENT_ID).is_some() {
        return None;
    }
    let path = request.uri().path();
    match header(wire::IDEMPOTENCY_KEY) {
        Some(key) => Some(format!("{key} {path}")),
        None if [Method::GET, Method::PUT, Method::DELETE].contains(request.method()) => {
            // The trace is that of the whole story; the last part of it is another one for each call.
            let trace = header(wire::TRACEPARENT)?.split('-').nth(1)?;
            Some(format!("{} {path} {trace}", request.method()))
        }
        None => None,
    }
}
