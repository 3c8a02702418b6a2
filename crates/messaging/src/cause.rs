//! What a piece of work is a consequence of: the thread that runs through events, timers, jobs and sagas.

use std::sync::Arc;

use partie_contract::{Call, CloudEvent, Timestamp, Trace};
use partie_runtime::Ids;
use partie_store::{Error, Json, Tx};
use serde::{Deserialize, Serialize};

/// The story something belongs to. Stored with everything that is done later.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cause {
    /// What started it all.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(crate) correlation: Option<String>,
    /// What directly caused it.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(crate) causation: Option<String>,
    /// W3C trace context.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
}

// === impl Cause ===

impl Cause {
    /// The story the transaction belongs to: what a handler was told, or else the call of an operation.
    pub(crate) fn of(tx: &Tx) -> Arc<Self> {
        tx.local::<Self>().unwrap_or_else(|| Arc::new(tx.call().map_or_else(Self::default, Self::of_call)))
    }

    fn of_call(call: &Call) -> Self {
        let request = call.request_id().to_owned();
        Self {
            correlation: Some(request.clone()),
            causation: Some(request),
            trace: Some(call.trace().to_string()),
        }
    }

    pub(crate) fn of_event<D>(event: &CloudEvent<D>) -> Self {
        let id = event.id.to_string();
        Self {
            correlation: Some(event.correlationid.as_ref().unwrap_or(&id).clone()),
            causation: Some(id),
            trace: event.traceparent.clone(),
        }
    }

    /// The same story, one step on.
    pub(crate) fn through(&self, what: impl std::fmt::Display) -> Self {
        Self { causation: Some(what.to_string()), ..self.clone() }
    }

    /// Puts a transaction under this cause: what it publishes and schedules continues the story, and its time is not
    /// before its cause, even if the cause came from a machine whose clock is ahead.
    pub(crate) fn govern(self: &Arc<Self>, tx: &mut Tx, not_before: Timestamp) {
        tx.set_local(Arc::clone(self));
        tx.not_before(not_before);
    }

    /// A call that continues the story under the service's own identity.
    pub(crate) fn call(&self, own: Call, ids: &Ids) -> Call {
        let story = self.trace.as_deref().and_then(|trace| trace.parse::<Trace>().ok());
        let call = match story {
            Some(trace) => own.with_trace(trace.child(ids.trace().span_id())),
            None => own,
        };
        match &self.correlation {
            Some(correlation) => call.with_request_id(correlation.as_str()),
            None => call,
        }
    }

    pub(crate) fn to_column(&self) -> Json<&Self> {
        Json(self)
    }

    pub(crate) fn from_column(row: &partie_store::Row<'_>, column: usize) -> Result<Arc<Self>, Error> {
        row.get::<Json<Self>>(column).map(|Json(cause)| Arc::new(cause))
    }
}
