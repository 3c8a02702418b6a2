//! What the edge costs: CPU time of a request through our gateway and through others, in front of the same upstreams.
//!
//! `cargo xtask bench gateway [ROUNDS] [SECONDS]` (7 rounds of 3 s). Gateways have a core to themselves, one after the other
//! in each round; upstreams and load are on another. Medians count. The method and the figures are in
//! `docs/bench/gateway.md`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bench::gateway::{Driven, Peer, SHIPPED, Stage, drive, idle, train};
use bench::mesh::upstream;
use bench::{Child, Error, Round, Table, facts, median, rounds_and_time};

/// The most a request through ours may cost, tokens verified, beside nginx, which verifies none.
const NGINX: f64 = 1.25;
/// The most it may cost beside Envoy, which verifies them too.
const ENVOY: f64 = 0.4;
/// Requests under way.
const CONNECTIONS: usize = 64;
/// The first requests, which do not count.
const WARM: Duration = Duration::from_secs(1);
/// Connections that do nothing.
const IDLE: usize = 1_000;
/// The core of everything but gateways.
const CORE: &str = "1";

/// A gateway in the race.
struct Runner {
    peer: Peer,
    child: Child,
    request: Vec<u8>,
    rounds: Vec<(Round, Driven)>,
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => upstream::serve(),
        ["train", program] => train(Path::new(program)),
        [rounds, seconds, only] => {
            let only: Vec<&str> = only.split('+').collect();
            let (rounds, time) = rounds_and_time("gateway", &[rounds, seconds], (7, 3))?;
            compare(|peer| only.iter().any(|name| peer.name().contains(name)), rounds, time)
        }
        ref rounds => {
            let (rounds, time) = rounds_and_time("gateway", rounds, (7, 3))?;
            compare(|_| true, rounds, time)
        }
    }
}

fn compare(is_in: impl Fn(Peer) -> bool, rounds: usize, time: Duration) -> Result<(), Error> {
    facts().iter().for_each(|(what, value)| println!("{what:<12} {value}"));
    println!("{rounds} rounds of {time:?}, {CONNECTIONS} connections\n");
    make_room()?;
    let upstream = Child::start(&["serve"])?;
    let stage = Stage::new(upstream.address())?;
    let mut runners = Vec::new();
    // Without a program of its own that ships, the plain build is all there is.
    let is_there = |peer| peer != Peer::PartiePlain || env::var_os(SHIPPED).is_some();
    for &peer in Peer::ALL.iter().filter(|&&peer| is_there(peer) && is_in(peer)) {
        let (child, request) = (peer.start(&stage)?, peer.request(&stage));
        runners.push(Runner { peer, child, request, rounds: Vec::new() });
    }
    for runner in &runners {
        runner.round(WARM)?;
    }
    for round in 1..=rounds {
        for runner in &mut runners {
            let (figures, driven) = runner.round(time)?;
            println!(
                "round {round}  {:<24} {:>8.2} us/request {:>8.0} /s, {:>3.0} % of a core",
                runner.peer.name(),
                figures.cpu_us,
                figures.per_second,
                figures.busy
            );
            runner.rounds.push((figures, driven));
        }
    }
    println!("\n{}", table(&runners)?);
    say("gateway_vs_nginx", ratio(&runners, Peer::Nginx), NGINX);
    say("gateway_vs_envoy_jwt", ratio(&runners, Peer::EnvoyJwt), ENVOY);
    Ok(())
}

/// Leaves the first core to the gateways. Children inherit it, and gateways go back.
fn make_room() -> Result<(), Error> {
    let pid = std::process::id().to_string();
    let output = Command::new("taskset").args(["-c", "-p", CORE, &pid]).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("two cores are needed: {}", String::from_utf8_lossy(&output.stderr)).into())
}

// === impl Runner ===

impl Runner {
    fn round(&self, time: Duration) -> Result<(Round, Driven), Error> {
        let (child, mut before) = (&self.child, Duration::ZERO);
        let begin = || {
            before = child.cpu()?;
            Ok(())
        };
        let driven = drive(child.address(), &self.request, CONNECTIONS, time, begin)
            .map_err(|error| format!("{}: {error}", self.peer.name()))?;
        Ok((Round::new(driven.tally, child.cpu()?.saturating_sub(before)), driven))
    }

    fn median(&self, figure: impl Fn(&(Round, Driven)) -> f64) -> f64 {
        median(self.rounds.iter().map(figure))
    }

    /// Resident memory with idle connections, in MiB. Flask closes its connections.
    fn with_idle(&self) -> Result<String, Error> {
        if self.peer == Peer::Flask {
            return Ok("-".to_owned());
        }
        let kib = idle(self.child.address(), &self.request, IDLE, || self.child.resident_kib());
        let kib = kib.map_err(|error| format!("{}: {error}", self.peer.name()))?;
        Ok(mib(kib))
    }
}

fn table(runners: &[Runner]) -> Result<Table, Error> {
    let mut table = Table::new(&[
        "gateway",
        "CPU us/request",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "MiB",
        "MiB, 1,000 idle",
    ]);
    for runner in runners {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let now = mib(runner.child.resident_kib()?);
        table.row(
            runner.peer.name(),
            [
                format!("{:.1}", runner.median(|(round, _)| round.cpu_us)),
                format!("{:.0}", runner.median(|(round, _)| round.per_second)),
                format!("{:.2}", runner.median(|(_, driven)| millis(driven.p50))),
                format!("{:.2}", runner.median(|(_, driven)| millis(driven.p99))),
                now,
                runner.with_idle()?,
            ],
        );
    }
    Ok(table)
}

fn mib(kib: u64) -> String {
    format!("{:.1}", kib as f64 / 1024.0)
}

/// What a request through ours costs beside one through the other, in the median of the rounds: what slows the machine
/// down slows both.
fn ratio(runners: &[Runner], other: Peer) -> f64 {
    let of = |peer: Peer| {
        let runner = runners.iter().find(|runner| runner.peer == peer);
        runner.map(|runner| runner.rounds.iter().map(|(round, _)| round.cpu_us).collect()).unwrap_or_default()
    };
    let (ours, theirs): (Vec<f64>, Vec<f64>) = (of(Peer::Partie), of(other));
    median(ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs))
}

fn say(name: &str, ratio: f64, limit: f64) {
    // One of the two was not asked for.
    if ratio.is_nan() {
        return;
    }
    println!("at most {limit}: {}", if ratio <= limit { "kept" } else { "BROKEN" });
    println!("RATIO {name} {ratio:.3}");
}
