//! Reads one part of the log, whatever happens to the line.

use std::sync::Arc;

use partie_contract::Outcome;
use tracing::{error, warn};

use super::Pump;
use crate::broker::log::{Feed, Place, ReadError};
use crate::broker::log_broker::{ByBroker, Inner, tables};

// === impl Pump ===

impl Pump {
    /// Until this subscriber does not read any more.
    pub(super) async fn read_part(&self, part: usize) {
        let Inner { store, log, config, .. } = &*self.inner;
        let number = u32::try_from(part).unwrap_or(u32::MAX);
        let mut failures = 0;
        while let Some(after) = self.room(part).await {
            let place = Place { part: number, after, types: self.group.types.clone() };
            match log.read(place).await {
                Ok(feed) => {
                    if self.follow(part, feed).await {
                        failures = 0;
                    }
                }
                Err(ReadError::Anew { after }) => {
                    error!(
                        group = self.group.name,
                        part, after, "the broker has lost its memory; its log is read from the beginning"
                    );
                    if self.begin_anew(number).await {
                        return self.seat.end();
                    }
                }
                Err(ReadError::Broker(error)) => {
                    warn!(group = self.group.name, part, %error, failures, "the log cannot be read");
                }
            }
            failures += 1;
            tokio::time::sleep(config.backoff.after(failures, store.ids())).await;
        }
    }

    /// Until the feed ends. Says whether anything came.
    async fn follow(&self, part: usize, mut feed: Box<dyn Feed>) -> bool {
        let mut came = false;
        while self.room(part).await.is_some() {
            match feed.next().await {
                Ok(page) => {
                    came = true;
                    self.seat.load(part, page.rows, page.to);
                }
                Err(error) => {
                    warn!(group = self.group.name, part, %error, "the line to the log broke");
                    break;
                }
            }
        }
        came
    }

    /// Waits until there is room for more messages. Gives back the log's position behind which to read on, or nothing
    /// when this subscriber does not read any more.
    async fn room(&self, part: usize) -> Option<i64> {
        loop {
            let (after, room) = self.seat.with(part, |part| {
                let after = part.state.has_room().then(|| part.state.scanned() - part.base);
                (after, Arc::clone(&part.room))
            })?;
            match after {
                Some(after) => return Some(after),
                None => room.notified().await,
            }
        }
    }

    async fn begin_anew(&self, part: u32) -> bool {
        let (store, name) = (&self.inner.store, self.group.name.clone());
        let Some(epoch) = self.seat.lock().active.as_ref().map(|active| active.epoch) else { return false };
        if !matches!(self.seat.flush(store, &name, false).await, Ok(true)) {
            return false;
        }
        let begun: Outcome<()> = store
            .write(move |tx| {
                if tables::beat(tx, &name, epoch)? {
                    tables::begin_anew(tx, &name, part)?;
                }
                Ok(())
            })
            .await;
        begun.by_broker().inspect_err(|error| warn!(%error, "a position cannot be noted")).is_ok()
    }
}
