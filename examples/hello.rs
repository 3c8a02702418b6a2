//! A whole service: plain axum, started, served, drained. `cargo run -p examples --bin hello`, then
//! `curl http://127.0.0.1:8080/`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use axum::Router;
use axum::routing::get;
use partie::Service;

fn main() -> ExitCode {
    Service::new("hello").router(|_| Router::new().route("/", get(|| async { "Hello from hello" }))).main()
}
