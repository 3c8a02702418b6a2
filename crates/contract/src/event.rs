//! Events between services: CloudEvents 1.0 in JSON.

use std::fmt;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::Timestamp;
use crate::operation::SchemaFn;
use crate::schema::schema_of;

/// Something that happened to one aggregate. Derived:
///
/// ```
/// # use partie_contract::{Event, id};
/// # use serde::{Serialize, Deserialize};
/// # id! { pub struct OrderId; }
/// #[derive(Debug, Serialize, Deserialize, schemars::JsonSchema, Event)]
/// #[event("order.placed", version = 1, subject = "order_id")]
/// pub struct OrderPlaced {
///     pub order_id: OrderId,
/// }
/// assert_eq!(OrderPlaced::TYPE, "order.placed");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    note = "derive it: `#[derive(Serialize, Deserialize, JsonSchema, Event)] #[event(\"thing.happened\", version = 1, subject = \"thing_id\")]`"
)]
pub trait Event: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// `aggregate.happened`, the CloudEvents `type` without its version.
    const TYPE: &'static str;
    /// The version of its schema.
    const VERSION: u16;

    /// The version before this one, if it can still be read.
    const PREVIOUS: Option<EventSpec> = None;

    /// The aggregate's id. Events of one subject are delivered in order.
    fn subject(&self) -> String;

    /// Reads the data of an earlier version; nothing if that version cannot be read.
    ///
    /// `#[event(.., version = 2, from = OrderPlacedV1)]` derives it from `impl From<OrderPlacedV1> for OrderPlaced`.
    fn from_older(version: u16, data: Value) -> Option<Result<Self, serde_json::Error>> {
        let _ = (version, data);
        None
    }
}

/// A version of an event, readable without any event: what a service publishes or handles.
#[derive(Clone, Copy)]
pub struct EventSpec {
    /// `aggregate.happened`.
    pub type_name: &'static str,
    /// The version of the data's schema.
    pub version: u16,
    /// The schema of the data.
    pub schema: SchemaFn,
    previous: fn() -> Option<Self>,
    read: fn(&str) -> Result<(), Unreadable>,
}

/// Why an event cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unreadable {
    /// A later program published it.
    Newer {
        /// The event's type.
        type_name: &'static str,
        /// Its version.
        found: u16,
        /// The latest version that can be read.
        known: u16,
    },
    /// An earlier program published it, and nothing says how to read that any more.
    Older {
        /// The event's type.
        type_name: &'static str,
        /// Its version.
        found: u16,
        /// The earliest version that can be read.
        oldest: u16,
    },
    /// It is not what its version says.
    Malformed(serde_json::Error),
}

/// The envelope on every broker, around data of any type or of a known one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent<D = Value> {
    /// `1.0`.
    pub specversion: String,
    /// Stable under resending; consumers drop duplicates by it.
    pub id: Uuid,
    /// The service that says so.
    pub source: String,
    /// `aggregate.happened`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The version of the data's schema.
    #[serde(default = "first_version")]
    pub dataversion: u16,
    /// The aggregate's id.
    pub subject: String,
    /// Business time.
    pub time: Timestamp,
    /// Counts the subject's events from 1, in the order of their commits.
    pub sequence: i64,
    /// Which life of the source's store this is: 0, which is left out, until that is restored from a backup for the first
    /// time, and more than ever before after each restore. The sequences of a subject may begin again below those of an
    /// earlier epoch, with other events: `(epoch, sequence)` is what grows.
    #[serde(default, skip_serializing_if = "is_first")]
    pub epoch: i64,
    /// What started it all: the same on every event of one story.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlationid: Option<String>,
    /// What directly caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causationid: Option<String>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The event itself.
    pub data: D,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over like that")]
fn is_first(epoch: &i64) -> bool {
    *epoch == 0
}

fn first_version() -> u16 {
    1
}

// === impl CloudEvent ===

impl<E: Event> CloudEvent<E> {
    /// Reads an event of this version, or of an earlier one that it can come from.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(body: &str) -> Result<Self, Unreadable> {
        // Nearly all events are of this version. The others are read twice.
        let malformed = match serde_json::from_str::<Self>(body) {
            Ok(event) if event.dataversion == E::VERSION => return Ok(event),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        let event: CloudEvent = match serde_json::from_str(body) {
            Ok(event) => event,
            Err(error) => return Err(malformed.unwrap_or(error).into()),
        };
        let (type_name, found) = (E::TYPE, event.dataversion);
        if let Some(malformed) = malformed.filter(|_| found == E::VERSION) {
            return Err(malformed.into());
        }
        if found > E::VERSION {
            return Err(Unreadable::Newer { type_name, found, known: E::VERSION });
        }
        let oldest = EventSpec::of::<E>().versions().last().map_or(E::VERSION, |spec| spec.version);
        let CloudEvent { data, .. } = event;
        let data = E::from_older(found, data).ok_or(Unreadable::Older { type_name, found, oldest })??;
        Ok(Self {
            specversion: event.specversion,
            id: event.id,
            source: event.source,
            type_name: event.type_name,
            dataversion: found,
            subject: event.subject,
            time: event.time,
            sequence: event.sequence,
            correlationid: event.correlationid,
            causationid: event.causationid,
            traceparent: event.traceparent,
            epoch: event.epoch,
            data,
        })
    }
}

// === impl EventSpec ===

impl EventSpec {
    /// That of a type.
    pub const fn of<E: Event>() -> Self {
        Self {
            type_name: E::TYPE,
            version: E::VERSION,
            schema: schema_of::<E>,
            previous: || E::PREVIOUS,
            read: |body| CloudEvent::<E>::read(body).map(drop),
        }
    }

    /// That of the version before an event's, which is checked by the compiler.
    #[doc(hidden)]
    pub const fn before<E: Event, P: Event>() -> Self {
        assert!(P::VERSION < E::VERSION, "`from` is an earlier version of the event");
        let (own, previous) = (E::TYPE.as_bytes(), P::TYPE.as_bytes());
        assert!(own.len() == previous.len(), "`from` is an earlier version of the same type");
        let mut at = 0;
        while at < own.len() {
            assert!(own[at] == previous[at], "`from` is an earlier version of the same type");
            at += 1;
        }
        Self::of::<P>()
    }

    /// The version before this one, if it can still be read.
    pub fn previous(&self) -> Option<Self> {
        (self.previous)()
    }

    /// All versions that can be read, this one first.
    pub fn versions(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(*self), Self::previous)
    }

    /// Reads an event with its envelope the way handlers of this version do, and throws it away.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(&self, body: &str) -> Result<(), Unreadable> {
        (self.read)(body)
    }
}

impl fmt::Debug for EventSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.type_name, self.version)
    }
}

// === impl Unreadable ===

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { type_name, found, known } => {
                write!(f, "`{type_name}` is of version {found}; this program reads none later than {known}")
            }
            Self::Older { type_name, found, oldest } => {
                write!(
                    f,
                    "`{type_name}` is of version {found}; this program reads none earlier than {oldest}"
                )
            }
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Unreadable {}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error)
    }
}

/// Reads the version before an event's, or one before that. For the derive.
pub fn from_previous<E: Event + From<P>, P: Event>(
    version: u16,
    data: Value,
) -> Option<Result<E, serde_json::Error>> {
    let previous = match version == P::VERSION {
        true => serde_json::from_value(data),
        false => P::from_older(version, data)?,
    };
    Some(previous.map(E::from))
}
