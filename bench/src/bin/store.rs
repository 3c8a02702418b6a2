//! What group commit brings: durable orders a second, each in a commit of its own and many in one, in turns.
//!
//! `cargo xtask bench store [DIR] [SECONDS]`: 128 callers place orders in `DIR` (by default in the build directory,
//! which must lie on a disk), three statements each: the order, its idempotency key with the answer, and an outbox row.
//! Both ways go through the same store, with the same callers, in five rounds of `SECONDS` each (2); the medians count.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bench::{file_system, median};
use partie_contract::{Call, Deadline, Outcome, Trace, id};
use partie_runtime::monotonic;
use partie_store::{Config, Handles, Migration, MigrationSet, Store};

id! {
    struct OrderId;
}

const CALLERS: u64 = 128;
const ROUNDS: usize = 5;

const TABLES: MigrationSet = MigrationSet {
    name: "service",
    migrations: &[Migration::new(
        "0001_orders.sql",
        "CREATE TABLE orders (id BLOB PRIMARY KEY, customer TEXT NOT NULL, basket TEXT NOT NULL, total BIGINT NOT NULL,
                              placed_at BIGINT NOT NULL) WITHOUT ROWID;
         CREATE TABLE outbox (position INTEGER PRIMARY KEY, subject BLOB NOT NULL, event TEXT NOT NULL);",
    )],
};

/// What one round has shown.
#[derive(Debug, Clone, Copy)]
struct Round {
    per_second: f64,
    per_commit: f64,
    /// Microseconds of processor time an order, the callers' included.
    cpu: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().map_or_else(default_dir, |dir| Ok(PathBuf::from(dir)))?;
    let seconds = arguments.next().map_or(Ok(2), |seconds| seconds.parse())?;
    let dir = dir.join(format!("bench-store-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let result = run(&dir, Duration::from_secs(seconds));
    fs::remove_dir_all(&dir)?;
    result
}

fn run(dir: &Path, time: Duration) -> Result<(), Box<dyn Error>> {
    let kind = file_system(dir)?;
    if kind == "tmpfs" || kind == "ramfs" {
        return Err(format!("{} is on {kind}: a commit there reaches no disk", dir.display()).into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut alone = Config::default();
        alone.batch = 1;
        let alone = Store::open(dir, "alone", &[TABLES], Handles::system(), alone)?;
        let grouped = Store::open(dir, "grouped", &[TABLES], Handles::system(), Config::default())?;
        println!("directory    {} ({kind})", dir.display());
        for (name, value) in grouped.settings() {
            println!("{name:<20} {value}");
        }
        let (mut one, mut many) = (Vec::new(), Vec::new());
        for round in 1..=ROUNDS {
            one.push(measure(&alone, time).await);
            many.push(measure(&grouped, time).await);
            for (name, rounds) in [("one commit each", &one), ("group commit", &many)] {
                if let Some(Round { per_second, per_commit, cpu }) = rounds.last() {
                    println!(
                        "round {round}  {name:<16} {per_second:>8.0} orders/s {per_commit:>7.1} orders a commit {cpu:>6.1} us CPU an order"
                    );
                }
            }
        }
        let middle = |rounds: &[Round]| median(rounds.iter().map(|round| round.per_second));
        let (one, many) = (middle(&one), middle(&many));
        println!("median   one commit each {one:.0} orders/s, group commit {many:.0} orders/s");
        alone.close().await;
        grouped.close().await;
        println!("RATIO group_commit {:.1}", many / one);
        Ok(())
    })
}

async fn measure(store: &Store, time: Duration) -> Round {
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (before, cpu_before) = (store.stats(), cpu_micros());
    let begun = monotonic();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (store, stop, done) = (store.clone(), Arc::clone(&stop), Arc::clone(&done));
            tokio::spawn(async move {
                let mut count = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    if place(&store, caller).await.is_ok() {
                        count += 1;
                    }
                }
                done.fetch_add(count, Ordering::Relaxed);
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        // A caller that panicked has counted nothing.
        drop(caller.await);
    }
    let took = begun.elapsed().as_secs_f64();
    let after = store.stats();
    let commits = (after.commits - before.commits).max(1) as f64;
    let orders = done.load(Ordering::Relaxed) as f64;
    Round {
        cpu: (cpu_micros() - cpu_before) / orders,
        per_second: orders / took,
        per_commit: (after.writes - before.writes) as f64 / commits,
    }
}

/// An order as a service places it.
async fn place(store: &Store, caller: u64) -> Outcome<String> {
    let trace = store.ids().trace();
    let key = format!("{:032x}", trace.trace_id());
    let cx = Call::new(Deadline::after(Duration::from_secs(30)), Trace::new(trace.trace_id(), 1))
        .with_key(key)
        .with_bound_key("customer-7 POST /api/v1/orders".into(), [7; 32]);
    store
        .once(&cx, move |tx| {
            let id: OrderId = tx.new_id();
            let basket = r#"[{"dish":"01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a","count":2,"price":{"amount":1290,"currency":"EUR"}}]"#;
            tx.execute(
                "INSERT INTO orders (id, customer, basket, total, placed_at) VALUES ($1, $2, $3, $4, $5)",
                &[&id, &"customer-7", &basket, &(2_580 + caller), &tx.now()],
            )?;
            tx.execute("INSERT INTO outbox (subject, event) VALUES ($1, $2)", &[&id, &basket])?;
            Ok(format!(r#"{{"id":"{id}","state":"placed","total":{{"amount":2580,"currency":"EUR"}}}}"#))
        })
        .await
}

/// Processor time of this process so far, from `/proc/self/stat`; Linux counts it in hundredths of a second.
fn cpu_micros() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() * 10_000.0
}

/// Beside this program: on the disk that the build is on.
fn default_dir() -> std::io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().map_or_else(PathBuf::new, Path::to_owned))
}
