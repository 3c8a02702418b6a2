//! Sagas as people look at them.

use partie_contract::{FromValue, InvalidValue, Timestamp, ToValue, Value};
use partie_store::{Error, Json, Tx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Failure;

/// Where a saga is, and how it came there: the answer of `GET /api/v1/sagas/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SagaView {
    /// Its id.
    #[schemars(with = "String")]
    pub id: Uuid,
    /// Its kind.
    pub kind: String,
    /// The version of its definition.
    pub version: u32,
    /// Where it is on its way.
    pub phase: Phase,
    /// The step it is at; while it is compensating, the step being undone.
    pub step: String,
    /// How often that step was entered.
    pub iteration: u32,
    /// Failed attempts at what it is doing now.
    pub attempts: u32,
    /// Every step it entered, in order.
    pub history: Vec<SagaEntry>,
    /// Until when it waits, in business time.
    pub next_at: Option<Timestamp>,
    /// Why it fails or failed.
    pub failure: Option<Failure>,
    /// Why it stands still until somebody helps.
    pub parked: Option<String>,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// One time a saga entered a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SagaEntry {
    /// The step.
    pub step: String,
    /// The how manyeth time.
    pub iteration: u32,
    /// What came of it.
    pub state: EntryState,
    /// When it was entered.
    pub entered_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// The latest error, or why it was refused.
    pub detail: Option<String>,
}

macro_rules! stored_by_name {
    ($($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ })+) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        $(#[$meta])*
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl ToValue for $name {
            fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
                Ok(match self { $(Self::$variant => $text,)+ }.into())
            }
        }

        impl FromValue for $name {
            fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
                match value.text()? {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(InvalidValue::new(concat!("not a ", stringify!($name)))),
                }
            }
        }
    )+};
}

stored_by_name! {
    /// Where a saga is on its way.
    #[schemars(rename = "SagaPhase")]
    pub enum Phase {
        /// It has not begun yet.
        Starting = "starting",
        /// A command is under way.
        Running = "running",
        /// It waits for a message or a moment.
        Waiting = "waiting",
        /// What was done is being undone.
        Compensating = "compensating",
        /// It reached its end.
        Done = "done",
        /// Everything is undone.
        Failed = "failed",
    }

    /// What came of entering a step.
    #[schemars(rename = "SagaEntryState")]
    pub enum EntryState {
        /// Nothing yet; its command may have been sent.
        Entered = "entered",
        /// It was done.
        Done = "done",
        /// The other side said no.
        Refused = "refused",
        /// The saga turned back while nobody knew whether it was done; it is compensated to be sure.
        Unknown = "unknown",
        /// The saga turned back before it came to anything.
        Abandoned = "abandoned",
        /// It was done, and undone.
        Undone = "undone",
    }
}

/// Reads a saga.
///
/// # Errors
/// As [`Tx::query`].
pub(crate) fn view(tx: &mut Tx, id: Uuid) -> Result<Option<SagaView>, Error> {
    let view = tx.query_opt(
        "SELECT kind, version, phase, step, iteration, attempts, next_at, failure, parked, started_at, updated_at, entered_at,
                detail
         FROM partie_sagas WHERE id = $1",
        &[&id],
        |row| {
            let view = SagaView {
                id,
                kind: row.get(0)?,
                version: row.get(1)?,
                phase: row.get(2)?,
                step: row.get(3)?,
                iteration: row.get(4)?,
                attempts: row.get(5)?,
                history: Vec::new(),
                next_at: row.get(6)?,
                failure: row.get::<Option<Json<_>>>(7)?.map(|Json(failure)| failure),
                parked: row.get(8)?,
                started_at: row.get(9)?,
                updated_at: row.get(10)?,
            };
            Ok((view, row.get::<Option<Timestamp>>(11)?, row.get::<Option<String>>(12)?))
        },
    )?;
    let Some((mut view, entered_at, detail)) = view else { return Ok(None) };
    view.history = tx.query(
        "SELECT step, iteration, state, entered_at, updated_at, detail FROM partie_saga_history
         WHERE saga = $1 ORDER BY entry",
        &[&id],
        |row| {
            Ok(SagaEntry {
                step: row.get(0)?,
                iteration: row.get(1)?,
                state: row.get(2)?,
                entered_at: row.get(3)?,
                updated_at: row.get(4)?,
                detail: row.get(5)?,
            })
        },
    )?;
    // The step it is at is part of the history too.
    if let Some(entered_at) = entered_at {
        let SagaView { step, iteration, updated_at, .. } = &view;
        let (step, iteration, updated_at) = (step.clone(), *iteration, *updated_at);
        let state = EntryState::Entered;
        view.history.push(SagaEntry { step, iteration, state, entered_at, updated_at, detail });
    }
    Ok(Some(view))
}
