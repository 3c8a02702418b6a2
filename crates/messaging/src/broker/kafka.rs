//! Kafka: one topic for the system, read by positions of our own.

mod feed;

use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use krafka::admin::{CreateTopicsOptions, NewTopic};
use krafka::error::ErrorCode;
use krafka::producer::{Acks, Producer};
use krafka::{Kafka, KrafkaError, Record};
use partie_contract::BoxFuture;
use tokio::sync::{Mutex, OnceCell};

use self::feed::KafkaFeed;
use super::log::{Feed, Log, Place, ReadError, part_of, waves};
use super::vendor::{LogConfig, LogMisconfigured, Refusals, broker_error};
use super::{BrokerError, Message, Refused};

/// The events of a system in a topic of Kafka, 3.9 or later.
///
/// The topic is named as the prefix and made when it is not there, with the retention as `retention.ms`; one that is there
/// keeps its partitions, and they must not be changed. The key of a record is what is kept in order, its value the
/// CloudEvent, and the headers `partie-id` and `partie-type` say the rest. No consumer group is used: how far a group is
/// stands in its service's store.
///
/// Records are written with `acks=all` by an idempotent producer. Kafka does not sync for each record: what was
/// acknowledged is as safe as the topic's replicas and `min.insync.replicas` make it.
pub struct KafkaLog {
    brokers: String,
    config: LogConfig,
    kafka: OnceCell<Kafka>,
    /// How many partitions the topic has, if it is known to be there.
    parts: Mutex<Option<u32>>,
    /// One batch at a time has it.
    producer: Mutex<Option<Producer>>,
}

/// The headers with an event's id and type.
const ID: &str = "partie-id";
const TYPE: &str = "partie-type";
/// The largest body a cluster takes by default, with some room for what stands around it.
const LARGEST: usize = 1_000_000;

// === impl KafkaLog ===

impl KafkaLog {
    /// The log at brokers of one cluster, each `HOST:PORT`. Nothing is asked of them yet.
    ///
    /// # Errors
    /// [`LogMisconfigured`]
    pub fn new(brokers: &[String], config: LogConfig) -> Result<Self, LogMisconfigured> {
        config.check()?;
        if brokers.is_empty() {
            return Err(LogMisconfigured { setting: "brokers", reason: "there are none".to_owned() });
        }
        Ok(Self {
            brokers: brokers.join(","),
            config,
            kafka: OnceCell::new(),
            parts: Mutex::default(),
            producer: Mutex::default(),
        })
    }

    /// Connections of their own, which look after themselves. Brokers answer what comes by one connection in order, and
    /// whoever waits for records there has everybody else wait.
    async fn connect(&self) -> Result<Kafka, BrokerError> {
        let connecting = Kafka::builder(self.brokers.clone())
            .client_id(self.config.prefix.clone())
            .connect_timeout(self.config.timeout)
            .request_timeout(self.config.timeout)
            .connect();
        connecting.await.map_err(broker_error)
    }

    /// The connections of those who never wait for records.
    async fn kafka(&self) -> Result<&Kafka, BrokerError> {
        self.kafka.get_or_try_init(|| self.connect()).await
    }

    /// How many partitions the topic has, which is made if it is not there.
    async fn topic(&self) -> Result<u32, BrokerError> {
        let mut known = self.parts.lock().await;
        if let Some(parts) = *known {
            return Ok(parts);
        }
        let LogConfig { prefix, parts, replicas, retention, timeout } = &self.config;
        let kafka = self.kafka().await?;
        let replicas = i16::try_from(*replicas).unwrap_or(i16::MAX);
        let mut topic = NewTopic::new(prefix.clone(), i32::from(*parts), replicas).map_err(broker_error)?;
        topic.configs.insert("retention.ms".to_owned(), retention.as_millis().to_string());
        let options = CreateTopicsOptions::default().timeout(*timeout);
        let made = kafka.admin().create_topics([topic], options).await.map_err(broker_error)?;
        for outcome in made.into_values() {
            match outcome {
                Ok(()) | Err(KrafkaError::Broker { code: ErrorCode::TopicAlreadyExists, .. }) => {}
                Err(error) => return Err(broker_error(error)),
            }
        }
        let asking = kafka.consumer_without_group().metrics_push(false).build();
        let consumer = asking.await.map_err(broker_error)?;
        let found = consumer.fetch_metadata(Some(prefix)).await.map_err(broker_error)?;
        let parts = found.topics.first().map_or(0, |topic| topic.partitions.len());
        match u32::try_from(parts) {
            Ok(parts) if parts > 0 => Ok(*known.insert(parts)),
            _ => Err(broker_error("the topic has no partitions yet")),
        }
    }

