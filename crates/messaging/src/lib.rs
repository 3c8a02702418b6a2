//! Messaging: what a service says, hears, does later and does elsewhere, each tied to the commits of its store.
//!
//! * [`Publish`]: events go into the outbox in the transaction of their state; a relay takes them to a [`Broker`].
//! * [`Handlers::on`]: a handler of an event commits together with the inbox row that makes its effect happen once.
//! * [`Schedule`]: durable timers, by business time.
//! * [`Enqueue`]: jobs, whose effect is outside the store.
//! * [`Sagas`]: business across services, with compensation.
//! * [`Worker`]: runs all of it for one service.
//!
//! ```
//! use std::sync::Arc;
//!
//! use partie_contract::{Abort, Timestamp};
//! use partie_messaging::{Handlers, Publish, Schedule, Timer};
//! use partie_store::Tx;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Remind(String);
//!
//! impl Timer for Remind {
//!     const KIND: &'static str = "remind";
//!     fn key(&self) -> String {
//!         self.0.clone()
//!     }
//! }
//!
//! struct Desk;
//!
//! impl Desk {
//!     fn remind(&self, tx: &mut Tx, due: &Remind) -> Result<(), Abort> {
//!         println!("{} at {}", due.0, tx.now());
//!         Ok(())
//!     }
//! }
//!
//! let handlers = Handlers::new().timer(Desk::remind);
//! # handlers.check("desk").unwrap();
//! ```
//!
//! Brokers of vendors are left out unless a feature asks for them: `nats`, `rabbitmq`, `kafka`. [`BrokerUrl`] names one,
//! and [`LogBroker`] makes a [`Broker`] of it. `docs/engines.md` says what holds where.
//!
//! Layout: `outbox`, `relay`, `broker`, `consumer` and `inbox` are the way of an event, in this order; `timers`, `jobs`,
//! `periodic` and `saga` are the rest of the background work; `handlers` collects what a service registers and `worker`
//! starts it; `wake` and `cause` connect transactions with what follows from them.
#![forbid(unsafe_code)]

mod broker;
mod cause;
mod config;
mod consumer;
mod failure;
mod handlers;
mod ids;
mod inbox;
mod jobs;
mod method;
mod metric_definitions;
mod outbox;
mod periodic;
mod relay;
mod saga;
mod timers;
mod wake;
mod worker;

#[cfg(feature = "kafka")]
pub use broker::KafkaLog;
#[cfg(feature = "nats")]
pub use broker::NatsLog;
#[cfg(feature = "rabbitmq")]
pub use broker::RabbitLog;
pub use broker::{
    Broker, BrokerConfig, BrokerDesk, BrokerError, BrokerUrl, BrokerUrlError, BrokerWire, BrokerWireClient,
    Credentials, Delivery, EmbeddedBroker, Feed, Group, Log, LogBroker, LogBrokerConfig, LogConfig,
    LogMisconfigured, Message, Page, Parked, Place, ReadError, Refused, RemoteBroker, Settle, Skip, Skipped,
    Subscription, Verdict,
};
pub use config::{Config, ConsumerConfig, JobConfig, RelayConfig, SagaConfig, TimerConfig};
pub use handlers::{HandlerError, Handlers};
pub use ids::{JobId, TimerId};
pub use jobs::{AfterCrash, DeadJob, Ended, Enqueue, Found, Job, JobError};
pub use method::{Method, Periodic};
pub use outbox::{Publish, Published};
pub use partie_runtime::Backoff;
pub use saga::{
    Accepted, CommandId, Compensation, EntryState, Failure, Next, ParkedSaga, Participate, Phase, Saga,
    SagaData, SagaEntry, SagaView, Sagas, Signalled, Step, StepInfo, StepKind,
};
pub use timers::{ParkedTimer, Schedule, Timer};
pub use worker::{Decision, MIGRATIONS, Stages, Worker, WorkerParts};
