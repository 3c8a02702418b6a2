//! The program `partie`: a gateway in front of anything, the mesh as a sidecar for programs in any language, and a registry
//! for them to meet at.
//!
//! Layout: `cli` reads the command line; `gateway` is the gateway, `sidecar` the sidecar, which `config` is of, `registry` the
//! registry; `life` runs them until they are told to stop; `out` is what they say.
#![forbid(unsafe_code)]

mod cli;
mod config;
mod gateway;
mod life;
mod out;
mod registry;
mod sidecar;

use std::process::ExitCode;

/// A proxied request is a dozen small buffers that live for a moment, at which glibc's allocator is slow.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::main()
}