    /// Something is wrong: perhaps the topic is not there any more.
    async fn doubt(&self) {
        *self.parts.lock().await = None;
    }

    async fn producer(&self) -> Result<Producer, BrokerError> {
        let made = self
            .kafka()
            .await?
            .producer()
            .acks(Acks::All)
            .idempotent(true)
            .linger(Duration::ZERO)
            .delivery_timeout(self.config.timeout)
            .max_block(self.config.timeout)
            .metrics_push(false)
            .build();
        made.await.map_err(broker_error)
    }

    /// Sends a wave and waits for the answers. The error means that nobody knows of some.
    async fn send(
        &self,
        producer: &Producer,
        batch: &[Message],
        wave: &[usize],
        parts: u32,
        refusals: &mut Refusals,
    ) -> Result<(), KrafkaError> {
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
            let part = i32::try_from(part_of(&message.key, parts)).unwrap_or(0);
            let record = Record::new(self.config.prefix.clone(), message.body.as_bytes().to_vec())
                .key(message.key.as_bytes().to_vec())
                .partition(part)
                .header(ID, message.id.as_bytes().to_vec())
                .header(TYPE, message.type_name.as_bytes().to_vec())
                .header("content-type", "application/cloudevents+json");
            waiting.push((index, producer.enqueue(record).await?));
        }
        let answers = waiting.into_iter().map(|(index, answer)| async move { (index, answer.await) });
        for (index, answer) in join_all(answers).await {
            match answer {
                Ok(_) => {}
                Err(error) if is_refusal(&error) => {
                    refusals.refuse(index, &batch[index], broker_error(error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// As long as the cluster may take to answer, which is longer than the client itself waits.
    async fn within<T>(&self, work: impl Future<Output = Result<T, BrokerError>>) -> Result<T, BrokerError> {
        let late = |_| broker_error("the cluster does not answer");
        tokio::time::timeout(self.config.timeout * 2, work).await.map_err(late)?
    }
}

impl Log for KafkaLog {
    fn publish(&self, batch: Vec<Message>) -> BoxFuture<'_, Result<Vec<Refused>, BrokerError>> {
        Box::pin(async move {
            let parts = self.within(self.topic()).await?;
            let mut slot = self.producer.lock().await;
            // From here on, unless all of it goes well, the next batch has another producer: what this one still has in
            // hand may arrive late, and is there twice then, and never out of order.
            let producer = match slot.take() {
                Some(producer) => producer,
                None => self.within(self.producer()).await?,
            };
            let mut refusals = Refusals::default();
            for wave in waves(&batch) {
                let sent = async {
                    let sent = self.send(&producer, &batch, &wave, parts, &mut refusals).await;
                    sent.map_err(broker_error)
                };
                if let Err(error) = self.within(sent).await {
                    self.doubt().await;
                    return Err(error);
                }
            }
            *slot = Some(producer);
            Ok(refusals.finish())
        })
    }

    fn parts(&self) -> BoxFuture<'_, Result<u32, BrokerError>> {
        Box::pin(self.within(self.topic()))
    }

    fn read(&self, place: Place) -> BoxFuture<'_, Result<Box<dyn Feed>, ReadError>> {
        Box::pin(async move {
            self.within(self.topic()).await?;
            let opened = async { KafkaFeed::open(self.connect().await?, &self.config.prefix, &place).await };
            match self.within(opened).await {
                Ok(Some(feed)) => Ok(Box::new(feed) as Box<dyn Feed>),
                Ok(None) => Err(ReadError::Anew { after: place.after }),
                Err(error) => {
                    self.doubt().await;
                    Err(error.into())
                }
            }
        })
    }

    fn retention(&self) -> Duration {
        self.config.retention
    }
}

impl fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaLog")
            .field("brokers", &self.brokers)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Whether the cluster has said that it does not take the record, for a reason of the record's own.
fn is_refusal(error: &KrafkaError) -> bool {
    let codes = [ErrorCode::MessageTooLarge, ErrorCode::RecordListTooLarge, ErrorCode::InvalidRecord];
    matches!(error, KrafkaError::Broker { code, .. } if codes.contains(code))
}

/// The value of a header.
fn header<'h>(headers: &'h krafka::Headers, name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|(known, _)| known == name)?.1.as_deref()
}
