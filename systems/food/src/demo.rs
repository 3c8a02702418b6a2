//! The demo actors: kitchens and drivers who play through the contracts, as people with an app would, so that an order
//! a newcomer places is cooked, driven and delivered within about 20 seconds.

mod drivers;
mod kitchen;

use std::sync::Arc;

use partie::{Call, Running};

/// Everybody plays until the system drains.
pub async fn play(running: Arc<Running>) {
    tokio::join!(kitchen::run(Arc::clone(&running)), drivers::run(running));
}

/// Somebody with a token of their own.
struct Person {
    running: Arc<Running>,
    subject: String,
    role: &'static str,
}

impl Person {
    /// A call in their name. There is none only if the name is not one a token can have.
    fn call(&self) -> Option<Call> {
        self.running.call_as(&self.subject, &[self.role]).ok()
    }

    /// A call that does something, under a key that is the same after a restart: it happens once.
    fn act(&self, what: &str, on: impl std::fmt::Display) -> Option<Call> {
        Some(self.call()?.with_key(format!("demo-{what}-{on}")))
    }
}
