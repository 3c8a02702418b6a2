//! The tests of the edge.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod addresses;
mod building;
mod grpc;
mod identity;
mod own;
mod requests;
mod support;
