//! The tests of the edge.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod addresses;
mod admin;
mod building;
mod clients;
mod config;
mod grpc;
mod identity;
mod own;
mod pages;
mod rates;
mod requests;
mod routes;
mod support;
mod swap;
mod upstream;
mod wires;
