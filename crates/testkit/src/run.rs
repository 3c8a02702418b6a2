//! A system under test that runs.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use partie::Running;
use partie_contract::{Call, Client, Timestamp};
use partie_runtime::Stepper;

use crate::client::Bound;
use crate::plain::Http;
use crate::quiet;

/// A running system under test. It is also a [`Running`], with everything that can do.
///
/// Dropped without [`stop`](Self::stop) it takes no more connections, and ends with the test's runtime: nobody waits for
/// what was going on.
#[derive(Debug)]
pub struct TestRun {
    running: Arc<Running>,
    stepper: Option<Stepper>,
    is_stopped: bool,
}

// === impl TestRun ===

impl TestRun {
    pub(crate) fn new(running: Arc<Running>, stepper: Option<Stepper>) -> Self {
        Self { running, stepper, is_stopped: false }
    }

    /// A client of its door, over a real socket.
    pub fn http(&self) -> Http {
        Http::new(self.running.address())
    }

    /// A token of somebody with these roles, good for a day.
    ///
    /// # Panics
    /// For a subject or role no verifier would accept.
    pub fn token(&self, subject: &str, roles: &[&str]) -> String {
        match self.running.token(subject, roles) {
            Ok(token) => token,
            Err(error) => panic!("no token for {subject}: {error}"),
        }
    }

    /// A call by somebody whose name is also their one role: `call_as("customer")`.
    ///
    /// # Panics
    /// As [`token`](Self::token).
    pub fn call_as(&self, role: &str) -> Call {
        self.call_by(role, &[role])
    }

    /// A call by somebody with these roles.
    ///
    /// # Panics
    /// As [`token`](Self::token).
    pub fn call_by(&self, subject: &str, roles: &[&str]) -> Call {
        match self.running.call_as(subject, roles) {
            Ok(call) => call,
            Err(error) => panic!("no call by {subject}: {error}"),
        }
    }

    /// A typed client that calls through the door, over a real socket, as somebody whose name is also their one role.
    /// A call with a caller of its own keeps it.
    ///
    /// # Panics
    /// As [`token`](Self::token).
    pub fn client_as<C: Client>(&self, role: &str) -> C {
        self.client_by(role, &[role])
    }

    /// The same as somebody with these roles.
    ///
    /// # Panics
    /// As [`token`](Self::token).
    pub fn client_by<C: Client>(&self, subject: &str, roles: &[&str]) -> C {
        C::over(Bound::channel(self.running.address(), self.token(subject, roles)))
    }

    /// Moves business time on by that much, wakes whoever is due, and waits until nothing is going on.
    ///
    /// # Panics
    /// When the system does not run on a stepped clock.
    pub async fn step(&self, by: Duration) {
        let now = self.running.clock().now().as_millis();
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.step_to(Timestamp::from_millis(now.saturating_add(by))).await;
    }

    /// Moves business time to `now`, stopping at every moment somebody waits for, so that nobody wakes late.
    ///
    /// # Panics
    /// When the system does not run on a stepped clock.
    pub async fn step_to(&self, now: Timestamp) {
        let Some(stepper) = &self.stepper else {
            panic!("business time is not this test's to move: start with `.stepped(..)`")
        };
        let activity = self.running.activity();
        self.quiet().await;
        while let Some(wake) = stepper.next_wake().filter(|wake| *wake < now) {
            stepper.step_to(wake, &activity.begin());
            self.quiet().await;
        }
        stepper.step_to(now, &activity.begin());
        self.quiet().await;
    }

    /// Waits until everything that follows from what was done has happened, on engines elsewhere too.
    pub async fn quiet(&self) {
        quiet::quiet(&self.running).await;
    }

    /// Drains it, as a program does when it is asked to end.
    ///
    /// # Panics
    /// When it had died before.
    pub async fn stop(mut self) {
        self.is_stopped = true;
        if let Err(error) = self.running.stop().await {
            panic!("the system had died: {error}");
        }
    }
}

impl Drop for TestRun {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Handle::try_current();
        if let (false, Ok(runtime)) = (self.is_stopped, runtime) {
            let running = Arc::clone(&self.running);
            // Nobody is left to hear what came of it.
            runtime.spawn(async move { running.stop().await.ok() });
        }
    }
}

impl Deref for TestRun {
    type Target = Arc<Running>;

    fn deref(&self) -> &Arc<Running> {
        &self.running
    }
}
