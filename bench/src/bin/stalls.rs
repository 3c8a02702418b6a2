//! What a bad operation does to the others: the p99 of one that answers at once, beside one that computes for 500 ms
//! where it should await, and beside one that panics.
//!
//! `cargo xtask bench stalls [ROUNDS] [SECONDS]` (5 rounds of 4 s). The server is a child of this program; rounds without
//! and with the bad operation alternate, and medians count. The figures are in `docs/bench/stalls.md`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::spin_loop;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bench::{
    Ask, Beside, Child, Error, Latency, Load, Table, announce, facts, median, request, rounds_and_time,
    times_as_long, until_told,
};
use fastrand::Rng;
use partie::contract::{Call, Outcome, contract};
use partie::runtime::monotonic;
use partie::{Environment, Service, System};

/// How many times the p99 of others may grow.
const MOST: f64 = 2.0;
/// Requests a second to the good operation.
const RATE: u32 = 300;
const WARM_UP: Duration = Duration::from_secs(1);
const SPIN: Duration = Duration::from_millis(500);

/// One good operation and two bad ones.
#[contract(service = "desk", version = 1)]
trait Desk {
    /// Answers at once.
    #[get("/quick", public)]
    async fn quick(&self, cx: &Call) -> Outcome<bool>;

    /// Computes where it should await.
    #[get("/spin", public)]
    async fn spin(&self, cx: &Call) -> Outcome<bool>;

    /// Breaks.
    #[get("/panic", public)]
    async fn panic(&self, cx: &Call) -> Outcome<bool>;
}

struct Clerk;

impl Desk for Clerk {
    async fn quick(&self, _: &Call) -> Outcome<bool> {
        Ok(true)
    }

    async fn spin(&self, _: &Call) -> Outcome<bool> {
        let begun = monotonic();
        while begun.elapsed() < SPIN {
            spin_loop();
        }
        Ok(true)
    }

    async fn panic(&self, _: &Call) -> Outcome<bool> {
        panic!("on purpose")
    }
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve(),
        ref rounds => {
            let (rounds, time) = rounds_and_time("stalls", rounds, (5, 4))?;
            compare(rounds, time)
        }
    }
}

fn compare(rounds: usize, time: Duration) -> Result<(), Error> {
    facts().iter().for_each(|(what, value)| println!("{what:<12} {value}"));
    println!("{rounds} rounds of {} s, {RATE} quick requests a second\n", time.as_secs());
    let mut table = Table::new(&["p99 of others, ms", "alone", "beside"]);
    let mut ratios = Vec::new();
    for (name, path, status) in [
        ("spin", (|_| "/api/v1/spin".to_owned()) as fn(&mut _) -> _, 200),
        ("panic", |_| "/api/v1/panic".to_owned(), 500),
    ] {
        let child = Child::start(&["serve"])?;
        let (small, large) =
            (Ask { path: |_| "/api/v1/quick".to_owned(), status: 200 }, Ask { path, status });
        let beside = Beside { to: child.address(), rate: RATE, time, small, large };
        // The first time it is felt: nothing is known of the operation yet, and its thread refuses what comes late.
        let first = request("GET", path(&mut Rng::new()).as_str(), "", b"");
        Load::of(vec![first.clone()], 1)?.send(child.address(), &first)?;
        Beside { time: WARM_UP, ..beside }.run(false)?;
        let (mut alone, mut together) = (Vec::new(), Vec::new());
        for round in 1..=rounds {
            for (word, seen) in [("alone", &mut alone), ("beside", &mut together)] {
                let latency = beside.run(word == "beside")?;
                println!("round {round}  {name:<6} {word:<7} {latency}");
                seen.push(latency);
            }
        }
        let p99 =
            |seen: &[Latency]| format!("{:.2}", median(seen.iter().map(|one| one.p99.as_secs_f64() * 1e3)));
        table.row(name, [p99(&alone), p99(&together)]);
        ratios.push((name, times_as_long(&alone, &together)));
    }
    println!("\n{table}");
    for (name, ratio) in ratios {
        println!("at most {MOST}: {}", if ratio <= MOST { "kept" } else { "BROKEN" });
        println!("RATIO others_p99_beside_{name} {ratio:.2}");
    }
    Ok(())
}

/// Serves the three, as a system of one service does.
fn serve() -> Result<(), Error> {
    let service = Service::new("desk").start(async |_| Ok(Clerk)).serve(Desk::routes());
    let system = System::new("stalls").service(service);
    let mut config = system.defaults().clone();
    config.ephemeral = true;
    config.gateway.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let running = runtime.block_on(system.launch(config, Environment::default()))?;
    announce(running.address())?;
    until_told();
    Ok(runtime.block_on(running.stop())?)
}
