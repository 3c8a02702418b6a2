//! The program `food`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    food::system().main()
}
