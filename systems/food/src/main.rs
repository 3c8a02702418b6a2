//! The program `food`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Requests, transactions and messages are many small things that one thread makes and another drops. SQLite allocates
/// here too.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    food::system().main()
}
