//! The whole food system, as its users meet it: the real program, over real HTTP.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
mod crash;
mod demo;
mod faults;
mod journeys;
mod operations;
mod orders;
mod policies;
mod processes;
mod program;
mod refusals;
mod registered;
mod registry;
mod replay;
mod replay_signal;
mod schemas;
mod seeds;
