//! What a binomial coefficient costs over HTTP and gRPC: CPU time of a request to the nCr system as it ships, and to the
//! tutorial's pair of Flask and grpcio beside it; and what a large one does to small ones.
//!
//! `cargo xtask bench ncr [ROUNDS] [SECONDS]` (5 rounds of 4 s): all servers run the whole time and are asked in turns;
//! medians count. The method and the figures are in `docs/bench/ncr.md`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench::ncr::{Form, Pair, Program, Rate, SMALL_AND_LARGE, saturate};
use bench::{Beside, Error, Latency, Table, facts, median, rounds_and_time, times_as_long};

/// Where `cargo xtask bench` says which Python has Flask and grpcio.
const PYTHON: &str = "BENCH_FLASK_PYTHON";
/// How many times the requests of a CPU second the tutorial's pair has to be beaten by.
const LEAST: f64 = 20.0;
/// How many times the p99 of small requests may grow beside a large one.
const MOST: f64 = 2.0;
/// Small requests a second beside the large one: some tenth of what two cores can do.
const RATE: u32 = 300;
/// Nothing large is kept, so that all of it is computed, again and again.
const NOTHING_KEPT: &[(&str, &str)] = &[("PARTIE__SERVICES__FACTORIAL__CACHE", "0")];
const FORMS: [Form; 2] = [Form::Processes, Form::OneProcess];
const WARM: Duration = Duration::from_secs(1);

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (rounds, time) = rounds_and_time("ncr", &arguments, (5, 4))?;
    let dist = std::env::current_exe()?.parent().map_or_else(PathBuf::new, Path::to_owned);
    let dir = dist.join(format!("bench-ncr-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    facts().iter().for_each(|(what, value)| println!("{what:<12} {value}"));
    println!("{rounds} rounds of {time:?}, in turns\n");
    let result = compare(&dist.join("ncr"), &dir, rounds, time)
        .and_then(|()| beside(&dist.join("ncr"), &dir, rounds, time));
    fs::remove_dir_all(&dir)?;
    result
}

/// The first figure: CPU time of a small request.
fn compare(binary: &Path, dir: &Path, rounds: usize, time: Duration) -> Result<(), Error> {
    let ours = FORMS.map(|form| Program::start(binary, dir, form, &[]).map(|program| (form.name(), program)));
    let ours = ours.into_iter().collect::<Result<Vec<_>, _>>()?;
    let python = std::env::var_os(PYTHON).ok_or("`cargo xtask bench ncr` brings Python along")?;
    let pair = Pair::start(Path::new(&python), dir)?;
    let mut seen: Vec<(&str, Vec<Rate>)> = vec![("python", Vec::new())];
    seen.extend(ours.iter().map(|(name, _)| (*name, Vec::new())));
    // Nobody measures what has not warmed up.
    for round in 0..=rounds {
        let time = if round == 0 { WARM } else { time };
        for (name, rates) in &mut seen {
            let rate = match ours.iter().find(|(ours, _)| ours == name) {
                Some((_, program)) => saturate(program.address(), time, || program.cpu()),
                None => saturate(pair.address(), time, || pair.cpu()),
            }?;
            if round > 0 {
                let Rate { cpu_us, per_second, .. } = rate;
                println!(
                    "round {round}  {name:<20} {cpu_us:>8.1} us CPU/request {per_second:>8.0} requests/s"
                );
                rates.push(rate);
            }
        }
    }
    let mut table = Table::new(&["HTTP to gRPC to answer", "CPU us/request", "requests/CPU s", "requests/s"]);
    for (name, rates) in &seen {
        let cpu = median(rates.iter().map(|rate| rate.cpu_us));
        let per_second = median(rates.iter().map(|rate| rate.per_second));
        table.row(name, [format!("{cpu:.0}"), format!("{:.0}", 1e6 / cpu), format!("{per_second:.0}")]);
    }
    println!("\n{table}");
    let python = &seen[0].1;
    // Of neighbours in time: what slows the machine down slows all.
    let ratios = seen[1..].iter().map(|(name, rates)| {
        let pairs = python.iter().zip(rates);
        (*name, median(pairs.map(|(python, ours)| python.cpu_us / ours.cpu_us)))
    });
    for (name, ratio) in ratios {
        println!("{name}: {ratio:.1} times the requests of a CPU second");
        if name == Form::Processes.name() {
            println!("at least {LEAST}: {}", if ratio >= LEAST { "kept" } else { "BROKEN" });
            println!("RATIO ncr_vs_python {ratio:.1}");
        }
    }
    Ok(())
}

/// The second figure: how long small requests take beside a large one.
fn beside(binary: &Path, dir: &Path, rounds: usize, time: Duration) -> Result<(), Error> {
    println!("\n{RATE} small requests a second, without a large one and beside one after the other");
    let mut told = Vec::new();
    for form in FORMS {
        let program = Program::start(binary, dir, form, NOTHING_KEPT)?;
        let [small, large] = SMALL_AND_LARGE;
        let small = Beside { to: program.address(), rate: RATE, time, small, large };
        Beside { time: WARM, ..small }.run(true)?;
        let (mut alone, mut together) = (Vec::new(), Vec::new());
        for round in 1..=rounds {
            for (word, seen) in [("alone", &mut alone), ("beside", &mut together)] {
                let latency = small.run(word == "beside")?;
                println!("round {round}  {:<20} {word:<7} {}", form.name(), latency);
                seen.push(latency);
            }
        }
        let of = |seen: &[Latency]| median(seen.iter().map(|latency| latency.p99.as_secs_f64()));
        told.push((form, [of(&alone), of(&together)], times_as_long(&alone, &together)));
    }
    let mut table = Table::new(&["p99 of small ones, ms", "alone", "beside a large one"]);
    for (form, p99, _) in &told {
        table.row(form.name(), p99.map(|p99| format!("{:.2}", p99 * 1e3)));
    }
    println!("\n{table}");
    for (form, _, ratio) in told {
        println!("{}: {ratio:.2} times as long", form.name());
        if form == Form::Processes {
            println!("at most {MOST}: {}", if ratio <= MOST { "kept" } else { "BROKEN" });
            println!("RATIO ncr_small_p99_beside_large {ratio:.2}");
        }
    }
    Ok(())
}
