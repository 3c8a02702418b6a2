//! The wire protocol of a broker: a contract between the process that has it and those that use it.

use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Call, NoContent, Outcome, Problem, Timestamp, contract, id};
use partie_runtime::Backoff;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Group, Message, Parked, Skip, Skipped, Verdict};

id! {
    /// Names a subscription for as long as its lease lasts, over however many connections.
    pub struct SubscriptionId;
}

/// A broker over the wire. Every operation may be sent twice with the effect of once, so that a broken connection costs
/// nothing but a repetition.
///
/// A subscriber asks for deliveries in one long poll after another. Each poll says which batch it has seen last, and
/// gets the same batch again if that was not the last one sent: an answer that was lost is repeated. Whoever is not
/// heard of for the time of the lease is dead; what it had on loan comes again, to whoever subscribes next.
#[contract(service = "broker", prefix = "/broker")]
pub trait BrokerWire {
    /// Put messages on disk, in order.
    #[post("/messages", role = "service")]
    async fn publish(&self, cx: &Call, batch: Batch) -> Outcome<NotTaken, WireError>;

    /// Begin to deliver to a group. Whoever subscribes takes over from an earlier subscriber of the group.
    #[post("/subscriptions", role = "service")]
    async fn subscribe(&self, cx: &Call, group: WireGroup) -> Outcome<Subscribed, WireError>;

    /// Deliver again what is kept for a group whose service was restored, once for each epoch.
    #[post("/rewinds", role = "service")]
    async fn rewind(&self, cx: &Call, what: Rewind) -> Outcome<NoContent, WireError>;

    /// Wait for deliveries, as long as the caller wishes to.
    #[get("/deliveries", role = "service", timeout = "40s")]
    async fn deliveries(&self, cx: &Call, wanted: Wanted) -> Outcome<Deliveries, WireError>;

    /// Say what became of deliveries. Those that are settled already are passed over.
    #[post("/verdicts", role = "service")]
    async fn settle(&self, cx: &Call, verdicts: Verdicts) -> Outcome<NoContent, WireError>;

    /// End a subscription. What is on loan comes again at once.
    #[delete("/subscriptions", role = "service")]
    async fn leave(&self, cx: &Call, leave: Leave) -> Outcome<NoContent, WireError>;

    /// List the parked keys of a group.
    #[get("/parked", role = "service")]
    async fn parked(&self, cx: &Call, of: OfGroup) -> Outcome<Vec<WireParked>, WireError>;

    /// Deliver a parked key again.
    #[post("/requeue", role = "service")]
    async fn requeue(&self, cx: &Call, what: Requeue) -> Outcome<bool, WireError>;

    /// Give up the message that parked a key.
    #[post("/skip", role = "service")]
    async fn skip(&self, cx: &Call, what: WireSkip) -> Outcome<bool, WireError>;

    /// List what was given up in a group.
    #[get("/skipped", role = "service")]
    async fn skipped(&self, cx: &Call, of: OfGroup) -> Outcome<Vec<WireSkipped>, WireError>;
}

/// What a broker refuses for good.
#[derive(Debug, PartialEq, Problem)]
pub enum WireError {
    /// The subscription has ended: it was left, taken over, not heard of for too long, or is of a broker that is gone.
    #[problem(410, "subscription-over")]
    Over,
}

/// Messages, in order.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Batch {
    /// The messages.
    pub messages: Vec<WireMessage>,
}

/// A message.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WireMessage {
    /// The event's id.
    pub id: EventId,
    /// `aggregate.happened`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What is kept in order.
    pub key: String,
    /// The CloudEvent, as JSON.
    pub body: String,
}

id! {
    /// Names an event.
    pub struct EventId;
}

/// The messages of a batch that are not on disk.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NotTaken {
    /// Each with its place in the batch.
    pub refused: Vec<WireRefused>,
    /// The epoch of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
}

/// A message of a batch that is not on disk.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireRefused {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// Why.
    pub reason: String,
}

/// Who wants messages.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireGroup {
    /// Its name; it begins with that of the service.
    pub name: String,
    /// The types it wants.
    pub types: Vec<String>,
    /// After so many failures of a message its key is parked.
    pub attempts: u32,
    /// The wait after the first failure, in milliseconds.
    pub backoff_first_ms: u64,
    /// The longest wait, in milliseconds.
    pub backoff_most_ms: u64,
}

/// A subscription.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Subscribed {
    /// Its name.
    pub subscription: SubscriptionId,
    /// For how long it goes on without being heard of, in milliseconds.
    pub lease_ms: u64,
    /// The epoch of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
}

/// A group whose service was restored.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Rewind {
    /// Its name.
    pub group: String,
    /// The epoch its service is in.
    pub epoch: i64,
}

/// A wish for deliveries.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Wanted {
    /// Which subscription.
    pub subscription: SubscriptionId,
    /// How many at most. With 0 it only says that the subscriber lives.
    pub credit: usize,
    /// The last batch that was received; 0 before the first.
    pub after: u64,
}

