//! The contract `DeadLetters`.

use partie_contract::{Call, NoContent, Outcome, Problem, Timestamp, contract, id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Backstage;
use super::backstage::SkipOrder;

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
        let mut data = Vec::new();
        for (service, hand) in self.hands() {
            data.extend(hand.dead_letters(service).await?);
        }
        data.sort_by_key(|letter| (letter.since, letter.id));
        Ok(DeadLetterList { data })
    }

    async fn skipped(&self, _: &Call) -> Outcome<SkippedList, DeadLetterError> {
        let mut data = Vec::new();
        for (_, hand) in self.hands() {
            data.extend(hand.skipped().await?);
        }
        data.sort_by_key(|skipped| (std::cmp::Reverse(skipped.at), skipped.id));
        Ok(SkippedList { data })
    }

    async fn requeue(&self, _: &Call, id: DeadLetterId) -> Outcome<NoContent, DeadLetterError> {
        let mut found = false;
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
        let SkipEvent { handler, reason } = skip;
        // A group's name begins with its service's.
        let service = handler.split('/').next().unwrap_or_default();
        let hand = self.hands().into_iter().find(|(name, _)| *name == service);
        let Some((_, hand)) = hand else { return Err(DeadLetterError::NotFound.into()) };
        let order = SkipOrder { actor: cx.subject()?.to_owned(), handler, reason };
        if hand.skip(id, order).await? { Ok(NoContent) } else { Err(DeadLetterError::NotFound.into()) }
    }
}
