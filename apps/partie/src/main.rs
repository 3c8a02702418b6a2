//! The program `partie`: the mesh as a sidecar for programs in any language, and a registry for them to meet at.
//!
//! Layout: `cli` reads the command line; `config` is what can be set; `sidecar` is the sidecar, `registry` the registry;
//! `life` runs them until they are told to stop; `out` is what they say.
#![forbid(unsafe_code)]

mod cli;
mod config;
mod life;
mod out;
mod registry;
mod sidecar;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
