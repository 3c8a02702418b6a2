//! Reads one partition from an offset on.

use std::sync::Arc;
use std::time::Duration;

use krafka::consumer::{AutoOffsetReset, Consumer};
use krafka::{ConsumerRecord, Kafka};
use partie_contract::BoxFuture;
use tracing::warn;
use uuid::Uuid;

use super::{ID, TYPE, broker_error, header};
use crate::broker::log::{Feed, Page, Place};
use crate::broker::{BrokerError, Message};

/// How many records a page has at most.
const PAGE: i32 = 256;
/// How long one look for records takes. The cluster answers as soon as there are some.
const LOOK: Duration = Duration::from_secs(5);

pub(super) struct KafkaFeed {
    consumer: Consumer,
    to: i64,
}

// === impl KafkaFeed ===

impl KafkaFeed {
    /// Nothing when the partition ends before the position.
    pub(super) async fn open(kafka: Kafka, topic: &str, place: &Place) -> Result<Option<Self>, BrokerError> {
        let making = kafka
            .consumer_without_group()
            // What is to be done about an offset that is not there is decided here, when a partition is opened again.
            .auto_offset_reset(AutoOffsetReset::None)
            .max_poll_records(PAGE)
            .metrics_push(false)
            .build();
        let consumer = making.await.map_err(broker_error)?;
        let part = i32::try_from(place.part).map_err(broker_error)?;
        consumer.assign(topic, vec![part]).await.map_err(broker_error)?;
        let (oldest, end) = consumer.fetch_watermarks(topic, part).await.map_err(broker_error)?;
        // Positions are offsets and one, so a position is the offset of what comes behind it.
        if end < place.after {
            return Ok(None);
        }
        consumer.seek(topic, part, place.after.max(oldest)).await.map_err(broker_error)?;
        Ok(Some(Self { consumer, to: place.after }))
    }
}

impl Feed for KafkaFeed {
    fn next(&mut self) -> BoxFuture<'_, Result<Page, BrokerError>> {
        Box::pin(async move {
            loop {
                let records = self.consumer.poll(LOOK).await.map_err(broker_error)?;
                let Some(last) = records.last() else { continue };
                self.to = last.offset + 1;
                let rows = records.iter().filter_map(|record| {
                    let position = record.offset + 1;
                    let message = read(record);
                    if message.is_none() {
                        warn!(position, "a record of somebody else is passed over");
                    }
                    Some((position, Arc::new(message?)))
                });
                return Ok(Page { rows: rows.collect(), to: self.to });
            }
        })
    }
}

fn read(record: &ConsumerRecord) -> Option<Message> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(Arc::from);
    Some(Message {
        id: Uuid::from_slice(header(&record.headers, ID)?).ok()?,
        type_name: text(header(&record.headers, TYPE)?)?,
        key: text(record.key.as_ref()?)?,
        body: text(record.value.as_ref()?)?,
    })
}
