//! What real engines cost: each beside its bare driver, and the whole food system on each combination.
//!
//! `cargo xtask bench engines [ROUNDS] [SECONDS] [COMBINATION]` (5 rounds of 2 s; a combination by a part of its name, such
//! as `PostgreSQL`, or all of them): servers are started in the directory for temporary
//! files and ended at the end. Then the search for the highest steady rate of orders, on the embedded engines and on each
//! combination. The method and the figures are in `docs/bench/engines.md`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench::engines::{nats, postgres};
use bench::food::Town;
use bench::{Error, Table, facts, file_system, median};
use partie_testservers::{Nats, Postgres};

/// The least part of the bare driver's throughput.
const LEAST: f64 = 0.8;
/// The rounds of the search, and where it begins.
const SHORT: Duration = Duration::from_secs(5);
const FIRST: f64 = 60.0;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (rounds, seconds, only) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => (5, 2, ""),
        [rounds] => (rounds.parse()?, 2, ""),
        [rounds, seconds] => (rounds.parse()?, seconds.parse()?, ""),
        [rounds, seconds, only] => (rounds.parse()?, seconds.parse()?, only),
        _ => return Err("usage: engines [ROUNDS] [SECONDS] [COMBINATION]".into()),
    };
    facts().iter().for_each(|(what, value)| println!("{what:<12} {value}"));
    let temporary = std::env::temp_dir();
    println!("{:<12} {} ({})", "directory", temporary.display(), file_system(&temporary)?);
    println!("{rounds} rounds of {seconds} s, in turns\n");
    let (database, broker) = (Postgres::start(&[], &[]), Nats::start());
    let time = Duration::from_secs(seconds);
    ratio("postgres", "orders/s", &postgres::compare(&database.database(), rounds, time)?);
    ratio("nats", "events/s", &nats::compare(&broker.url(), rounds, time)?);

    let dist = std::env::current_exe()?.parent().map_or_else(PathBuf::new, Path::to_owned);
    let mut table = Table::new(&["store and broker", "steady orders/s"]);
    for (name, on_postgres, on_nats) in [
        ("SQLite, embedded", false, false),
        ("SQLite, NATS", false, true),
        ("PostgreSQL, embedded", true, false),
        ("PostgreSQL, NATS", true, true),
    ] {
        if !name.contains(only) {
            continue;
        }
        let mut engines = Vec::new();
        if on_postgres {
            engines.push(("PARTIE__STORE__URL", database.database()));
        }
        if on_nats {
            engines.push(("PARTIE__BROKER__URL", broker.url()));
            engines.push(("PARTIE__BROKER__LOG__PREFIX", broker.prefix()));
        }
        println!("\n{name}");
        table.row(name, [format!("{:.0}", highest(&dist, &engines)?)]);
    }
    println!("\n{table}");
    Ok(())
}

fn ratio(name: &str, what: &str, rounds: &[[f64; 2]]) {
    for (round, [ours, bare]) in rounds.iter().enumerate() {
        println!("round {}  {name:<9} {ours:>8.0} {what}  bare driver {bare:>8.0} {what}", round + 1);
    }
    // Of neighbours in time: what slows the machine down slows both.
    let ratio = median(rounds.iter().map(|[ours, bare]| ours / bare));
    println!("at least {LEAST}: {}", if ratio >= LEAST { "kept" } else { "BROKEN" });
    println!("RATIO {name}_vs_driver {ratio:.2}\n");
}

/// The highest steady rate of orders through the whole system.
fn highest(dist: &Path, engines: &[(&str, String)]) -> Result<f64, Error> {
    let data = dist.join(format!("bench-engines-{}", std::process::id()));
    fs::create_dir_all(&data)?;
    let result = Town::on(&dist.join("food"), &data, engines).and_then(|mut town| {
        // Nobody measures a system that has not warmed up.
        town.trial(FIRST / 2.0, SHORT)?;
        let highest = town.highest(FIRST, SHORT, |trial| println!("{trial}"))?;
        let orders = town.check()?;
        println!("{orders} orders were accepted, and their customers see all of them confirmed");
        Ok(highest)
    });
    fs::remove_dir_all(&data)?;
    result
}
