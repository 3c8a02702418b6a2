//! How a listener ends: a lame duck first, then no new requests, then no mercy.

use std::future::Future;

use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use super::limits::Limits;

/// The stages of a drain, shared by all workers and connections. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Drain {
    /// Answers say `Connection: close`.
    lame: CancellationToken,
    /// Nothing is accepted; unused connections close; event streams end.
    closing: CancellationToken,
    /// Whatever is left is cut off.
    cut: CancellationToken,
}

// === impl Drain ===

impl Drain {
    /// Goes through the stages. Drop it when everything has ended.
    pub(super) async fn run(&self, limits: &Limits) {
        self.lame.cancel();
        tokio::select! {
            () = tokio::time::sleep(limits.lame_duck) => {}
            () = self.cut.cancelled() => {}
        }
        self.closing.cancel();
    }

    /// Cuts everything off when the guard is dropped.
    pub(super) fn cut_on_drop(self) -> DropGuard {
        self.cut.drop_guard()
    }

    pub(super) fn is_lame(&self) -> bool {
        self.lame.is_cancelled()
    }

    pub(super) fn closing(&self) -> impl Future<Output = ()> + Send + 'static {
        let (closing, cut) = (self.closing.clone(), self.cut.clone());
        async move {
            tokio::select! {
                () = closing.cancelled() => {}
                () = cut.cancelled() => {}
            }
        }
    }

    pub(super) fn cut(&self) -> WaitForCancellationFutureOwned {
        self.cut.clone().cancelled_owned()
    }
}
