//! Orders through the whole food system: how many a second it accepts and confirms, and the tutorial's chain beside it.
//!
//! `cargo xtask bench orders [SECONDS [RATE]]`: an open loop for `SECONDS` (60) at `RATE` orders a second, or at nine
//! tenths of the highest rate that short rounds show to be steady. Then rounds in turns with the tutorial's chain of
//! Flask services at saturation. The method and the figures are in `docs/bench/orders.md`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench::food::{Chain, Town, Trial};
use bench::{Error, Table, facts, file_system, median};

/// Where `cargo xtask bench` says which Python has Flask.
const PYTHON: &str = "BENCH_FLASK_PYTHON";
/// Rounds of the search for the rate, and of the comparison.
const SHORT: Duration = Duration::from_secs(5);
const ROUNDS: usize = 5;
/// The search for the rate begins here.
const FIRST: f64 = 250.0;
/// The part of the highest steady rate that is measured.
const PART: f64 = 0.9;
/// The least the comparison has to show.
const LEAST: f64 = 10.0;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (seconds, rate) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => (60, None),
        [seconds] => (seconds.parse()?, None),
        [seconds, rate] => (seconds.parse()?, Some(rate.parse()?)),
        _ => return Err("usage: orders [SECONDS [RATE]]".into()),
    };
    let dist = std::env::current_exe()?.parent().map_or_else(PathBuf::new, Path::to_owned);
    let data = dist.join(format!("bench-orders-{}", std::process::id()));
    fs::create_dir_all(&data)?;
    let result = run(&dist.join("food"), &data, Duration::from_secs(seconds), rate);
    fs::remove_dir_all(&data)?;
    result
}

fn run(food: &Path, data: &Path, time: Duration, rate: Option<f64>) -> Result<(), Error> {
    let kind = file_system(data)?;
    if kind == "tmpfs" || kind == "ramfs" {
        return Err(format!("{} is on {kind}: a commit there reaches no disk", data.display()).into());
    }
    facts().iter().for_each(|(what, value)| println!("{what:<12} {value}"));
    println!("{:<12} {} ({kind})", "directory", data.display());
    let mut town = Town::start(food, data).map_err(|error| format!("{}: {error}", food.display()))?;

    // Nobody measures a system that has not warmed up.
    town.trial(FIRST / 2.0, SHORT)?;
    let rate = match rate {
        Some(rate) => rate,
        None => (town.highest(FIRST, SHORT, |trial| println!("{trial}"))? * PART).round(),
    };
    println!("\n{rate:.0} orders a second for {} s", time.as_secs());
    let trial = town.trial(rate, time)?;
    show(&trial, town.resident_mib()?);

    let chain = std::env::var_os(PYTHON).map(|python| Chain::start(Path::new(&python))).transpose()?;
    let ratio = chain.as_ref().map(|chain| compare(&mut town, chain, rate)).transpose()?;
    println!(
        "{} orders were accepted in all rounds, and their customers see all of them confirmed",
        town.check()?
    );
    match ratio {
        Some(ratio) => {
            println!("at least {LEAST}: {}", if ratio >= LEAST { "kept" } else { "BROKEN" });
            println!("RATIO orders_vs_flask {ratio:.1}");
        }
        None => println!("no chain to compare with: `cargo xtask bench orders` brings Flask along"),
    }
    Ok(())
}

/// In turns, so that what slows the machine down slows both.
fn compare(town: &mut Town, chain: &Chain, rate: f64) -> Result<f64, Error> {
    println!(
        "\nin turns with the tutorial's chain at saturation, {ROUNDS} rounds of {} s each",
        SHORT.as_secs()
    );
    chain.saturate(Duration::from_secs(1))?;
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (tally, cpu) = chain.saturate(SHORT)?;
        let flask = tally.answers as f64 / tally.took.as_secs_f64();
        let cpu = cpu.as_secs_f64() * 1e6 / tally.answers.max(1) as f64;
        println!("round {round}  flask   {flask:>6.0} orders/s  {cpu:>6.0} us CPU an order");
        let trial = town.trial(rate, SHORT)?;
        println!("round {round}  partie  {trial}");
        // What was accepted counts once it is confirmed, and the wait for that counts too.
        ratios.push(trial.confirmed / flask);
    }
    Ok(median(ratios))
}

fn show(trial: &Trial, resident: f64) {
    println!("{trial}");
    let facts = [
        ("orders due", trial.due.to_string()),
        ("refused with 503", format!("{}, {} of them given up", trial.refused, trial.given_up)),
        ("other answers", format!("{} {}", trial.failed, trial.failure.as_deref().unwrap_or_default())),
        ("accepted ahead of confirmed", format!("{} at most", trial.ahead)),
        ("confirmed behind accepted", format!("{:.2} s at most", trial.lag.as_secs_f64())),
        ("never more than the backlog's 5 s", if trial.is_bounded() { "kept" } else { "BROKEN" }.to_owned()),
        ("oldest unsent event at the end", format!("{:.1} s", trial.outbox_age)),
        ("all confirmed after the end", format!("{:.2} s", trial.rest.as_secs_f64())),
        ("all notified after the end", format!("{:.2} s", trial.quiet.as_secs_f64())),
        ("load and kitchens", format!("{:.0} % of a core", trial.load_busy)),
        ("resident", format!("{resident:.0} MiB")),
    ];
    for (what, value) in facts {
        println!("{what:<34} {value}");
    }
    let mut table = Table::new(&["store", "transactions an order", "commits an order", "reads an order"]);
    for (store, figures) in &trial.stores {
        table.row(store, figures.map(|figure| format!("{figure:.2}")));
    }
    println!("\n{table}");
}
