//! The exchange and the streams, made where they are missing.

use std::collections::BTreeMap;
use std::time::Duration;

use lapin::options::{
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};
use tokio::sync::Mutex;

use super::broker_error;
use super::line::Line;
use crate::broker::BrokerError;
use crate::broker::vendor::LogConfig;

pub(super) struct Topology {
    prefix: String,
    parts: u16,
    arguments: FieldTable,
    /// Held by the one of this connection that makes streams.
    making: Mutex<()>,
}

/// The size of a file of a stream, in bytes.
const SEGMENT: i32 = 64 << 20;
/// How often somebody who waits for another connection looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

// === impl Topology ===

impl Topology {
    pub(super) fn new(config: &LogConfig) -> Self {
        let text = |text: &str| AMQPValue::LongString(text.to_owned().into());
        let max_age = format!("{}s", config.retention.as_secs());
        let arguments = FieldTable::from(BTreeMap::from([
            ("x-queue-type".into(), text("stream")),
            ("x-max-age".into(), text(&max_age)),
            // What is old goes a segment at a time.
            ("x-stream-max-segment-size-bytes".into(), AMQPValue::LongInt(SEGMENT)),
            ("x-initial-cluster-size".into(), AMQPValue::LongInt(i32::from(config.replicas))),
        ]));
        Self { prefix: config.prefix.clone(), parts: config.parts, arguments, making: Mutex::default() }
    }

    pub(super) fn exchange(&self) -> ShortString {
        self.prefix.as_str().into()
    }

    pub(super) fn stream(&self, part: u32) -> ShortString {
        format!("{}.{part}", self.prefix).into()
    }

    /// A channel that publishes, with everything there.
    pub(super) async fn publisher(&self, line: &Line) -> Result<Channel, BrokerError> {
        let mut channel = line.channel().await?;
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared =
            channel.exchange_declare(self.exchange(), ExchangeKind::Topic, durable, FieldTable::default());
        declared.await.map_err(broker_error)?;
        for part in 0..u32::from(self.parts) {
            channel = self.ensure(line, channel, part).await?;
            let bound = channel.queue_bind(
                self.stream(part),
                self.exchange(),
                format!("{part}.#").into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            );
            bound.await.map_err(broker_error)?;
        }
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(broker_error)?;
        Ok(channel)
    }

    /// Makes the stream of a part if it is not there. One that is there stays as it is. A server answers a mistake by
    /// closing the channel, so another one may come back.
    pub(super) async fn ensure(
        &self,
        line: &Line,
        mut channel: Channel,
        part: u32,
    ) -> Result<Channel, BrokerError> {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let known = channel.queue_declare(self.stream(part), passive, FieldTable::default()).await;
        if known.is_err() {
            // One at a time: a server that is told twice at once makes a stream that is not there after a restart.
            let _here = self.making.lock().await;
            let lock = self.lock(line).await?;
            channel = line.channel().await?;
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            let made = channel.queue_declare(self.stream(part), durable, self.arguments.clone());
            let made = made.await.map_err(broker_error);
            let unlocked = lock.queue_delete(self.lock_name(), QueueDeleteOptions::default()).await;
            unlocked.map_err(broker_error)?;
            made?;
        }
        Ok(channel)
    }

    /// Waits until no other connection makes streams: a queue of one connection is nobody else's. It ends with the
    /// connection, if not before.
    async fn lock(&self, line: &Line) -> Result<Channel, BrokerError> {
        loop {
            let channel = line.channel().await?;
            let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
            match channel.queue_declare(self.lock_name(), exclusive, FieldTable::default()).await {
                Ok(_) => return Ok(channel),
                Err(error) if error.is_amqp_soft_error() => tokio::time::sleep(LOOK_AGAIN).await,
                Err(error) => return Err(broker_error(error)),
            }
        }
    }

    fn lock_name(&self) -> ShortString {
        format!("{}.lock", self.prefix).into()
    }
}
