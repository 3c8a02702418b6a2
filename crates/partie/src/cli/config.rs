//! `config`: every setting that counts, and where it comes from.

use std::process::ExitCode;

use clap::ArgMatches;

use super::{configure, out, refuse};
use crate::system::System;

pub(super) fn main(system: &System, flags: &ArgMatches) -> ExitCode {
    let effective = match configure(system, flags) {
        Ok(effective) => effective,
        Err(error) => return refuse(&error),
    };
    let lines = effective.lines();
    let width = |pick: fn(&(String, String, crate::config::Origin)) -> &str| {
        lines.iter().map(|line| pick(line).len()).max().unwrap_or_default()
    };
    let (keys, values) = (width(|(key, ..)| key), width(|(_, value, _)| value));
    for (key, value, origin) in &lines {
        out::line(&format!("{key:<keys$} = {value:<values$}  # {origin}"));
    }
    ExitCode::SUCCESS
}
