//! `retention`: what the platform keeps, for how long, and where to change that.

use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;

use super::{configure, out, refuse};
use crate::retention::{HowLong, check, table};
use crate::system::System;

pub(super) fn main(system: &System, flags: &ArgMatches) -> ExitCode {
    let effective = match configure(system, flags) {
        Ok(effective) => effective,
        Err(error) => return refuse(&error),
    };
    let titles = ["what", "is kept", "setting", "because"].map(str::to_owned);
    let rows: Vec<[String; 4]> = table(&effective.config)
        .into_iter()
        .map(|kept| {
            let how_long = match kept.how_long {
                HowLong::Business(time) => text(time),
                HowLong::Real(time) => format!("{} of real time", text(time)),
                HowLong::Until(what) => format!("until {what}"),
                HowLong::ForGood => "for good".to_owned(),
            };
            [kept.what.to_owned(), how_long, kept.key.unwrap_or("-").to_owned(), kept.why.to_owned()]
        })
        .collect();
    out::table(&titles, &rows);
    let found = check(&effective.config);
    for finding in &found {
        out::error(&format!("error: {finding}"));
    }
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// In the largest unit that fits.
fn text(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(3_600, "h"), (60, "min")];
    match units.iter().find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size)) {
        Some((size, unit)) => format!("{} {unit}", seconds / size),
        None => format!("{time:?}"),
    }
}
