//! Events between services: CloudEvents 1.0 in JSON.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

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

    /// The aggregate's id. Events of one subject are delivered in order.
    fn subject(&self) -> String;
}

/// The envelope on every broker, around data of any type or of a known one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent<D = serde_json::Value> {
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
