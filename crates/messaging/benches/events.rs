//! How many events a second go all the way: one durable transaction that publishes, the broker's log, one durable
//! transaction that handles. `cargo bench -p partie-messaging --bench events [-- KEYS [EVENTS]]`
#![expect(clippy::print_stdout, reason = "it is a program for people")]

use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Abort, Call, Deadline, Event, Outcome, Trace};
use partie_messaging::{
    BrokerConfig, Config, EmbeddedBroker, Handlers, MIGRATIONS, Publish, Stages, Worker, WorkerParts,
};
use partie_runtime::monotonic;
use partie_store::{Handles, Migration, MigrationSet, Store, Tx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Transactions under way at the same time.
const WRITERS: usize = 128;

const TABLES: MigrationSet = MigrationSet {
    name: "service",
    migrations: &[Migration::new(
        "0001_sums.sql",
        "CREATE TABLE sums (meter TEXT PRIMARY KEY, sum BIGINT NOT NULL)",
    )],
};

#[derive(Serialize, Deserialize, JsonSchema, Event)]
#[event("meter.read", version = 1, subject = "meter")]
struct Read {
    meter: String,
    value: i64,
    unit: String,
}

struct Sums;

impl Sums {
    fn add(&self, tx: &mut Tx, event: &Read) -> Result<(), Abort> {
        tx.execute(
            "INSERT INTO sums (meter, sum) VALUES ($1, $2) ON CONFLICT (meter) DO UPDATE SET sum = sum + $2",
            &[&event.meter, &event.value],
        )?;
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<usize>().ok());
    let keys = numbers.next().unwrap_or(1000).max(1);
    let events = numbers.next().unwrap_or(50_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let dir = std::env::temp_dir().join(format!("partie-bench-{}", std::process::id()));
    runtime.block_on(measure(&dir, keys, events))?;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

async fn measure(
    dir: &std::path::Path,
    keys: usize,
    events: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let handles = Handles::system();
    let activity = handles.activity.clone();
    let open = |name| {
        Store::open(dir, name, &[TABLES, MIGRATIONS], handles.clone(), partie_store::Config::default())
    };
    let (meters, sums) = (open("meters")?, open("sums")?);
    let broker = EmbeddedBroker::open(dir, handles.clone(), BrokerConfig::default())?;
    let from = start("meters", meters.clone(), &broker, Handlers::new())?;
    let to = start("sums", sums.clone(), &broker, Handlers::new().on(Sums::add))?;
    activity.quiet().await;

    let begun = monotonic();
    let writers = (0..WRITERS).map(|writer| {
        let store = meters.clone();
        tokio::spawn(async move {
            for number in (writer..events).step_by(WRITERS) {
                let written: Outcome<()> = store
                    .write(move |tx| {
                        let meter = format!("meter-{}", number % keys);
                        tx.publish(&Read { meter, value: 1, unit: "kWh".to_owned() })?;
                        Ok(())
                    })
                    .await;
                written.expect("the store takes it");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await?;
    }
    let published = begun.elapsed();
    activity.quiet().await;
    let handled = begun.elapsed();

    let sum: Outcome<i64> =
        sums.read(|tx| Ok(tx.query_one("SELECT SUM(sum) FROM sums", &[], |row| row.get(0))?)).await;
    assert_eq!(usize::try_from(sum.expect("the store reads"))?, events);
    let rate = |time: Duration| events as f64 / time.as_secs_f64();
    println!(
        "{events} events of {keys} keys: {:.0}/s published, {:.0}/s handled; commits: {} publishing, {} broker, {} handling",
        rate(published),
        rate(handled),
        meters.stats().commits,
        broker.store().stats().commits,
        sums.stats().commits,
    );
    to.stop().await;
    from.stop().await;
    broker.close().await;
    meters.close().await;
    sums.close().await;
    Ok(())
}

fn start(
    service: &'static str,
    store: Store,
    broker: &EmbeddedBroker,
    handlers: Handlers<Sums>,
) -> Result<Worker, Box<dyn std::error::Error>> {
    Ok(Worker::start(WorkerParts {
        service,
        store,
        broker: Arc::new(broker.clone()),
        handlers,
        state: Arc::new(Sums),
        calls: Arc::new(|| Call::new(Deadline::after(Duration::from_secs(60)), Trace::new(1, 1))),
        stages: Stages::default(),
        config: Config::default(),
    })?)
}
