//! Durable events a second through the log on NATS, as a relay publishes them, and through the bare client, in turns.
//!
//! Both publish batches of 256 messages of different keys to a stream on disk, each with its id for deduplication, and wait
//! for all acknowledgements before the next batch.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, Context, stream};
use futures_util::future::try_join_all;
use partie::messaging::{BrokerUrl, Log, LogConfig, Message};
use partie_runtime::{Ids, monotonic};
use uuid::Uuid;

use crate::Error;

/// As many as a relay takes at once.
const BATCH: usize = 256;
const BODY: &str = r#"{"specversion":"1.0","source":"orders","type":"order.placed","datacontenttype":"application/json","data":{"order_id":"01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a","customer":"customer-7","total":{"amount":2580,"currency":"EUR"}}}"#;

/// Events a second through the log and through the client, by rounds.
///
/// # Errors
/// When the server breaks off.
pub fn compare(url: &str, rounds: usize, time: Duration) -> Result<Vec<[f64; 2]>, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let log = url.parse::<BrokerUrl>()?.open(&LogConfig::default())?;
        // It makes its stream.
        log.parts().await?;
        let bare = jetstream::new(async_nats::connect(url).await?);
        let config = stream::Config {
            name: "bare".to_owned(),
            subjects: vec!["bare.>".to_owned()],
            ..stream::Config::default()
        };
        bare.create_stream(config).await?;
        let ids = Ids::seeded(1);
        let mut seen = Vec::new();
        for _ in 0..rounds {
            let through_log = measure(time, async || publish(&*log, batch(&ids)).await).await?;
            let through_client = measure(time, async || publish_bare(&bare, batch(&ids)).await).await?;
            seen.push([through_log, through_client]);
        }
        Ok(seen)
    })
}

/// Events a second.
async fn measure(time: Duration, publish: impl AsyncFn() -> Result<(), Error>) -> Result<f64, Error> {
    let (begun, mut published) = (monotonic(), 0);
    while begun.elapsed() < time {
        publish().await?;
        published += BATCH;
    }
    Ok(published as f64 / begun.elapsed().as_secs_f64())
}

fn batch(ids: &Ids) -> Vec<Message> {
    let message = |_| {
        let id = Uuid::from_u128(ids.trace().trace_id());
        Message {
            id,
            type_name: "order.placed".into(),
            key: format!("orders/{id}").into(),
            body: BODY.into(),
        }
    };
    (0..BATCH).map(message).collect()
}

async fn publish(log: &dyn Log, batch: Vec<Message>) -> Result<(), Error> {
    match log.publish(batch).await?.first() {
        Some(refused) => Err(refused.reason.to_string().into()),
        None => Ok(()),
    }
}

async fn publish_bare(bare: &Context, batch: Vec<Message>) -> Result<(), Error> {
    let sent = batch.into_iter().map(async |message| {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", message.id.to_string());
        headers.insert("Partie-Key", &*message.key);
        let body: Arc<str> = message.body;
        bare.publish_with_headers("bare.order.placed", headers, body.as_bytes().to_vec().into()).await
    });
    let acknowledgements = try_join_all(sent).await?;
    try_join_all(acknowledgements.into_iter().map(IntoFuture::into_future)).await?;
    Ok(())
}
