//! The contract `DeadLetters`.

use partie_contract::{Call, FaultKind, Id, NoContent, Outcome, Platform, Problem, Timestamp, contract, id};
use partie_messaging::{BrokerError, Skip, Skipped};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Backstage;

id! {
    /// Names what is not tried any more: an event, a timer, a job or a saga.
    pub struct DeadLetterId;
}

/// What failed too often and is not tried any more, for those who run the system.
#[contract(service = "platform", version = 1)]
pub trait DeadLetters {
    /// List the dead letters of all services, the longest dead first.
    #[get("/dead-letters", role = "admin")]
    async fn list(&self, cx: &Call) -> Outcome<DeadLetterList, DeadLetterError>;

    /// List the events that were given up, with who gave each up, why and when, the latest first.
    #[get("/dead-letters/skipped", role = "admin")]
    async fn skipped(&self, cx: &Call) -> Outcome<SkippedList, DeadLetterError>;

    /// Have one tried again. What waits behind an event follows it.
    #[post("/dead-letters/{id}/requeue", role = "admin")]
    async fn requeue(&self, cx: &Call, id: DeadLetterId) -> Outcome<NoContent, DeadLetterError>;

    /// Give up an event for one handler. What waits behind it goes on; who gave it up, and why, stays on record.
    #[post("/dead-letters/{id}/skip", role = "admin")]
    async fn skip(&self, cx: &Call, id: DeadLetterId, skip: SkipEvent)
    -> Outcome<NoContent, DeadLetterError>;
}

/// What can go wrong with a dead letter.
#[derive(Debug, PartialEq, Problem)]
pub enum DeadLetterError {
    /// There is no such dead letter.
    #[problem(404, "dead-letter-not-found")]
    NotFound,
}

/// Dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterList {
    /// The longest dead first.
    pub data: Vec<DeadLetter>,
}

/// Something that is not tried any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// Its id. An event that several handlers fail at is there once for each.
    pub id: DeadLetterId,
    /// What it is.
    pub kind: DeadLetterKind,
    /// Whose it is.
    pub service: String,
    /// The handler: the consumer group of an event, the kind of a timer, a job or a saga.
    pub handler: String,
    /// What it is about: the key of an event or a timer, the step of a saga.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed, the last time.
    pub error: String,
    /// Since when it is dead.
    pub since: Timestamp,
    /// How many events of the key wait behind it, itself included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
}

/// What a dead letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterKind {
    /// An event whose key is parked for one handler.
    Event,
    /// A timer.
    Timer,
    /// A job.
    Job,
    /// A saga that stands still: it cannot be undone, or nobody knows its steps any more.
    Saga,
}

/// The decision to give up an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkipEvent {
    /// For which handler.
    #[schemars(length(min = 1, max = 255))]
    pub handler: String,
    /// Why. It stays on record.
    #[schemars(length(min = 1, max = 1000))]
    pub reason: String,
}

/// Events that were given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkippedList {
    /// The latest first.
    pub data: Vec<SkippedEvent>,
}

/// An event that was given up for one handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkippedEvent {
    /// The event.
    pub id: DeadLetterId,
    /// For which handler.
    pub handler: String,
    /// What it was about.
    pub key: String,
    /// Who decided.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl DeadLetters for Backstage {
    async fn list(&self, _: &Call) -> Outcome<DeadLetterList, DeadLetterError> {
        let mut data = self.events().await?;
        for (service, hand) in self.hands() {
            data.extend(hand.dead_letters(service).await?);
        }
        data.sort_by_key(|letter| (letter.since, letter.id));
        Ok(DeadLetterList { data })
    }

    async fn skipped(&self, _: &Call) -> Outcome<SkippedList, DeadLetterError> {
        let mut data = Vec::new();
        if let Some(broker) = &self.broker {
            for (_, hand) in self.hands() {
                for group in hand.groups().await? {
                    let skipped = broker.skipped(&group).await.map_err(unavailable)?;
                    data.extend(skipped.into_iter().map(|Skipped { skip, at }| SkippedEvent {
                        id: DeadLetterId::from_uuid(skip.event),
                        handler: group.clone(),
                        key: skip.key,
                        actor: skip.actor,
                        reason: skip.reason,
                        at,
                    }));
                }
            }
        }
        data.sort_by_key(|skipped| (std::cmp::Reverse(skipped.at), skipped.id));
        Ok(SkippedList { data })
    }

    async fn requeue(&self, _: &Call, id: DeadLetterId) -> Outcome<NoContent, DeadLetterError> {
        let mut found = false;
        for letter in self.events().await?.into_iter().filter(|letter| letter.id == id) {
            if let (Some(broker), Some(key)) = (&self.broker, &letter.key) {
                found |= broker.requeue(&letter.handler, key).await.map_err(unavailable)?;
            }
        }
        for (_, hand) in self.hands() {
            found |= hand.requeue(id).await?;
        }
        if found { Ok(NoContent) } else { Err(DeadLetterError::NotFound.into()) }
    }

    async fn skip(
        &self,
        cx: &Call,
        id: DeadLetterId,
        skip: SkipEvent,
    ) -> Outcome<NoContent, DeadLetterError> {
        let letters = self.events().await?;
        let letter = letters.into_iter().find(|letter| letter.id == id && letter.handler == skip.handler);
        let (Some(broker), Some(key)) = (&self.broker, letter.and_then(|letter| letter.key)) else {
            return Err(DeadLetterError::NotFound.into());
        };
        let decision =
            Skip { key, event: id.as_uuid(), actor: cx.subject()?.to_owned(), reason: skip.reason };
        let skipped = broker.skip(&skip.handler, decision).await.map_err(unavailable)?;
        if skipped { Ok(NoContent) } else { Err(DeadLetterError::NotFound.into()) }
    }
}

impl Backstage {
    /// The events whose keys are parked.
    async fn events(&self) -> Result<Vec<DeadLetter>, Platform> {
        let mut data = Vec::new();
        let Some(broker) = &self.broker else { return Ok(data) };
        for (service, hand) in self.hands() {
            for group in hand.groups().await? {
                let parked = broker.parked(&group).await.map_err(unavailable)?;
                data.extend(parked.into_iter().map(|parked| DeadLetter {
                    id: DeadLetterId::from_uuid(parked.message.id),
                    kind: DeadLetterKind::Event,
                    service: service.to_owned(),
                    handler: group.clone(),
                    key: Some(parked.key),
                    attempts: parked.attempts,
                    error: parked.error,
                    since: parked.since,
                    waiting: Some(parked.waiting),
                }));
            }
        }
        Ok(data)
    }
}

fn unavailable(error: BrokerError) -> Platform {
    Platform::new(FaultKind::UpstreamUnavailable).caused_by(error)
}
