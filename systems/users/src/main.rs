//! The program `users`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    users::system().main()
}
