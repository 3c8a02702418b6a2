//! What a contract costs: CPU time per request of a Partie service, and of the same endpoint written by hand on axum.
//!
//! `cargo xtask bench contract [ROUNDS] [SECONDS]` (7 rounds of 4 s). Both servers are children of this program with
//! one worker each; 64 keep-alive connections drive one of them at a time, in turns; medians count. The method and the
//! figures are in `docs/bench/contract.md`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::Duration;

use bench::orders::{ORDER, PATH, by_hand, by_partie};
use bench::{Child, Error, Load, Round, Table, facts, median, rounds_and_time};

const CONNECTIONS: usize = 64;
const WORKERS: usize = 1;
/// Nobody measures a server that has not warmed up.
const WARM_UP: Duration = Duration::from_secs(1);
const CREATED: u16 = 201;
/// The most the contract may cost.
const LIMIT: f64 = 1.15;

/// One of the two.
struct Server {
    name: &'static str,
    child: Child,
    rounds: Vec<Round>,
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", "partie"] => by_partie::serve(WORKERS),
        ["serve", "axum"] => by_hand::serve(WORKERS),
        ref rounds => {
            let (rounds, time) = rounds_and_time("contract", rounds, (7, 4))?;
            compare(rounds, time)
        }
    }
}

fn compare(rounds: usize, time: Duration) -> Result<(), Error> {
    facts().iter().for_each(|(what, value)| println!("{what:<12} {value}"));
    println!("{rounds} rounds of {} s, {CONNECTIONS} connections, {WORKERS} worker each\n", time.as_secs());
    let load = Load::new(PATH, ORDER.as_bytes(), CONNECTIONS)?;
    let mut servers = Vec::new();
    for name in ["partie", "axum"] {
        servers.push(Server { name, child: Child::start(&["serve", name])?, rounds: Vec::new() });
    }
    for server in &mut servers {
        server.answers_alike(&load)?;
        server.round(&load, WARM_UP)?;
    }
    for round in 1..=rounds {
        // Always in this order: whoever runs twice in a row pays for it on a shared machine, and then whoever goes second
        // in most rounds wins.
        for server in &mut servers {
            let Round { cpu_us, per_second, busy } = server.round(&load, time)?;
            let name = server.name;
            println!(
                "round {round}  {name:<7} {cpu_us:>6.2} us/request  {per_second:>7.0} requests/s  {busy:>4.0} % of a core"
            );
            server.rounds.push(Round { cpu_us, per_second, busy });
        }
    }
    servers.sort_by_key(|server| server.name);

    let mut table = Table::new(&["server", "CPU us/request", "requests/s", "of a core", "resident MiB"]);
    for server in &servers {
        let of = |value: fn(&Round) -> f64| median(server.rounds.iter().map(value));
        let resident = server.child.resident_kib()? as f64 / 1_024.0;
        table.row(
            server.name,
            [
                format!("{:.2}", of(|round| round.cpu_us)),
                format!("{:.0}", of(|round| round.per_second)),
                format!("{:.0} %", of(|round| round.busy)),
                format!("{resident:.1}"),
            ],
        );
    }
    println!("\n{table}");
    // Of neighbours in time, not of the two medians: what slows the machine down slows both.
    let ratio = median(
        servers[1].rounds.iter().zip(&servers[0].rounds).map(|(partie, axum)| partie.cpu_us / axum.cpu_us),
    );
    println!("at most {LIMIT}: {}", if ratio <= LIMIT { "kept" } else { "BROKEN" });
    println!("RATIO contract_vs_axum {ratio:.3}");
    Ok(())
}

// === impl Server ===

impl Server {
    /// Servers are only compared when they do the same: take the order, and refuse what the bounds refuse.
    fn answers_alike(&self, load: &Load) -> Result<(), Error> {
        let (to, name) = (self.child.address(), self.name);
        let taken = load.once(to, PATH, ORDER.as_bytes())?;
        let order: serde_json::Value = serde_json::from_slice(&taken.body)?;
        if taken.status != CREATED || order["total"] != 4_550 {
            return Err(format!("{name} answered an order with {} {order}", taken.status).into());
        }
        for (from, into) in
            [("\"quantity\":4", "\"quantity\":0"), ("\"lat\":48", "\"lat\":98"), ("\"note\"", "\"tip\"")]
        {
            let refused = load.once(to, PATH, ORDER.replace(from, into).as_bytes())?.status;
            if refused != 422 {
                return Err(format!("{name} answered {into} with {refused}").into());
            }
        }
        Ok(())
    }

    fn round(&self, load: &Load, time: Duration) -> Result<Round, Error> {
        let mut before = Duration::ZERO;
        let tally = load.run(self.child.address(), CREATED, time, || {
            before = self.child.cpu()?;
            Ok(())
        })?;
        Ok(Round::new(tally, self.child.cpu()?.saturating_sub(before)))
    }
}
