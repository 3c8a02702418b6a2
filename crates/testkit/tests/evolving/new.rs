//! A program after a change of its schema, its contracts and its events.
#![forbid(unsafe_code)]

mod system;
#[path = "new_version.rs"]
mod version;

fn main() -> std::process::ExitCode {
    system::main()
}
