//! RabbitMQ: streams, one for each part, behind a topic exchange.

mod feed;
mod line;
mod topology;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation};
use partie_contract::BoxFuture;
use tokio::sync::Mutex;

use self::feed::RabbitFeed;
use self::line::Line;
use self::topology::Topology;
use super::log::{Feed, Log, Place, ReadError, part_of, waves};
use super::vendor::{Credentials, LogConfig, LogMisconfigured, Refusals, broker_error};
use super::{BrokerError, Message, Refused};

/// The events of a system in streams of RabbitMQ, 3.9 or later.
///
/// The topic exchange `PREFIX` and the streams `PREFIX.0`, `PREFIX.1` and so on are made when they are not there, with
/// the retention as `x-max-age`. The routing key is `PART.TYPE`: a program in another language binds a queue of its own to
/// `*.TYPE`. The payload is the CloudEvent, `message_id` the event's id, `type` its type, the header `partie-key` what is
/// kept in order.
///
/// Streams and not queues, since a queue has only what came after it was declared, and a group that is new is to begin
/// with the oldest. A stream is not synced for each message: what was acknowledged survives its server's process, and its
/// machine with replicas.
pub struct RabbitLog {
    line: Line,
    topology: Topology,
    config: LogConfig,
    /// The channel that publishes. One batch at a time has it.
    publisher: Mutex<Option<Channel>>,
}

/// The header with the key.
const KEY: &str = "partie-key";
/// The largest body a server of any version takes by default.
const LARGEST: usize = 16 << 20;

// === impl RabbitLog ===

impl RabbitLog {
    /// The log at a server, `HOST:PORT`. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`LogMisconfigured`]
    pub fn new(
        at: &str,
        credentials: Option<Credentials>,
        vhost: &str,
        config: LogConfig,
    ) -> Result<Self, LogMisconfigured> {
        config.check()?;
        let line = Line::new(at, credentials, vhost, config.timeout)?;
        let topology = Topology::new(&config);
        Ok(Self { line, topology, config, publisher: Mutex::default() })
    }

    /// Sends a wave and waits for the answers. The error means that nobody knows of some.
    async fn send(
        &self,
        channel: &Channel,
        batch: &[Message],
        wave: &[usize],
        refusals: &mut Refusals,
    ) -> Result<(), BrokerError> {
        let mut waiting = Vec::with_capacity(wave.len());
        for &index in wave {
            let message = &batch[index];
            if !refusals.admits(index, message) {
                continue;
            }
            if message.body.len() > LARGEST {
                let reason = format!("a message has {LARGEST} bytes at most");
                refusals.refuse(index, message, broker_error(reason));
                continue;
            }
            let part = part_of(&message.key, u32::from(self.config.parts));
            let names = (
                ShortString::try_new(format!("{part}.{}", message.type_name)),
                ShortString::try_new(&*message.type_name),
            );
            let (Ok(routing_key), Ok(type_name)) = names else {
                refusals.refuse(index, message, broker_error("the type is too long"));
                continue;
            };
            let key = AMQPValue::LongString(message.key.as_bytes().to_vec().into());
            let headers = FieldTable::from(BTreeMap::from([(KEY.into(), key)]));
            let properties = BasicProperties::default()
                .with_message_id(message.id.to_string().into())
                .with_type(type_name)
                .with_content_type("application/cloudevents+json".into())
                .with_delivery_mode(2)
                .with_headers(headers);
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let sent = channel.basic_publish(
                self.topology.exchange(),
                routing_key,
                options,
                message.body.as_bytes(),
                properties,
            );
            waiting.push((index, sent.await.map_err(broker_error)?));
        }
        let answers = waiting.into_iter().map(|(index, answer)| async move { (index, answer.await) });
        for (index, answer) in join_all(answers).await {
            match answer.map_err(broker_error)? {
                Confirmation::Ack(None) => {}
                // Nobody is bound to it: somebody has taken the streams away.
                Confirmation::Ack(Some(_)) => return Err(broker_error("a message was not routed")),
                Confirmation::Nack(_) | Confirmation::NotRequested => {
                    refusals.refuse(index, &batch[index], broker_error("the server does not take it"));
                }
            }
        }
        Ok(())
    }
}

impl Log for RabbitLog {
    fn publish(&self, batch: Vec<Message>) -> BoxFuture<'_, Result<Vec<Refused>, BrokerError>> {
        Box::pin(async move {
            let mut publisher = self.publisher.lock().await;
            // From here on, unless all of it went well, there is no channel for the next batch.
            let channel = match publisher.take().filter(|channel| channel.status().connected()) {
                Some(channel) => channel,
                None => self.line.within(self.topology.publisher(&self.line)).await?,
            };
            let mut refusals = Refusals::default();
            for wave in waves(&batch) {
                self.line.within(self.send(&channel, &batch, &wave, &mut refusals)).await?;
            }
            *publisher = Some(channel);
            Ok(refusals.finish())
        })
    }

    fn parts(&self) -> BoxFuture<'_, Result<u32, BrokerError>> {
        Box::pin(async { Ok(u32::from(self.config.parts)) })
    }

    fn read(&self, place: Place) -> BoxFuture<'_, Result<Box<dyn Feed>, ReadError>> {
        Box::pin(async move {
            let mut feed = self.line.within(RabbitFeed::open(&self.line, &self.topology, &place)).await?;
            // The last message that is known comes first, or one behind it: a stream always keeps its last one. If not, this
            // is another stream, or a server that is not up yet.
            if place.after > 0 && !self.line.within(feed.begins_behind(place.after)).await.unwrap_or(false) {
                let ends = RabbitFeed::ends_before(&self.line, &self.topology, &place);
                return match self.line.within(ends).await? {
                    true => Err(ReadError::Anew { after: place.after }),
                    false => Err(broker_error("the stream says nothing").into()),
                };
            }
            Ok(Box::new(feed) as Box<dyn Feed>)
        })
    }

    fn retention(&self) -> Duration {
        self.config.retention
    }
}

impl fmt::Debug for RabbitLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitLog")
            .field("line", &self.line)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
