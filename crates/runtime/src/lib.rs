//! The handles through which the parts of Partie reach time, randomness and threads, so that a test, a replay or a
//! simulation can own them.
//!
//! * [`Clock`]: business time, real or stepped. [`monotonic`] and [`trust_now`] are the two clocks that stay real.
//! * [`Ids`]: UUIDv7 ids and trace ids, from entropy or from a seed.
//! * [`Activity`]: whether anything is going on, which is what lets virtual time move.
//! * [`Backoff`]: how long to wait before the next attempt.
//! * [`Compute`]: a bounded pool for work that would hold up a request thread.
//! * [`Secret`]: a value of the configuration that is used and never shown.
//! * [`Stop`]: tells everything that runs in the background to end, and waits for it.
//! * [`duration`]: durations in configuration, as people write them.
//! * `layers`: defaults, a file, the environment and flags as one configuration, with the feature of that name.
//! * [`failpoint`]: a named place where a test may let the process die.
#![forbid(unsafe_code)]

mod activity;
mod backoff;
mod clock;
mod compute;
pub mod duration;
mod failpoint;
mod ids;
#[cfg(feature = "layers")]
pub mod layers;
mod scramble;
mod secret;
mod stop;

pub use activity::{Activity, Busy};
pub use backoff::Backoff;
pub use clock::{Clock, Stepper, monotonic, trust_now};
pub use compute::{Compute, Saturated};
pub use failpoint::failpoint;
pub use ids::Ids;
pub use scramble::scramble;
pub use secret::{HIDDEN, Secret, SecretError};
pub use stop::Stop;
