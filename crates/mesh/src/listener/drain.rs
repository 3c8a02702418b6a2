//! How a listener ends: a lame duck first, then no new requests, then no mercy.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Waker};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::limits::Limits;

/// The first stage: answers say `Connection: close`.
const LAME: u8 = 1;
/// Nothing is accepted; unused connections close; event streams end.
const CLOSING: u8 = 2;
/// Whatever is left is cut off.
const CUT: u8 = 3;

/// The stages of a drain, shared by all workers and connections. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Drain {
    /// What every request looks at. Set before the tokens, which wake those who wait.
    stage: Arc<AtomicU8>,
    closing: CancellationToken,
    cut: CancellationToken,
}

/// What the drain wants of a connection. Asking costs one load: whom to wake is told once, not with every poll.
pub(super) struct Watch {
    drain: Drain,
    wakes: [Pin<Box<WaitForCancellationFutureOwned>>; 2],
    waker: Option<Waker>,
}

/// Cuts everything off when dropped.
pub(super) struct CutOnDrop(Drain);

// === impl Drain ===

impl Drain {
    /// Goes through the stages. Drop it when everything has ended.
    pub(super) async fn run(&self, limits: &Limits) {
        self.reach(LAME);
        tokio::select! {
            () = tokio::time::sleep(limits.lame_duck) => {}
            () = self.cut.cancelled() => {}
        }
        self.reach(CLOSING);
    }

    pub(super) fn cut_on_drop(self) -> CutOnDrop {
        CutOnDrop(self)
    }

    pub(super) fn is_lame(&self) -> bool {
        self.stage.load(Ordering::Acquire) >= LAME
    }

    pub(super) fn closing(&self) -> WaitForCancellationFutureOwned {
        self.closing.clone().cancelled_owned()
    }

    pub(super) fn cut(&self) -> WaitForCancellationFutureOwned {
        self.cut.clone().cancelled_owned()
    }

    pub(super) fn watch(&self) -> Watch {
        Watch { drain: self.clone(), wakes: [Box::pin(self.closing()), Box::pin(self.cut())], waker: None }
    }

    fn reach(&self, stage: u8) {
        self.stage.fetch_max(stage, Ordering::AcqRel);
        if stage >= CLOSING {
            self.closing.cancel();
        }
        if stage >= CUT {
            self.cut.cancel();
        }
    }
}

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.reach(CUT);
    }
}

// === impl Watch ===

impl Watch {
    /// Whether the connection is to end after what is under way, and the task is woken when it is.
    pub(super) fn is_closing(&mut self, cx: &mut Context<'_>) -> bool {
        self.reached(CLOSING, cx)
    }

    /// Whether the connection is to end now, and the task is woken when it is.
    pub(super) fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        self.reached(CUT, cx)
    }

    fn reached(&mut self, stage: u8, cx: &mut Context<'_>) -> bool {
        if self.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            for wake in &mut self.wakes {
                // What it says is in the stage as well.
                let _ready = wake.as_mut().poll(cx).is_ready();
            }
            self.waker = Some(cx.waker().clone());
        }
        self.drain.stage.load(Ordering::Acquire) >= stage
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_watches_is_woken_for_each_stage() {
        let drain = Drain::default();
        let cut = drain.clone().cut_on_drop();
        let mut watch = drain.watch();
        let (seen, mut stages) = tokio::sync::mpsc::channel(8);
        let task = tokio::spawn(async move {
            poll_fn(|cx| {
                let (closing, cut) = (watch.is_closing(cx), watch.is_cut(cx));
                seen.try_send((closing, cut)).unwrap();
                if cut { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
        assert_eq!(stages.recv().await, Some((false, false)));
        assert!(!drain.is_lame());
        drain.run(&Limits::default()).await;
        assert!(drain.is_lame());
        assert_eq!(stages.recv().await, Some((true, false)));
        drop(cut);
        task.await.unwrap();
        assert_eq!(stages.recv().await, Some((true, true)));
    }
}
