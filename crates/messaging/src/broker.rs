//! What a broker does, whoever makes it.

mod desk;
mod embedded;
mod group;
#[cfg(feature = "kafka")]
mod kafka;
mod lane;
mod log;
mod log_broker;
#[cfg(feature = "nats")]
mod nats;
mod percent;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
mod remote;
mod rows;
mod url;
mod vendor;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partie_contract::{BoxError, BoxFuture, Timestamp};
use partie_runtime::Busy;
use tokio::sync::watch;
use tracing::warn;
use uuid::Uuid;

use partie_runtime::Backoff;

pub use desk::BrokerDesk;
pub use embedded::{BrokerConfig, EmbeddedBroker};
#[cfg(feature = "kafka")]
pub use kafka::KafkaLog;
pub use log::{Feed, Log, Page, Place, ReadError};
pub use log_broker::{LogBroker, LogBrokerConfig};
#[cfg(feature = "nats")]
pub use nats::NatsLog;
#[cfg(feature = "rabbitmq")]
pub use rabbitmq::RabbitLog;
pub use remote::RemoteBroker;
pub use url::{BrokerUrl, BrokerUrlError};
pub use vendor::{Credentials, LogConfig, LogMisconfigured};
pub use wire::{BrokerWire, BrokerWireClient};

/// Carries messages from the outbox of one service to the groups of others.
///
/// What every implementation keeps to:
///
/// * A message is on disk before [`publish`](Self::publish) says so; with a vendor's broker, what the vendor calls so.
/// * A message with an id the broker knows already is acknowledged and not delivered again. A vendor's broker may have
///   forgotten it, so consumers keep an inbox.
/// * A group gets all messages of its types, at least once. Those of one key it gets in order, one at a time: the next
///   one after the one before it is settled. Different keys do not wait for each other.
/// * A message that keeps failing parks its key in that group, and only there.
/// * Something is going on ([`Busy`]) from the publication of a message until all groups with a subscriber have settled
///   it; waiting for the next attempt is included, parked keys are not. Between processes nobody can know: there it is so
///   from when a process has read a message.
pub trait Broker: fmt::Debug + Send + Sync + 'static {
    /// Puts messages on disk, in order; none of them is fine too, and only asks for the [`epoch`](Self::epoch). Gives back those that were refused; when one was, so were all later ones of its
    /// key in this batch. All others are on disk.
    ///
    /// # Errors
    /// [`BrokerError`] when it is not known of any of them whether it is on disk: all have to be published again.
    fn publish(&self, batch: Vec<Message>) -> BoxFuture<'_, Result<Vec<Refused>, BrokerError>>;

    /// Begins to deliver to a group, from where it stopped. A group that is new begins with the oldest message there is.
    ///
    /// # Errors
    /// [`BrokerError`] when the broker cannot do it now.
    fn subscribe(&self, group: Group) -> BoxFuture<'_, Result<Box<dyn Subscription>, BrokerError>>;

    /// The keys that are parked in a group, each with the message that parked it.
    ///
    /// # Errors
    /// [`BrokerError`] when the broker cannot do it now.
    fn parked<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<Vec<Parked>, BrokerError>>;

    /// Delivers a parked key again, beginning with the message that parked it. Says whether there was such a key.
    ///
    /// # Errors
    /// [`BrokerError`] when the broker cannot do it now.
    fn requeue<'a>(&'a self, group: &'a str, key: &'a str) -> BoxFuture<'a, Result<bool, BrokerError>>;

    /// Gives up the message that parked a key, for this group and for good, and goes on with the key's next one. Who did
    /// it and why is kept. Says whether that message was there.
    ///
    /// # Errors
    /// [`BrokerError`] when the broker cannot do it now.
    fn skip<'a>(&'a self, group: &'a str, skip: Skip) -> BoxFuture<'a, Result<bool, BrokerError>>;

    /// What was given up in a group, oldest first.
    ///
    /// # Errors
    /// [`BrokerError`] when the broker cannot do it now.
    fn skipped<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<Vec<Skipped>, BrokerError>>;

    /// Makes ready for a group whose service was restored from a backup and is in that epoch now: it has forgotten what it
    /// did since, so everything the broker still has is to be delivered again, except for what was skipped. Once for each
    /// epoch; an earlier one than the group has been in changes nothing. Call it before [`subscribe`](Self::subscribe).
    ///
    /// Without an implementation nothing is delivered again, and that is logged.
    ///
    /// # Errors
    /// [`BrokerError`] when the broker cannot do it now.
    fn rewind<'a>(&'a self, group: &'a str, epoch: i64) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            warn!(
                group,
                epoch, "the service was restored, and this broker does not deliver again what it missed"
            );
            Ok(())
        })
    }

    /// In which epoch the broker itself is, once that is known: another one says that it was restored from a backup, so
    /// that who publishes sends again what they still have. None for brokers that are not restored like this.
    fn epoch(&self) -> Option<watch::Receiver<Option<i64>>> {
        None
    }

    /// How long, in business time, a message that everybody has settled may still be delivered again.
    fn retention(&self) -> Duration;
}

