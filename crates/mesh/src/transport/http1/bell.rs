//! What wakes whoever uses a connection, and tells its pool of what happens while nobody does.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Wake, Waker};

use futures_util::task::AtomicWaker;

/// Rings when something happens to a connection. It is always the same one for the socket, whoever uses the connection.
pub(super) struct Bell {
    state: AtomicU8,
    /// Who uses the connection.
    user: AtomicWaker,
    /// Told of what happens while nobody does.
    told: Box<dyn Fn() + Send + Sync>,
}

/// Somebody uses the connection.
const USED: u8 = 0;
/// Nobody uses it, and nothing has happened to it.
const AT_REST: u8 = 1;
/// Something came while nobody had asked for anything: most likely its end.
const DISTURBED: u8 = 2;

// === impl Bell ===

impl Bell {
    /// Of a connection that somebody uses. `told` is called when something happens to it while nobody does.
    pub(super) fn new(told: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { state: AtomicU8::new(USED), user: AtomicWaker::new(), told: Box::new(told) })
    }

    /// Wakes that one from now on.
    pub(super) fn is_for(&self, user: &Waker) {
        self.user.register(user);
    }

    /// Nobody uses it from now on, and whoever did may go.
    pub(super) fn rest(&self) {
        drop(self.user.take());
        self.state.store(AT_REST, Ordering::Release);
    }

    /// Ends the rest. Says whether nothing has happened meanwhile.
    pub(super) fn rouse(&self) -> bool {
        self.state.swap(USED, Ordering::AcqRel) == AT_REST
    }

    /// Whether something came while nobody used it.
    pub(super) fn is_disturbed(&self) -> bool {
        self.state.load(Ordering::Acquire) == DISTURBED
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match self.state.compare_exchange(AT_REST, DISTURBED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => (self.told)(),
            Err(USED) => self.user.wake(),
            Err(_) => {}
        }
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("state", &self.state).finish_non_exhaustive()
    }
}
