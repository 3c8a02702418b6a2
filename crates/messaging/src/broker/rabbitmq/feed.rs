//! Reads one stream from an offset on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, Channel, Consumer};
use partie_contract::BoxFuture;
use tracing::warn;
use uuid::Uuid;

use super::line::Line;
use super::topology::Topology;
use super::{KEY, broker_error};
use crate::broker::log::{Feed, Page, Place};
use crate::broker::{BrokerError, Message};

/// How many messages are on their way at most.
const AHEAD: u16 = 512;
/// How many messages a page has at most.
const PAGE: usize = 256;

/// After so long nothing more of a chunk comes.
const SILENCE: Duration = Duration::from_secs(1);

pub(super) struct RabbitFeed {
    consumer: Consumer,
    to: i64,
    /// Came while somebody looked where the stream begins.
    first: Option<Delivery>,
    /// Of the last message that came. Acknowledging is how a stream is asked for more, and nothing else.
    last: Option<Acker>,
    /// Has to live as long as the consumer.
    _channel: Channel,
}

// === impl RabbitFeed ===

impl RabbitFeed {
    pub(super) async fn open(line: &Line, topology: &Topology, place: &Place) -> Result<Self, BrokerError> {
        // Positions are offsets and one: the last message that is known comes again, and shows that it is that stream.
        let offset = match place.after {
            0 => AMQPValue::LongString("first".into()),
            after => AMQPValue::LongLongInt(after - 1),
        };
        Self::open_at(line, topology, place, offset).await
    }

    /// Whether the stream ends before a position. Nothing is known of one that says nothing.
    pub(super) async fn ends_before(
        line: &Line,
        topology: &Topology,
        place: &Place,
    ) -> Result<bool, BrokerError> {
        // It begins with the last chunk.
        let last = AMQPValue::LongString("last".into());
        let mut feed = Self::open_at(line, topology, place, last).await?;
        let mut end = position_of(&feed.delivery().await?);
        while end.is_some_and(|end| end < place.after) {
            match tokio::time::timeout(SILENCE, feed.delivery()).await {
                Ok(next) => end = position_of(&next?),
                Err(_) => return Ok(true),
            }
        }
        Ok(false)
    }

    async fn open_at(
        line: &Line,
        topology: &Topology,
        place: &Place,
        offset: AMQPValue,
    ) -> Result<Self, BrokerError> {
        let channel = topology.ensure(line, line.channel().await?, place.part).await?;
        channel.basic_qos(AHEAD, BasicQosOptions::default()).await.map_err(broker_error)?;
        let arguments = FieldTable::from(BTreeMap::from([("x-stream-offset".into(), offset)]));
        let consumer = channel.basic_consume(
            topology.stream(place.part),
            "".into(),
            BasicConsumeOptions::default(),
            arguments,
        );
        let consumer = consumer.await.map_err(broker_error)?;
        Ok(Self { consumer, to: place.after, first: None, last: None, _channel: channel })
    }

    /// Whether the first message is the one at that position, or one behind it.
    pub(super) async fn begins_behind(&mut self, position: i64) -> Result<bool, BrokerError> {
        let first = self.delivery().await?;
        let begins = position_of(&first).is_some_and(|first| first >= position);
        self.first = Some(first);
        Ok(begins)
    }

    async fn delivery(&mut self) -> Result<Delivery, BrokerError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let next = self.consumer.next().await;
        next.ok_or_else(|| broker_error("the consumer is gone"))?.map_err(broker_error)
    }

    fn take(&mut self, page: &mut Page, delivery: Delivery) -> Result<(), BrokerError> {
        let position =
            position_of(&delivery).ok_or_else(|| broker_error("a message of a stream has no offset"))?;
        // A stream begins with the chunk the offset is in, so earlier ones may come.
        if position > self.to {
            self.to = position;
            page.to = position;
            match read(&delivery) {
                Some(message) => page.rows.push((position, Arc::new(message))),
                None => warn!(position, "a message of somebody else is passed over"),
            }
        }
        self.last = Some(delivery.acker);
        Ok(())
    }
}

impl Feed for RabbitFeed {
    fn next(&mut self) -> BoxFuture<'_, Result<Page, BrokerError>> {
        Box::pin(async move {
            if let Some(last) = self.last.take() {
                last.ack(BasicAckOptions { multiple: true }).await.map_err(broker_error)?;
            }
            let mut page = Page { rows: Vec::new(), to: self.to };
            let first = self.delivery().await?;
            self.take(&mut page, first)?;
            // What is here already; nothing is awaited, so nothing is lost when somebody does not wait for us.
            while page.rows.len() < PAGE
                && let Some(Some(Ok(next))) = self.consumer.next().now_or_never()
            {
                self.take(&mut page, next)?;
            }
            Ok(page)
        })
    }
}

fn position_of(delivery: &Delivery) -> Option<i64> {
    match delivery.properties.headers().as_ref()?.inner().get("x-stream-offset")? {
        AMQPValue::LongLongInt(offset) => Some(offset + 1),
        AMQPValue::Timestamp(offset) => i64::try_from(*offset).ok()?.checked_add(1),
        _ => None,
    }
}

fn read(delivery: &Delivery) -> Option<Message> {
    let properties = &delivery.properties;
    let AMQPValue::LongString(key) = properties.headers().as_ref()?.inner().get(KEY)? else { return None };
    Some(Message {
        id: Uuid::parse_str(properties.message_id().as_ref()?.as_str()).ok()?,
        type_name: properties.kind().as_ref()?.as_str().into(),
        key: std::str::from_utf8(key.as_bytes()).ok()?.into(),
        body: std::str::from_utf8(&delivery.data).ok()?.into(),
    })
}
