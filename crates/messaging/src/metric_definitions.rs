//! What messaging measures.

use partie_telemetry::{Definition, Unit};

pub(crate) const OUTBOX_AGE: Definition = Definition::new(
    "partie.outbox.age",
    Unit::Seconds,
    "Age of the oldest event that is not with the broker",
);

pub(crate) const EVENTS_HANDLED: Definition =
    Definition::new("partie.events.handled", Unit::Count, "Events a group has handled, duplicates included");

pub(crate) const EVENTS_FAILED: Definition = Definition::new(
    "partie.events.failed",
    Unit::Count,
    "Attempts of a group to handle an event that failed",
);

pub(crate) const SAGA_ALERTS: Definition = Definition::new(
    "partie.saga.alerts",
    Unit::Count,
    "Attempts of sagas that failed again after several failures",
);
