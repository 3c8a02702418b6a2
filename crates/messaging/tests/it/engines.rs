//! Every engine of the broker does the same: one suite, on the embedded one, over the wire, and on vendors' real servers.

#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
mod replicas;
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
mod restarts;
#[cfg(any(feature = "kafka", feature = "rabbitmq"))]
mod server;
mod suite;
mod table;

use std::sync::Arc;

use partie_messaging::{Broker, Log, LogBroker, LogBrokerConfig, Message};
use uuid::Uuid;

use self::table::Holds;
use crate::line::{Line, On};
use crate::world::{LIMIT, START, World};

/// An engine, as the suite opens it.
pub(crate) enum Engine {
    Embedded,
    Remote,
    /// A vendor's, with a connection of its own each time.
    Log(&'static Holds, Box<dyn Fn() -> Arc<dyn Log>>),
}

/// A broker for one service, and what has to end with it.
pub(crate) struct Open {
    pub(crate) broker: Arc<dyn Broker>,
    line: Option<Line>,
    over: Option<(LogBroker, partie_store::Store)>,
}

// === impl Engine ===

impl Engine {
    pub(crate) fn holds(&self) -> &'static Holds {
        match self {
            Self::Embedded => &table::EMBEDDED,
            Self::Remote => &table::REMOTE,
            Self::Log(holds, _) => holds,
        }
    }

    /// A broker for the service `g`.
    pub(crate) fn open(&self, world: &World) -> Open {
        let on = match self {
            Self::Embedded => On::Here,
            Self::Remote => On::OverTheWire,
            Self::Log(_, log) => {
                let store = world.store("g");
                let broker = LogBroker::new(log(), store.clone(), LogBrokerConfig::default());
                return Open { broker: Arc::new(broker.clone()), line: None, over: Some((broker, store)) };
            }
        };
        let line = on.open(world);
        Open { broker: Arc::clone(&line.broker), line: Some(line), over: None }
    }
}

// === impl Open ===

impl Open {
    /// All subscriptions have been dropped before.
    pub(crate) async fn close(self) {
        if let Some(line) = self.line {
            line.left().await;
        }
        if let Some((broker, store)) = self.over {
            tokio::time::timeout(LIMIT, broker.close()).await.expect("the broker does not close");
            store.close().await;
        }
    }
}

#[tokio::test]
async fn embedded() {
    suite::conforms(&|| Engine::Embedded).await;
}

#[tokio::test]
async fn remote() {
    suite::conforms(&|| Engine::Remote).await;
}

pub(crate) fn world() -> World {
    World::again(crate::world::Dir::new(), START)
}

pub(crate) fn message(number: u32, key: &str) -> Message {
    Message {
        id: Uuid::from_u128(u128::from(number) + 1),
        type_name: if key == "unwanted" { "other.thing" } else { "t.t" }.into(),
        key: key.into(),
        body: number.to_string().into(),
    }
}