/// A batch of deliveries, or none within the time that was wished for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Deliveries {
    /// The number of the batch; that of the last one if there was nothing.
    pub batch: u64,
    /// The messages on loan.
    pub deliveries: Vec<WireDelivery>,
}

/// A message on loan.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WireDelivery {
    /// Names the loan within its subscription.
    pub loan: u64,
    /// The message.
    pub message: WireMessage,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How long it could have been taken already, in milliseconds.
    pub waited_ms: u64,
}

/// What became of deliveries.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Verdicts {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// In any order.
    pub verdicts: Vec<WireVerdict>,
}

/// What became of a delivery.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WireVerdict {
    /// Which.
    pub loan: u64,
    /// What.
    pub outcome: WireOutcome,
    /// Why, if it was not handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a delivery went.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WireOutcome {
    /// It was handled.
    Done,
    /// It failed.
    Failed,
    /// It could not be tried.
    Later,
    /// It can never be handled.
    Poison,
}

/// The end of a subscription.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Leave {
    /// Which.
    pub subscription: SubscriptionId,
}

/// A question about a group.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct OfGroup {
    /// Its name.
    pub group: String,
}

/// A key to be delivered again.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Requeue {
    /// In which group.
    pub group: String,
    /// Which.
    pub key: String,
}

/// A parked key.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireParked {
    /// The key.
    pub key: String,
    /// The message that parked it.
    pub message: WireMessage,
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
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireSkip {
    /// In which group.
    pub group: String,
    /// The parked key.
    pub key: String,
    /// The message that parked it.
    pub event: EventId,
    /// Who decided.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// A message that was given up.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireSkipped {
    /// The key that was parked.
    pub key: String,
    /// The message.
    pub event: EventId,
    /// Who decided.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

// === conversions ===

impl From<&Message> for WireMessage {
    fn from(message: &Message) -> Self {
        let Message { id, type_name, key, body } = message;
        Self {
            id: EventId(*id),
            type_name: type_name.to_string(),
            key: key.to_string(),
            body: body.to_string(),
        }
    }
}

impl From<WireMessage> for Message {
    fn from(message: WireMessage) -> Self {
        let WireMessage { id, type_name, key, body } = message;
        Self { id: id.0, type_name: type_name.into(), key: key.into(), body: body.into() }
    }
}

impl From<Group> for WireGroup {
    fn from(group: Group) -> Self {
        let Group { name, types, attempts, backoff } = group;
        let [backoff_first_ms, backoff_most_ms] = [backoff.first, backoff.most].map(millis);
        Self { name, types, attempts, backoff_first_ms, backoff_most_ms }
    }
}

impl From<WireGroup> for Group {
    fn from(group: WireGroup) -> Self {
        let WireGroup { name, types, attempts, backoff_first_ms, backoff_most_ms } = group;
        let [first, most] = [backoff_first_ms, backoff_most_ms].map(Duration::from_millis);
        Self { name, types, attempts, backoff: Backoff::new(first, most) }
    }
}

impl WireVerdict {
    pub(super) fn new(loan: u64, verdict: Verdict) -> Self {
        let (outcome, reason) = match verdict {
            Verdict::Done => (WireOutcome::Done, None),
            Verdict::Failed(reason) => (WireOutcome::Failed, Some(reason)),
            Verdict::Later(reason) => (WireOutcome::Later, Some(reason)),
            Verdict::Poison(reason) => (WireOutcome::Poison, Some(reason)),
        };
        Self { loan, outcome, reason }
    }

    pub(super) fn into_verdict(self) -> Verdict {
        let reason = self.reason.unwrap_or_default();
        match self.outcome {
            WireOutcome::Done => Verdict::Done,
            WireOutcome::Failed => Verdict::Failed(reason),
            WireOutcome::Later => Verdict::Later(reason),
            WireOutcome::Poison => Verdict::Poison(reason),
        }
    }
}

impl From<Parked> for WireParked {
    fn from(parked: Parked) -> Self {
        let Parked { key, message, attempts, error, since, waiting } = parked;
        Self { key, message: WireMessage::from(&message), attempts, error, since, waiting }
    }
}

impl From<WireParked> for Parked {
    fn from(parked: WireParked) -> Self {
        let WireParked { key, message, attempts, error, since, waiting } = parked;
        Self { key, message: message.into(), attempts, error, since, waiting }
    }
}

impl From<Skipped> for WireSkipped {
    fn from(skipped: Skipped) -> Self {
        let Skipped { skip: Skip { key, event, actor, reason }, at } = skipped;
        Self { key, event: EventId(event), actor, reason, at }
    }
}

impl From<WireSkipped> for Skipped {
    fn from(skipped: WireSkipped) -> Self {
        let WireSkipped { key, event, actor, reason, at } = skipped;
        Self { skip: Skip { key, event: event.0, actor, reason }, at }
    }
}

/// Whole milliseconds, as the wire has them.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The bytes a message takes on the wire, about.
pub(super) fn weight(message: &Arc<Message>) -> usize {
    let Message { type_name, key, body, .. } = &**message;
    type_name.len() + key.len() + body.len() + 128
}
