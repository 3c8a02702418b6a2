//! When to try to reach the server again, agreed among the threads of a store.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use partie_runtime::{Backoff, Ids, monotonic};
use tracing::{error, info};

use crate::error::Error;
use crate::shared::Shared;
use crate::status::Health;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));

/// What keeps a store from its work.
#[derive(Default)]
pub(super) struct Outage(Mutex<State>);

#[derive(Default)]
struct State {
    down: Option<Down>,
    is_full: bool,
}

/// The server cannot be reached.
struct Down {
    since: Instant,
    attempts: u32,
    next: Instant,
    reason: String,
}

/// Who may try.
pub(super) enum Turn {
    Now,
    /// Somebody else just has; look again after that long.
    Wait(Duration),
    /// It has been down for so long that nobody is kept waiting for it.
    GiveUp(String),
}

// === impl Outage ===

impl Outage {
    /// Asks to connect. A turn that was given is used: its outcome is told with [`up`](Self::up) or [`down`](Self::down).
    pub(super) fn turn(&self, patience: Duration, ids: &Ids) -> Turn {
        let mut state = self.lock();
        let Some(down) = &mut state.down else { return Turn::Now };
        let now = monotonic();
        if now >= down.next {
            down.attempts = down.attempts.saturating_add(1);
            // Whoever comes while this one tries waits for its outcome.
            down.next = now + BACKOFF.after(down.attempts, ids);
            return Turn::Now;
        }
        if now - down.since > patience {
            return Turn::GiveUp(down.reason.clone());
        }
        Turn::Wait((down.next - now).min(Duration::from_millis(20)))
    }

    pub(super) fn down(&self, shared: &Shared, reason: &Error) {
        let mut state = self.lock();
        if state.down.is_none() {
            error!(store = %shared.name, %reason, "the database cannot be reached");
            let now = monotonic();
            let next = now + BACKOFF.after(1, &shared.handles.ids);
            state.down = Some(Down { since: now, attempts: 1, next, reason: reason.to_string() });
            shared.status.set(Health::Degraded("the database cannot be reached".into()));
        }
    }

    pub(super) fn up(&self, shared: &Shared) {
        let mut state = self.lock();
        if state.down.take().is_some() {
            info!(store = %shared.name, "the database can be reached again");
            state.tell(shared);
        }
    }

    /// Notes that the server's disk is full, or is not any more.
    pub(super) fn full(&self, shared: &Shared, is_full: bool) {
        let mut state = self.lock();
        if state.is_full != is_full {
            state.is_full = is_full;
            match is_full {
                true => {
                    error!(store = %shared.name, "the server's disk is full: writes are refused until there is space")
                }
                false => info!(store = %shared.name, "there is space again: writes are accepted"),
            }
            state.tell(shared);
        }
    }

    pub(super) fn is_down(&self) -> bool {
        self.lock().down.is_some()
    }

    pub(super) fn is_full(&self) -> bool {
        self.lock().is_full
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&self, shared: &Shared) {
        shared.status.set(match (&self.down, self.is_full) {
            (Some(_), _) => Health::Degraded("the database cannot be reached".into()),
            (None, true) => Health::Degraded("the disk is full".into()),
            (None, false) => Health::Ready,
        });
    }
}
