//! The command `replay`: its flags, its figures, its exit code.

use std::fs;
use std::io::{self, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::ProgressBar;
use partie::System;
use partie::clap::{self, Arg, ArgMatches, value_parser};
use partie::runtime::monotonic;

use super::check::{Violation, check};
use super::day::Day;
use super::play::{Played, begin, play};
use super::screen::{self, Interrupts};
use super::solution::Solution;
use super::stage::Stage;
use super::{Failure, chart};

/// Threads beside those of the gateway and the stores.
const THREADS: usize = 2;
/// The longest an interrupted system may take to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// The exit code of what was interrupted: what a shell says of Ctrl-C.
const INTERRUPTED: u8 = 130;

pub(crate) fn command() -> clap::Command {
    clap::Command::new("replay")
        .about("Play a recorded day on the whole system, through its public API, and print what came of it")
        .arg(Arg::new("day").value_name("DIR").required(true).help("A day of the public set's format"))
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("DIR")
                .help("Where the three solution files go; made if it is not there"),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("N")
                .value_parser(value_parser!(u64))
                .default_value("1")
                .help("Where ids come from: same seed, same files"),
        )
}

/// Exit code 1 when the day broke a rule or could not be played to its end, 2 when it cannot be read, 130 when somebody
/// ended it before.
pub(crate) fn main(system: System, flags: &ArgMatches) -> ExitCode {
    let day = flags.get_one::<String>("day").map(PathBuf::from).unwrap_or_default();
    let out = flags.get_one::<String>("out").map(PathBuf::from);
    let seed = flags.get_one::<u64>("seed").copied().unwrap_or_default();
    let fail = |code: u8, error: Failure| {
        writeln!(stderr(), "error: {error}").ok();
        ExitCode::from(code)
    };
    let ready = read(&day, out.as_deref()).and_then(|day| {
        let bar = screen::bar(day.orders.len())?;
        screen::log(&system.defaults().logs, &bar)?;
        Ok((day, bar))
    });
    let (day, bar) = match ready {
        Ok(ready) => ready,
        Err(error) => return fail(2, error),
    };
    let replayed = match replay(system, &day, seed, &bar) {
        Ok(Ended::Replayed(replayed)) => replayed,
        Ok(Ended::Interrupted { delivered }) => {
            let orders = day.orders.len();
            writeln!(
                stderr(),
                "interrupted: {delivered} of {orders} orders were delivered, no file was written"
            )
            .ok();
            return ExitCode::from(INTERRUPTED);
        }
        Err(error) => return fail(1, error),
    };
    match report(&day, &replayed, out.as_deref()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(1, error),
    }
}

/// Everything that can be found wrong before anything is done.
fn read(directory: &Path, out: Option<&Path>) -> Result<Day, Failure> {
    let day = Day::read(directory)?;
    chart::check(&day)?;
    if let Some(out) = out {
        fs::create_dir_all(out).map_err(|error| format!("cannot write to {}: {error}", out.display()))?;
    }
    Ok(day)
}

/// How a replay ended that did not fail.
enum Ended {
    Replayed(Replayed),
    Interrupted { delivered: u64 },
}

/// What was done, and what it took.
struct Replayed {
    played: Played,
    requests: u64,
    connections: u64,
    took: Duration,
}

fn replay(system: System, day: &Day, seed: u64, bar: &ProgressBar) -> Result<Ended, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    let ended = runtime.block_on(async {
        // Before there is anything to leave behind.
        let mut interrupts = Interrupts::listen()?;
        let start = monotonic();
        let stage = Stage::start(system, day, seed, chart::at(begin(day))).await?;
        let played = tokio::select! {
            played = play(&stage, day, bar) => played,
            () = interrupts.next() => {
                let delivered = bar.position();
                leave(stage, &mut interrupts).await;
                return Ok(Ended::Interrupted { delivered });
            }
        };
        let took = start.elapsed();
        let (requests, connections) = (stage.http.requests(), stage.http.connections());
        // Whatever came of it, its data goes.
        stage.close().await?;
        Ok(Ended::Replayed(Replayed { played: played?, requests, connections, took }))
    });
    bar.finish_and_clear();
    // Nothing that still hangs has anything to say.
    runtime.shutdown_background();
    ended
}

/// Takes the system down in the middle of everything: its data goes, and nobody asks what was in it. A second interrupt
/// does not wait for what is under way.
async fn leave(stage: Stage, interrupts: &mut Interrupts) {
    tokio::select! {
        _ = tokio::time::timeout(DRAIN, stage.close()) => {}
        () = interrupts.next() => {}
    }
}

/// Writes the files, judges what they say, and prints it. Says whether everything was as it should be.
fn report(day: &Day, replayed: &Replayed, out: Option<&Path>) -> Result<bool, Failure> {
    let Replayed { played, requests, connections, took } = replayed;
    let mut solution = Solution::of(day, &played.trips);
    if let Some(out) = out {
        solution.write(out)?;
        // What is judged is what others will read.
        solution = Solution::read(out)?;
    }
    let (violations, figures) = (check(day, &solution), solution.figures(day));
    let seconds = took.as_secs_f64();
    let mut page = stdout().lock();
    writeln!(page, "{figures}")?;
    writeln!(page, "completed          {} of {}", played.completed, figures.orders)?;
    writeln!(page, "requests           {requests} in {seconds:.1} s ({:.0}/s)", *requests as f64 / seconds)?;
    writeln!(page, "connections        {connections}")?;
    writeln!(page, "largest slip       {}", played.slips)?;
    list(&mut page, &violations)?;
    Ok(violations.is_empty() && played.slips.largest() == 0 && played.completed == figures.delivered)
}

fn list(page: &mut impl Write, violations: &[Violation]) -> io::Result<()> {
    writeln!(page, "violations         {}", violations.len())?;
    violations.iter().try_for_each(|violation| writeln!(page, "  {violation}"))
}
