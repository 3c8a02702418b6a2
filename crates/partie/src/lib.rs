//! Partie: microservices in Rust. A service is a page of code, a whole system starts with one command.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use partie::Service;
//!
//! fn main() -> std::process::ExitCode {
//!     Service::new("hello").router(|_| Router::new().route("/", get(|| async { "Hello from hello" }))).main()
//! }
//! ```
//!
//! * [`Service`]: contracts, a store and plain axum routes, declared; its state is started.
//! * [`System`]: services composed into one program, which is also its command line.
//! * [`contract`]: the words of contracts, `#[contract]` and the derives included.
//!
//! * [`messaging`]: events, timers, jobs and sagas, each tied to the commits of a service's store.
//!
//! * [`cache`]: what is read often and belongs to somebody else; [`Start::cache`] makes one.
//!
//! * `grpc`, with the feature of that name: plain tonic services beside contracts, and channels to them.
//!
//! Layout: `service` is what users declare; `live` streams what was committed; `server` is the road of a request inside
//! a service and `background` what it does besides; `platform` is what the platform itself answers; `system` launches and
//! drains; `evolution` compares contracts and events with those that are committed; `wire` is how the processes of a system meet; `config` merges the layers of settings; `cli` is the command line.
#![forbid(unsafe_code)]

mod background;
mod caching;
mod chaos;
mod cli;
mod config;
mod evolution;
#[cfg(feature = "grpc")]
pub mod grpc;
mod live;
pub mod platform;
mod policies;
mod retention;
mod server;
mod service;
mod supervisor;
mod system;
mod trust;
pub mod wire;

/// The command-line library of [`System::command`].
pub use clap;
pub use config::{Config, ConfigError, InvalidPublicUrl, Origin, PublicUrl};
pub use evolution::{Break, Comparison};
pub use live::{Live, News, Place};
/// What is read often and belongs to somebody else.
pub use partie_cache as cache;
pub use partie_contract::{Call, Fault, Outcome, OutcomeExt, Platform};
/// The edge: [`Gateway`] is its settings.
pub use partie_gateway as gateway;
pub use partie_gateway::Gateway;
/// Tokens, keys, and whom to believe.
pub use partie_identity as identity;
pub use partie_messaging as messaging;
pub use partie_runtime as runtime;
pub use partie_store as store;
pub use partie_telemetry as telemetry;
pub use policies::Finding;
pub use service::{Service, Serving, Start};
pub use system::{
    EdgeError, Ended, Environment, RegistryConfig, RegistryOffLoopback, Running, StartError, System,
};

/// The words of contracts; see the crate `partie-contract`.
pub mod contract {
    pub use partie_contract::via_partie::{Event, Problem, contract};
    pub use partie_contract::*;
}
