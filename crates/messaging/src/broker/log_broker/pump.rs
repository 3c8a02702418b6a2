//! A subscription's task: it waits for its turn, reads the log, and notes how far the group is.

mod keeper;
mod reader;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use partie_contract::Outcome;
use partie_runtime::{Stop, monotonic};
use tracing::{debug, warn};

use super::seat::{Active, Cell, Part, Seat};
use super::tables::{self, Reader};
use super::{ByBroker, Inner};
use crate::broker::group::GroupState;
use crate::broker::{BrokerError, Group};

pub(super) struct Pump {
    inner: Arc<Inner>,
    group: Group,
    seat: Arc<Seat>,
    /// The subscription was dropped.
    leave: Stop,
}

/// How often whoever stands by looks at the reader, in parts of a lease.
const LOOKS: u32 = 4;
/// How long the last notes may take.
const FAREWELL: Duration = Duration::from_secs(5);

// === impl Pump ===

impl Pump {
    pub(super) fn new(inner: Arc<Inner>, group: Group, seat: Arc<Seat>, leave: Stop) -> Self {
        Self { inner, group, seat, leave }
    }

    /// Until the subscription is dropped or over, or the broker is closed.
    pub(super) async fn run(self) {
        let cell = self.inner.cell(&self.group.name);
        let stopped = async {
            tokio::select! { () = self.leave.stopped() => {}, () = self.inner.stop.stopped() => {} }
        };
        tokio::pin!(stopped);
        // One of this process at a time; then one of all processes.
        let turn = tokio::select! {
            turn = Arc::clone(&cell.turn).lock_owned() => turn,
            () = &mut stopped => return self.seat.end(),
        };
        let epoch = tokio::select! {
            epoch = self.stand_by() => epoch,
            () = &mut stopped => return self.seat.end(),
        };
        tokio::select! {
            () = self.read(&cell, epoch) => {}
            () = &mut stopped => {}
        }
        self.say_goodbye(&cell, epoch).await;
        drop(turn);
    }

    /// Waits until nobody else reads for the group. Gives back the epoch from which on this one does.
    async fn stand_by(&self) -> i64 {
        let Inner { store, config, .. } = &*self.inner;
        let mut seen: Option<(Reader, Instant)> = None;
        let mut failures = 0;
        loop {
            let name = self.group.name.clone();
            let reader: Outcome<_> = store.read(move |tx| Ok(tables::reader(tx, &name)?)).await;
            let reader = reader.by_broker();
            if let Ok(Some(reader)) = reader
                && reader.is_read
                && config.shared_store
            {
                match seen {
                    Some((before, since)) if before == reader && since.elapsed() >= config.lease => {
                        warn!(
                            group = self.group.name,
                            "whoever read for the group is silent; it is taken over"
                        );
                    }
                    Some((before, _)) if before == reader => {
                        tokio::time::sleep(config.lease / LOOKS).await;
                        continue;
                    }
                    _ => {
                        seen = Some((reader, monotonic()));
                        tokio::time::sleep(config.lease / LOOKS).await;
                        continue;
                    }
                }
            }
            let taken = match reader {
                Ok(reader) => {
                    let name = self.group.name.clone();
                    let taken: Outcome<_> =
                        store.write(move |tx| Ok(tables::take_over(tx, &name, reader)?)).await;
                    taken.by_broker()
                }
                Err(error) => Err(error),
            };
            match taken {
                Ok(Some(epoch)) => return epoch,
                // Somebody was faster.
                Ok(None) => seen = None,
                Err(error) => {
                    failures += 1;
                    warn!(group = self.group.name, %error, failures, "a group cannot be read now");
                    tokio::time::sleep(config.backoff.after(failures, store.ids())).await;
                }
            }
        }
    }

    /// Until it is over.
    async fn read(&self, cell: &Cell, epoch: i64) {
        let Inner { store, config, .. } = &*self.inner;
        let mut failures = 0;
        let active = loop {
            match self.remember(epoch).await {
                Ok(active) => break active,
                Err(error) => {
                    failures += 1;
                    warn!(group = self.group.name, %error, failures, "a group cannot be read now");
                    tokio::time::sleep(config.backoff.after(failures, store.ids())).await;
                }
            }
        };
        let parts = active.parts.len();
        self.seat.lock().active = Some(active);
        cell.set_seat(Some(Arc::clone(&self.seat)));
        // What failed before may be due.
        self.seat.work.notify_one();
        self.seat.news.notify_one();
        debug!(group = self.group.name, epoch, parts, "a group is read");
        tokio::select! {
            () = self.keep() => {}
            _ = join_all((0..parts).map(|part| self.read_part(part))) => {}
        }
    }

    async fn remember(&self, epoch: i64) -> Result<Active, BrokerError> {
        let Inner { store, log, config, .. } = &*self.inner;
        let parts = log.parts().await?;
        let name = self.group.name.clone();
        let remembered: Outcome<Vec<_>> = store
            .write(move |tx| {
                let parts = (0..parts).map(|part| tables::remember(tx, &name, part));
                Ok(parts.collect::<Result<_, _>>()?)
            })
            .await;
        let parts = remembered.by_broker()?.into_iter().map(|tables::Part { remembered, base }| {
            let end = remembered.settled;
            let (activity, ids) = (store.activity().clone(), store.ids().clone());
            let state = GroupState::new(self.group.clone(), config.buffer, remembered, end, activity, ids);
            Part::new(state, base)
        });
        Ok(Active::new(epoch, parts.collect()))
    }

    /// Notes what was settled last, and lets somebody else read.
    async fn say_goodbye(&self, cell: &Cell, epoch: i64) {
        let Inner { store, .. } = &*self.inner;
        let name = self.group.name.clone();
        let goodbye = async {
            self.seat.flush(store, &name, false).await?;
            // From here on a late verdict changes nothing.
            self.seat.end();
            let name = name.clone();
            let left: Outcome<()> = store.write(move |tx| Ok(tables::leave(tx, &name, epoch)?)).await;
            left.by_broker()
        };
        match tokio::time::timeout(FAREWELL, goodbye).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                warn!(group = name, %error, "what was settled last is not noted; it will be delivered again");
            }
            Err(_) => warn!(group = name, "what was settled last is not noted; it will be delivered again"),
        }
        self.seat.end();
        cell.set_seat(None);
    }
}