/// One subscriber's deliveries. Dropping it ends the subscription; what was not settled is delivered again.
pub trait Subscription: Send {
    /// Waits for messages and gives back at least one, and at most that many, each of another key. May be cancelled.
    ///
    /// # Errors
    /// [`BrokerError`] when the subscription is over.
    fn next(&mut self, at_most: usize) -> BoxFuture<'_, Result<Vec<Delivery>, BrokerError>>;
}

/// A message, as the outbox wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The event's id.
    pub id: Uuid,
    /// `aggregate.happened`.
    pub type_name: Arc<str>,
    /// What is kept in order: the source and the subject.
    pub key: Arc<str>,
    /// The CloudEvent, as JSON.
    pub body: Arc<str>,
}

/// A message of a batch that is not on disk.
#[derive(Debug)]
pub struct Refused {
    /// Its place in the batch.
    pub index: usize,
    /// Why.
    pub reason: BrokerError,
}

/// Who wants messages, and how they are redelivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name: the service, the event type, and the handler's own name if it has one, with `/` between.
    pub name: String,
    /// The types it wants.
    pub types: Vec<String>,
    /// After so many failures of a message its key is parked.
    pub attempts: u32,
    /// Between attempts, in monotonic time.
    pub backoff: Backoff,
}

/// A message on loan until it is settled. Dropping it lets the broker deliver it again.
pub struct Delivery {
    /// The message.
    pub message: Arc<Message>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Since when it could have been taken: how far the subscriber is behind.
    pub since: Instant,
    /// Something is going on as long as this is there.
    pub busy: Busy,
    /// Gives it back.
    pub settle: Box<dyn Settle>,
}

/// Takes a verdict to the broker.
pub trait Settle: Send {
    /// Tells the broker what became of a delivery. When this is done the next message of the key may come.
    fn settle(self: Box<Self>, verdict: Verdict) -> BoxFuture<'static, Result<(), BrokerError>>;
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was handled, now or earlier.
    Done,
    /// It failed, for that reason; it is tried again and counts towards parking.
    Failed(String),
    /// It could not be tried, for a reason that is not its own; it is tried again and does not count.
    Later(String),
    /// It can never be handled: its key is parked at once.
    Poison(String),
}

/// A parked key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The key.
    pub key: String,
    /// The message that parked it.
    pub message: Message,
    /// How often it failed.
    pub attempts: u32,
    /// Why, the last time.
    pub error: String,
    /// Since when.
    pub since: Timestamp,
    /// How many messages of the key wait, this one included.
    pub waiting: u64,
}

/// The decision never to deliver a message to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// The parked key.
    pub key: String,
    /// The message that parked it.
    pub event: Uuid,
    /// Who decided.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// What was decided.
    pub skip: Skip,
    /// When.
    pub at: Timestamp,
}

/// The broker cannot do it now. Everything may be tried again.
#[derive(Debug, thiserror::Error)]
#[error("the broker: {0}")]
pub struct BrokerError(#[source] pub BoxError);

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("message", &self.message)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
