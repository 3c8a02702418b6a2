//! `food replay`: plays a recorded day on the whole system, through its public API.
//!
//! Layout: `command` is the command line and what it prints, `screen` what is seen until then; `stage` is the system, its time moved by hand; `play` moves
//! it; `town`, `customers`, `kitchens` and `drivers` are the players, `agenda` is what they are going to do and `client`
//! their way to the system; `chart` is where and when things are; `slips` compares what was recorded with what was due.
//! `day` reads days, `solution` writes what was done on them, `check` judges it by their rules; `table` is their format.

mod agenda;
mod chart;
pub(crate) mod check;
mod client;
mod command;
mod customers;
pub(crate) mod day;
mod drivers;
mod kitchens;
mod play;
mod screen;
mod slips;
pub(crate) mod solution;
mod stage;
mod table;
mod town;

pub(crate) use command::{command, main};

/// Why a day cannot be played.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong, with whom, and why.
fn failed(doing: &str, name: &str, reason: &(dyn std::error::Error + 'static)) -> Failure {
    let mut text = format!("{doing} {name}: {reason}");
    let mut source = reason.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text.into()
}
