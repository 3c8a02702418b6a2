//! The store and the outbox alone, in somebody's own axum program and beside tables of their own: a keyed write, and an
//! event that leaves if and only if the write is committed.
//!
//! ```text
//! psql "$DATABASE_URL" -c 'CREATE SCHEMA shop' -c 'CREATE TABLE shop.sales (id UUID PRIMARY KEY, item TEXT, quantity BIGINT)'
//! cargo run -p examples --features engines --bin outbox_alone -- "$DATABASE_URL" nats://127.0.0.1:4222
//! curl http://127.0.0.1:3000/sales -H 'Idempotency-Key: 1' -H 'Content-Type: application/json' -d '{"item":"soup","quantity":2}'
//! ```
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::{Router, routing::post};
use partie::contract::{Deadline, Event, Fault, FaultKind, NoProblem, Trace, id};
use partie::messaging::{
    self, BrokerUrl, Handlers, LogBroker, LogBrokerConfig, LogConfig, Publish, Stages, Worker, WorkerParts,
};
use partie::runtime::Ids;
use partie::store::{Config, Handles, Store, Tx};
use partie::{Call, Outcome, Platform};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

id! {
    /// Names a sale.
    pub struct SaleId;
}

#[derive(Debug, Clone, Deserialize)]
struct Order {
    item: String,
    quantity: i64,
}

/// Something was sold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Event)]
#[event("sale.made", version = 1, subject = "sale_id")]
struct SaleMade {
    sale_id: SaleId,
    item: String,
    quantity: i64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, broker] = &arguments[..] else { return Err("say where: postgres://.. nats://..".into()) };
    // Partie's tables, all named `partie_..`, come into the schema that is there.
    let store =
        Store::connect(database, "shop", &[messaging::MIGRATIONS], Handles::system(), Config::default())?;
    let log = broker.parse::<BrokerUrl>()?.open(&LogConfig::default())?;
    // Takes the outbox to the broker, in the order of the commits.
    let worker = Worker::start(WorkerParts {
        service: "shop",
        store: store.clone(),
        broker: Arc::new(LogBroker::new(log, store.clone(), LogBrokerConfig::default())),
        handlers: Handlers::new(),
        state: Arc::new(()),
        calls: Arc::new(|| Call::new(Deadline::after(Duration::from_secs(10)), Ids::from_entropy().trace())),
        stages: Stages::default(),
        config: messaging::Config::default(),
    })?;

    let app = Router::new().route("/sales", post(sell)).with_state(store.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) }).await?;
    worker.stop().await;
    store.close().await;
    Ok(())
}

/// The same key and the same body are one sale, however often they come.
async fn sell(State(store): State<Store>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let sold = async {
        let order: Order = serde_json::from_slice(&body)
            .map_err(|error| Platform::new(FaultKind::MalformedBody).with_detail(error.to_string()))?;
        let cx = keyed(&headers, &body)?;
        store.once(&cx, move |tx| make(tx, &order)).await
    };
    let answered: Outcome<SaleMade> = sold.await;
    match answered {
        Ok(sale) => Response::new(Body::from(serde_json::to_vec(&sale).unwrap_or_default())),
        // A fault is a problem document like any other answer.
        Err(Fault::Platform(fault)) => fault.into_response(None, None).map(Body::new),
        Err(Fault::Domain(never)) => match never {},
    }
}

/// In one transaction: a row of one's own, the event, and the answer under its key.
fn make(tx: &mut Tx, order: &Order) -> Outcome<SaleMade, NoProblem> {
    let sale = SaleMade { sale_id: tx.new_id(), item: order.item.clone(), quantity: order.quantity };
    tx.execute(
        "INSERT INTO sales (id, item, quantity) VALUES ($1, $2, $3)",
        &[&sale.sale_id, &sale.item, &sale.quantity],
    )?;
    tx.publish(&sale)?;
    Ok(sale)
}

/// A call under the request's key: the caller is whom you have authenticated, the fingerprint what makes it the same request.
fn keyed(headers: &HeaderMap, body: &[u8]) -> Result<Call, Platform> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let key = key.ok_or_else(|| Platform::new(FaultKind::IdempotencyKeyMissing))?;
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, body).as_ref());
    let trace: Trace = Ids::from_entropy().trace();
    let call = Call::new(Deadline::after(Duration::from_secs(5)), trace);
    Ok(call.with_key(key).with_bound_key("anybody/POST /sales".into(), fingerprint))
}
