//! The repository's own commands: all of what CI runs, the house rules, the OpenAPI files, the contracts, the gRPC code,
//! the benchmarks, the program as it ships.
//!
//! It depends on no crate of Partie, so that it builds and explains when one of them does not.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal: it talks by printing"
)]

mod bench;
mod contracts;
mod dist;
mod engines;
mod hosts;
mod machines;
mod openapi;
mod policy;
mod process;
mod proto;
mod setup;
mod suite;
mod tidy;
mod violation;

use std::process::ExitCode;

use crate::process::Result;

/// A command: its name, what follows it, what it does, and the function that does it.
struct Command {
    name: &'static str,
    arguments: &'static str,
    does: &'static str,
    run: fn(&[String]) -> Result,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "test",
        arguments: "[--only STEP,..] [--list]",
        does: "everything CI does, step by step; stops at the first failure",
        run: suite::command,
    },
    Command { name: "tidy", arguments: "", does: "the rules of the house", run: tidy::command },
    Command {
        name: "openapi",
        arguments: "[--check]",
        does: "rewrite the committed OpenAPI files, or only check them",
        run: openapi::command,
    },
    Command {
        name: "contracts",
        arguments: "[--check]",
        does: "rewrite the committed contracts and events unless a change breaks somebody, or only check them",
        run: contracts::command,
    },
    Command {
        name: "proto",
        arguments: "[--check]",
        does: "rewrite the checked-in gRPC code, or only check it",
        run: proto::command,
    },
    Command {
        name: "bench",
        arguments: "NAME [ARGS..]",
        does: "run a macro benchmark; `build` measures build times",
        run: bench::command,
    },
    Command {
        name: "dist",
        arguments: "",
        does: "build the `partie` program as it ships, by a profile of a training load",
        run: dist::command,
    },
    Command {
        name: "hosts",
        arguments: "",
        does: "the food system on two hosts, one cut off and back (Linux, as root)",
        run: hosts::command,
    },
    Command {
        name: "machines",
        arguments: "",
        does: "the guide to three machines, command by command (Linux, as root)",
        run: machines::command,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(command) = COMMANDS.iter().find(|c| arguments.first().is_some_and(|a| a == c.name)) else {
        eprintln!("usage: cargo xtask COMMAND\n");
        for c in COMMANDS {
            eprintln!("  {:<34} {}", format!("{} {}", c.name, c.arguments), c.does);
        }
        return ExitCode::from(2);
    };
    match (command.run)(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("FAILED: {why}");
            ExitCode::FAILURE
        }
    }
}
