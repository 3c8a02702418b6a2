//! The program `ncr`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ncr::system_in(|name| std::env::var(name).ok()).main()
}
