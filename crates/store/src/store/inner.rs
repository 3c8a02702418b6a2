//! The way of a closure into a queue, and of its outcome back.

use std::panic::Location;
use std::sync::Arc;
#[cfg(feature = "postgres")]
use std::sync::{Mutex, PoisonError};

use partie_contract::{Call, FaultKind, Outcome, Platform};
use tokio::sync::watch;
#[cfg(feature = "postgres")]
use tokio::sync::{mpsc, oneshot};

use crate::keys::Keys;
use crate::lease::{Granted, Lease};
#[cfg(feature = "postgres")]
use crate::postgres::Wanted;
use crate::queue::{Queue, Refused};
use crate::shared::Shared;
use crate::status::bump;
use crate::task::{Task, lost};
use crate::tx::Tx;

/// What all handles of a store share.
pub(super) struct Inner {
    pub(super) shared: Arc<Shared>,
    pub(super) writes: Arc<Queue<Task>>,
    pub(super) reads: Arc<Queue<Task>>,
    pub(super) keys: Arc<Keys>,
    /// Where the thread beside the others is asked for leases. None where only this process writes.
    #[cfg(feature = "postgres")]
    pub(super) aside: Option<Mutex<Option<mpsc::Sender<Wanted>>>>,
    pub(super) settings: Vec<(&'static str, String)>,
    /// Its sender is dropped when everything is closed and the lock released.
    pub(super) open: watch::Receiver<()>,
}

// === impl Inner ===

impl Inner {
    pub(super) async fn write<T, E, F>(
        &self,
        call: Option<Call>,
        closure: F,
        at: &'static Location<'static>,
    ) -> Outcome<T, E>
    where
        F: Fn(&mut Tx) -> Outcome<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let (task, answer) = Task::new(closure, call, self.shared.handles.activity.begin(), at);
        self.push(&self.writes, task)?;
        // The caller's turn begins before the store's ends.
        answer.await.map_or_else(lost, |(outcome, _busy)| outcome)
    }

    pub(super) async fn read<T, E, F>(&self, closure: F, at: &'static Location<'static>) -> Outcome<T, E>
    where
        F: FnOnce(&mut Tx) -> Outcome<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let mut closure = Some(closure);
        let once = move |tx: &mut Tx| match closure.take() {
            Some(closure) => closure(tx),
            None => Err(Platform::internal("a read ran twice").into()),
        };
        let (task, answer) = Task::new(once, None, self.shared.handles.activity.begin(), at);
        self.push(&self.reads, task.reading())?;
        answer.await.map_or_else(lost, |(outcome, _busy)| outcome)
    }

    fn push(&self, queue: &Queue<Task>, task: Task) -> Result<(), Platform> {
        queue.push(task).map_err(|refused| match refused {
            Refused::Full => {
                bump(&self.shared.status.count.rejected);
                self.shared.metrics.rejected.increment(1);
                Platform::new(FaultKind::Overloaded).with_detail("the store's queue is full")
            }
            Refused::Closed => Platform::new(FaultKind::Degraded).with_detail("the store is closed"),
        })
    }

    /// Takes nothing more. The threads carry out what is queued, and end.
    pub(super) fn shut(&self) {
        self.writes.close();
        self.reads.close();
        #[cfg(feature = "postgres")]
        if let Some(aside) = &self.aside {
            aside.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }

    pub(super) async fn lease(&self, name: &str) -> Lease {
        self.shared.leases.take(name, |name| self.grant(name)).await
    }

    #[cfg(not(feature = "postgres"))]
    async fn grant(&self, name: Arc<str>) -> Granted {
        self.shared.leases.grant(&name)
    }

    #[cfg(feature = "postgres")]
    async fn grant(&self, name: Arc<str>) -> Granted {
        let Some(aside) = &self.aside else { return self.shared.leases.grant(&name) };
        let aside = aside.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (reply, granted) = oneshot::channel();
        let asked = match aside {
            Some(aside) => aside.send(Wanted { name, reply }).await.is_ok(),
            None => false,
        };
        match granted.await {
            Ok(granted) if asked => granted,
            // The store is closed: nobody gets anything any more.
            _ => std::future::pending().await,
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shut();
    }
}
