//! A bounded queue between async callers and the threads of a store.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Rejects at once when full; lets what it has taken out even after it was closed.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    capacity: usize,
}

struct State<T> {
    items: VecDeque<T>,
    is_open: bool,
    /// How many threads sleep in `pop`. Waking costs a system call even when nobody sleeps.
    sleepers: usize,
}

/// Why an item was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

/// What came of waiting for an item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Popped<T> {
    Item(T),
    /// The time was over.
    Idle,
    /// The queue is closed and empty.
    Closed,
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State { items: VecDeque::new(), is_open: true, sleepers: 0 };
        Self { state: Mutex::new(state), filled: Condvar::new(), capacity: capacity.max(1) }
    }

    pub(crate) fn push(&self, item: T) -> Result<(), Refused> {
        let mut state = self.lock();
        if !state.is_open {
            return Err(Refused::Closed);
        }
        if state.items.len() >= self.capacity {
            return Err(Refused::Full);
        }
        state.items.push_back(item);
        if state.sleepers > 0 {
            drop(state);
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits for an item, for at most that long if a limit is given.
    pub(crate) fn pop(&self, limit: Option<Duration>) -> Popped<T> {
        let mut state = self.lock();
        let mut timed_out = false;
        loop {
            if let Some(item) = state.items.pop_front() {
                return Popped::Item(item);
            }
            if !state.is_open {
                return Popped::Closed;
            }
            if timed_out {
                return Popped::Idle;
            }
            state.sleepers += 1;
            state = match limit {
                None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(limit) => {
                    let (state, timeout) =
                        self.filled.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner);
                    timed_out = timeout.timed_out();
                    state
                }
            };
            state.sleepers -= 1;
        }
    }

    /// An item, if one is there.
    pub(crate) fn try_pop(&self) -> Option<T> {
        self.lock().items.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Takes nothing more. What is inside still comes out.
    pub(crate) fn close(&self) {
        self.lock().is_open = false;
        self.filled.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn a_full_queue_rejects_and_a_closed_one_lets_out_what_it_has() {
        let queue = Queue::new(2);
        assert_eq!((queue.push(1), queue.push(2), queue.push(3)), (Ok(()), Ok(()), Err(Refused::Full)));
        assert_eq!(queue.len(), 2);
        queue.close();
        assert_eq!(queue.push(4), Err(Refused::Closed));
        assert_eq!((queue.pop(None), queue.try_pop()), (Popped::Item(1), Some(2)));
        assert_eq!(queue.pop(None), Popped::Closed);
    }

    #[test]
    fn waiting_ends_with_an_item_the_limit_or_the_close() {
        let queue = Arc::new(Queue::new(1));
        assert_eq!(queue.pop(Some(Duration::from_millis(1))), Popped::Idle);
        let waiter = thread::spawn({
            let queue = Arc::clone(&queue);
            move || (queue.pop(None), queue.pop(None))
        });
        queue.push(7).unwrap();
        queue.close();
        assert_eq!(waiter.join().unwrap(), (Popped::Item(7), Popped::Closed));
    }
}
