//! The program as people run it: real processes, real HTTP, and programs beside it that come and go.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod addresses;
mod calls;
mod deaths;
mod flask;
mod gateway;
mod grpc;
mod life;
mod python;
mod refusals;
mod registries;
mod support;
