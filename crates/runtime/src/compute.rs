//! A bounded pool for work that would hold up a request thread.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

type Task = Box<dyn FnOnce() + Send>;

/// Threads for computing. Cheap to clone; the threads end with the last clone.
#[derive(Clone)]
pub struct Compute(SyncSender<Task>);

/// The pool's queue is full, or the task panicked; nothing of its result is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saturated;

// === impl Compute ===

impl Compute {
    /// A pool of that many threads and a queue of that many tasks.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(threads: usize, queue: usize) -> std::io::Result<Self> {
        let (tasks, inbox) = sync_channel::<Task>(queue.max(1));
        let inbox = Arc::new(Mutex::new(inbox));
        for number in 0..threads.max(1) {
            let inbox = Arc::clone(&inbox);
            std::thread::Builder::new().name(format!("compute-{number}")).spawn(move || work(&inbox))?;
        }
        Ok(Self(tasks))
    }

    /// Runs a task off the request threads.
    ///
    /// # Errors
    /// [`Saturated`] at once when the queue is full, or when the task panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Saturated> {
        let (reply, result) = oneshot::channel();
        let task: Task = Box::new(move || {
            // Nobody may be waiting any more.
            drop(reply.send(task()));
        });
        match self.0.try_send(task) {
            Ok(()) => result.await.map_err(|_| Saturated),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Saturated),
        }
    }

    /// Lets others go first, if there are any. For a task that takes milliseconds, every tenth of one: it costs a
    /// microsecond.
    ///
    /// Threads that serve requests take the core from one that computes when they wake, but not always: Linux is fair, and
    /// one that has just been served more than its share has to wait for the end of the other's turn, which is up to 4 ms.
    pub fn give_way() {
        std::thread::yield_now();
    }
}

fn work(inbox: &Mutex<Receiver<Task>>) {
    go_last();
    loop {
        let task = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match task {
            // A panicking task drops its reply, which its caller sees; the thread goes on.
            Ok(task) => drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(task))),
            Err(_) => return,
        }
    }
}

/// Whoever answers requests goes first: what is computed takes long anyway. Of Linux's policies (sched(7)) only that of
/// idle threads gives its core up at once to another that wakes; a nice one first ends its turn, of some 2 ms. It gets
/// what others leave: a core that serves without a pause computes next to nothing, and callers see [`Saturated`].
///
/// Only Linux has policies of threads; elsewhere they are the whole process's and stay as they are.
fn go_last() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let this = thread_priority::thread_native_id();
        // One may always be nicer than before. Should the system refuse all the same, work is done, only less politely.
        thread_priority::set_thread_priority_and_policy(this, ThreadPriority::Min, idle).ok();
    }
}

impl fmt::Debug for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compute")
    }
}

impl fmt::Display for Saturated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the compute pool took no task, or the task panicked")
    }
}

impl std::error::Error for Saturated {}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn computing_gives_way_and_its_caller_does_not() {
        use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy};
        let policy = || thread_schedule_policy().unwrap();
        let (before, pool) = (policy(), Compute::start(1, 1).unwrap());
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        assert_eq!(pool.run(policy).await, Ok(idle));
        assert_eq!(policy(), before);
        assert_ne!(before, idle);
    }

    #[tokio::test]
    async fn a_full_queue_rejects_at_once_and_a_panic_kills_no_thread() {
        let pool = Compute::start(1, 1).unwrap();
        let (release, gate) = sync_channel::<()>(0);
        let (started, running) = oneshot::channel();
        let blocked = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    started.send(()).unwrap();
                    gate.recv().unwrap();
                })
                .await
            }
        });
        running.await.unwrap();
        let mut queued = Box::pin(pool.run(|| panic!("on purpose")));
        // Polled once, so that it stands in the queue.
        tokio::select! { biased; _ = &mut queued => unreachable!("the thread is blocked"), () = async {} => {} }
        assert_eq!(pool.run(|| ()).await, Err(Saturated));
        release.send(()).unwrap();
        assert_eq!(blocked.await.unwrap(), Ok(()));
        assert_eq!(queued.await, Err::<(), _>(Saturated));
        assert_eq!(pool.run(|| 42).await, Ok(42));
    }
}
