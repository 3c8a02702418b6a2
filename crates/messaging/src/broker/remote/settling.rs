//! Verdicts on their way to a broker in another process: whatever is due together goes together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use partie_contract::BoxFuture;
use partie_runtime::{Stop, monotonic};
use tokio::sync::{Notify, oneshot};
use tracing::debug;

use super::pump::State;
use super::{AGAIN, Line, is_over, over};
use crate::broker::wire::{SubscriptionId, Verdicts, WireVerdict};
use crate::broker::{BrokerError, Settle, Verdict};

/// How long a verdict is tried to be told. Then the message comes again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The verdicts of one subscription that have not been told.
#[derive(Default)]
pub(super) struct Settling {
    due: Mutex<Due>,
    bell: Notify,
}

#[derive(Default)]
struct Due {
    verdicts: Vec<(WireVerdict, Option<oneshot::Sender<()>>)>,
    over: bool,
}

/// Brings one delivery's verdict back.
pub(super) struct RemoteSettle {
    state: Arc<State>,
    loan: u64,
    settled: bool,
}

// === impl Settling ===

impl Settling {
    fn due(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, verdict: WireVerdict, told: Option<oneshot::Sender<()>>) {
        let mut due = self.due();
        if !due.over {
            due.verdicts.push((verdict, told));
            self.bell.notify_one();
        }
    }

    /// Nothing can be told any more; whoever waits learns so.
    pub(super) fn end(&self) {
        let mut due = self.due();
        due.over = true;
        due.verdicts.clear();
        self.bell.notify_one();
    }
}

// === impl RemoteSettle ===

impl RemoteSettle {
    pub(super) fn new(state: Arc<State>, loan: u64) -> Self {
        Self { state, loan, settled: false }
    }
}

impl Settle for RemoteSettle {
    fn settle(mut self: Box<Self>, verdict: Verdict) -> BoxFuture<'static, Result<(), BrokerError>> {
        self.settled = true;
        let (told, tell) = oneshot::channel();
        self.state.settling.add(WireVerdict::new(self.loan, verdict), Some(told));
        Box::pin(async move { tell.await.map_err(|_| over()) })
    }
}

impl Drop for RemoteSettle {
    fn drop(&mut self) {
        if !self.settled {
            let later = Verdict::Later("the delivery was dropped".to_owned());
            self.state.settling.add(WireVerdict::new(self.loan, later), None);
        }
    }
}

/// Tells verdicts, in batches of what came while the last one was told.
pub(super) async fn settle_all(line: Arc<Line>, id: SubscriptionId, state: Arc<State>, stop: Stop) {
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        let due = {
            let mut due = state.settling.due();
            if due.over {
                return;
            }
            std::mem::take(&mut due.verdicts)
        };
        if due.is_empty() {
            tokio::select! { () = state.settling.bell.notified() => continue, () = &mut stopped => return }
        }
        let (verdicts, waiting): (Vec<_>, Vec<_>) = due.into_iter().unzip();
        if tell(&line, id, verdicts).await {
            for told in waiting.into_iter().flatten() {
                // Nobody may wait for it any more.
                _ = told.send(()).ok();
            }
        }
    }
}

/// Says whether the other end knows now.
async fn tell(line: &Line, id: SubscriptionId, verdicts: Vec<WireVerdict>) -> bool {
    let (begun, mut failures) = (monotonic(), 0);
    loop {
        let verdicts = Verdicts { subscription: id, verdicts: verdicts.clone() };
        match line.client.settle(&line.call(), verdicts).await {
            Ok(_) => return true,
            Err(fault) if is_over(&fault) || begun.elapsed() > PATIENCE => {
                debug!(%fault, "verdicts cannot be told; the messages come again");
                return false;
            }
            Err(_) => {
                failures += 1;
                tokio::time::sleep(AGAIN.after(failures, &line.ids)).await;
            }
        }
    }
}
