//! The tests of messaging, from the transaction that publishes to the one that handles, and across crashes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod broker;
mod crash;
mod desk;
#[cfg_attr(
    not(all(feature = "kafka", feature = "nats", feature = "rabbitmq")),
    allow(dead_code, reason = "no engine needs all of what they share")
)]
mod engines;
mod events;
mod evolution;
mod jobs;
mod keeping;
mod line;
mod on_record;
mod parked;
mod restored;
mod rig;
mod rounds;
mod sagas;
mod stepping;
mod timers;
mod together;
mod turns;
mod wire;
mod world;
