//! Durable orders a second through the store on PostgreSQL, and through the bare driver, in turns.
//!
//! The store has 128 callers and as many connections as the driver, which runs a loop on each: the same four statements
//! (the idempotency key is claimed, the order, an outbox row, the answer under the key) in a serializable transaction,
//! prepared, `BEGIN` in one flight with the first of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join;
use partie_contract::{Call, Deadline, Outcome, Trace, id};
use partie_runtime::{Ids, monotonic};
use partie_store::{Config, Handles, Migration, MigrationSet, Store};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, Statement};

use crate::Error;

id! {
    struct OrderId;
}

const CALLERS: u64 = 128;
const CONNECTIONS: usize = 8;
const BASKET: &str =
    r#"[{"dish":"01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a","count":2,"price":{"amount":1290,"currency":"EUR"}}]"#;
const SCOPE: &str = "customer-7 POST /api/v1/orders";

const ORDER: &str = "INSERT INTO orders (id, customer, basket, total, placed_at) VALUES ($1, $2, $3, $4, $5)";
const EVENT: &str = "INSERT INTO outbox (subject, event) VALUES ($1, $2)";
const CLAIM: &str = "INSERT INTO partie_keys (scope, key, fingerprint, created_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (scope, key) DO NOTHING";
const ANSWER: &str = "UPDATE partie_keys SET status = $3, location = $4, etag = $5, link = $6, body = $7
     WHERE scope = $1 AND key = $2";

const TABLES: MigrationSet = MigrationSet {
    name: "service",
    migrations: &[Migration::new(
        "0001_orders.sql",
        "CREATE TABLE orders (id BLOB PRIMARY KEY, customer TEXT NOT NULL, basket TEXT NOT NULL, total BIGINT NOT NULL,
                              placed_at BIGINT NOT NULL) WITHOUT ROWID;
         CREATE TABLE outbox (position INTEGER PRIMARY KEY, subject BLOB NOT NULL, event TEXT NOT NULL);",
    )],
};

/// A connection with its statements.
struct Bare {
    client: Client,
    claim: Statement,
    order: Statement,
    event: Statement,
    answer: Statement,
}

/// Orders a second through the store and through the driver, by rounds.
///
/// # Errors
/// When the server breaks off.
pub fn compare(url: &str, rounds: usize, time: Duration) -> Result<Vec<[f64; 2]>, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut config = Config::default();
        config.connections = CONNECTIONS;
        let connect = |name| Store::connect(url, name, &[TABLES], Handles::system(), config.clone());
        let (store, tables) = (connect("store")?, connect("bare")?);
        // It has made the tables.
        tables.close().await;
        let mut bare = Vec::new();
        for _ in 0..CONNECTIONS {
            bare.push(Arc::new(Bare::connect(url).await?));
        }
        let mut seen = Vec::new();
        for _ in 0..rounds {
            let through_store = measure(time, CALLERS, |caller| {
                let store = store.clone();
                async move { place(&store, caller).await.is_ok() }
            });
            let through_store = through_store.await;
            let through_driver = measure(time, CONNECTIONS as u64, |caller| {
                let (bare, ids) = (Arc::clone(&bare[caller as usize]), store.ids().clone());
                async move { bare.place(&ids, caller).await.is_ok() }
            });
            seen.push([through_store, through_driver.await]);
        }
        store.close().await;
        Ok(seen)
    })
}

/// Orders a second.
async fn measure<F>(time: Duration, callers: u64, place: impl Fn(u64) -> F) -> f64
where
    F: Future<Output = bool> + Send + 'static,
{
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = monotonic();
    let all = futures_util::future::join_all((0..callers).map(|caller| {
        let (stop, done, place) = (&stop, &done, &place);
        async move {
            while !stop.load(Ordering::Relaxed) {
                let mut one = JoinSet::new();
                one.spawn(place(caller));
                if matches!(one.join_next().await, Some(Ok(true))) {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }));
    let timer = async {
        tokio::time::sleep(time).await;
        stop.store(true, Ordering::Relaxed);
    };
    join(all, timer).await;
    done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// An order as a service places it.
async fn place(store: &Store, caller: u64) -> Outcome<String> {
    let trace = store.ids().trace();
    let key = format!("{:032x}", trace.trace_id());
    let cx = Call::new(Deadline::after(Duration::from_secs(30)), Trace::new(trace.trace_id(), 1))
        .with_key(key)
        .with_bound_key(SCOPE.into(), [7; 32]);
    store
        .once(&cx, move |tx| {
            let id: OrderId = tx.new_id();
            tx.execute(ORDER, &[&id, &"customer-7", &BASKET, &(2_580 + caller), &tx.now()])?;
            tx.execute(EVENT, &[&id, &BASKET])?;
            Ok(format!(r#"{{"id":"{id}","state":"placed","total":{{"amount":2580,"currency":"EUR"}}}}"#))
        })
        .await
}

// === impl Bare ===

impl Bare {
    async fn connect(url: &str) -> Result<Self, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        // It ends with its client.
        drop(tokio::spawn(connection));
        client.batch_execute("SET search_path TO bare").await?;
        let (claim, order) = (client.prepare(CLAIM).await?, client.prepare(ORDER).await?);
        let (event, answer) = (client.prepare(EVENT).await?, client.prepare(ANSWER).await?);
        Ok(Self { client, claim, order, event, answer })
    }

    async fn place(&self, ids: &Ids, caller: u64) -> Result<(), tokio_postgres::Error> {
        let Self { client, claim, order, event, answer } = self;
        let trace = ids.trace();
        let (key, now) = (format!("{:032x}", trace.trace_id()), 1_700_000_000_000_i64);
        let id = trace.trace_id().to_be_bytes();
        let begin = client.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE");
        let fingerprint = [7_u8; 32];
        let claimed = async { client.execute(claim, &[&SCOPE, &key, &&fingerprint[..], &now]).await };
        let (begun, claimed) = join(begin, claimed).await;
        begun.and(claimed)?;
        client.execute(order, &[&&id[..], &"customer-7", &BASKET, &((2_580 + caller) as i64), &now]).await?;
        client.execute(event, &[&&id[..], &BASKET]).await?;
        let body = format!(r#"{{"id":"{key}","state":"placed","total":{{"amount":2580,"currency":"EUR"}}}}"#);
        let none: Option<&str> = None;
        client.execute(answer, &[&SCOPE, &key, &200_i64, &none, &none, &none, &body.as_bytes()]).await?;
        client.batch_execute("COMMIT").await
    }
}
