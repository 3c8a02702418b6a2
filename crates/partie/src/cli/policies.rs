//! `policies`: every call edge with what holds for it, and where each value comes from; `check`: whether it can work.

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;

use super::{configure, out, refuse};
use crate::policies::{Edge, Policies, Source};
use crate::system::System;

pub(super) fn main(system: &System, flags: &ArgMatches) -> ExitCode {
    let effective = match configure(system, flags) {
        Ok(effective) => effective,
        Err(error) => return refuse(&error),
    };
    let policies = Policies::of(system, &effective.config);
    let rows: Vec<[String; 6]> = policies.edges.iter().map(row).collect();
    let titles =
        ["call", "timeout", "one attempt", "retries", "second attempt after", "when it cannot be asked"]
            .map(str::to_owned);
    out::table(&titles, &rows);
    ExitCode::SUCCESS
}

pub(super) fn check(system: &System, flags: &ArgMatches) -> ExitCode {
    let effective = match configure(system, flags) {
        Ok(effective) => effective,
        Err(error) => return refuse(&error),
    };
    let found = system.check(&effective.config);
    if found.is_empty() {
        let edges = Policies::of(system, &effective.config).edges.len();
        out::line(&format!(
            "{edges} call edges: deadlines nest, retries stay within bounds, no circles, and nothing is forgotten too soon"
        ));
        return ExitCode::SUCCESS;
    }
    for finding in &found {
        out::error(&format!("error: {finding}"));
    }
    ExitCode::FAILURE
}

fn row(edge: &Edge<'_>) -> [String; 6] {
    let (timeout, timeout_from) = edge.timeout();
    let (attempt, attempt_from) = edge.attempt();
    let (retries, retries_from) = edge.retries();
    let (hedge, hedge_from) = edge.hedge();
    let half = if retries > 0 && !edge.is_stream() { "half of it" } else { "all of it" };
    [
        edge.name(),
        value(&time(timeout).unwrap_or_else(|| "what is left".to_owned()), &timeout_from),
        value(&time(attempt).unwrap_or_else(|| half.to_owned()), &attempt_from),
        value(&retries, &retries_from),
        value(&time(hedge).unwrap_or_else(|| "never".to_owned()), &hedge_from),
        edge.fallback.unwrap_or("fails").to_owned(),
    ]
}

fn value(value: &impl Display, from: &Source) -> String {
    format!("{value} ({from})")
}

fn time(time: Option<Duration>) -> Option<String> {
    time.map(|time| format!("{time:?}"))
}
