//! The tests of the nCr system: the numbers, the protocols, and what goes over the hop between the services.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
mod elsewhere;
mod exact;
mod grpc;
mod hops;
mod latency;
mod pipeline;
mod processes;
mod program;
mod routes;
mod seed_client;
mod support;
