//! Brokers to test: the embedded one as it is, and the same one at the other end of a line that may be bad.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use partie_contract::{
    BoxFuture, Call, Channel, Client as _, Deadline, FaultKind, Identity, Inbound, Operation, Params,
    Platform, Request, Response, Routes, Transport,
};
use partie_messaging::{Broker, BrokerDesk, BrokerWire, BrokerWireClient, RemoteBroker};
use partie_runtime::{Ids, Stop};

use crate::world::{LIMIT, World};

/// Where the broker is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum On {
    Here,
    OverTheWire,
}

/// A way to the broker of a world.
pub(crate) struct Line {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) faults: Arc<Faults>,
    desk: Option<BrokerDesk>,
    closing: Stop,
    _stop: Stop,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// So many answers are lost on their way.
    pub(crate) lose: AtomicU32,
    /// So many requests do not arrive.
    pub(crate) break_off: AtomicU32,
    /// How many requests there were.
    pub(crate) asked: AtomicU32,
}

/// Answers in memory, as a server would.
struct Wire {
    desk: Arc<BrokerDesk>,
    faults: Arc<Faults>,
}

// === impl On ===

impl On {
    /// A way there for the service `g`.
    pub(crate) fn open(self, world: &World) -> Line {
        self.open_as(world, "g")
    }

    pub(crate) fn open_as(self, world: &World, service: &str) -> Line {
        let (faults, stop, closing) = (Arc::<Faults>::default(), Stop::default(), Stop::default());
        let ids = Ids::from_entropy();
        let embedded: Arc<dyn Broker> = Arc::new(world.broker.clone());
        let (broker, desk): (Arc<dyn Broker>, _) = match self {
            Self::Here => (embedded, None),
            Self::OverTheWire => {
                let desk = BrokerDesk::open(embedded, ids.clone(), closing.clone(), &stop);
                let wire = Wire { desk: Arc::new(desk.clone()), faults: Arc::clone(&faults) };
                let client = BrokerWireClient::over(Channel::new(wire));
                let identity =
                    Identity::new(format!("service:{service}"), "t", i64::MAX).with_roles(["service"]);
                let handles = (world.activity.clone(), ids.clone());
                let calls = move || {
                    Call::new(Deadline::after(LIMIT), ids.trace()).with_caller(identity.clone().into())
                };
                let retention = world.broker.retention();
                (Arc::new(RemoteBroker::new(client, Arc::new(calls), handles, retention)), Some(desk))
            }
        };
        Line { broker, faults, desk, closing, _stop: stop }
    }
}

// === impl Line ===

impl Line {
    /// Waits until all subscriptions that were dropped have ended at the other end too.
    pub(crate) async fn left(&self) {
        let Some(desk) = &self.desk else { return };
        let left = async {
            while desk.subscriptions() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LIMIT, left).await.expect("a subscription does not end");
    }

    pub(crate) fn subscriptions(&self) -> usize {
        self.desk.as_ref().map_or(0, BrokerDesk::subscriptions)
    }

    /// The other end is about to go: it lets nobody wait.
    pub(crate) fn close(&self) {
        self.closing.stop();
    }
}

impl Transport for Wire {
    fn send(
        &self,
        call: Call,
        operation: &'static Operation,
        request: Request,
    ) -> BoxFuture<'static, Result<Response, Platform>> {
        let routes: Routes<BrokerDesk> = BrokerWire::routes();
        let mut pairs = routes.contract().operations.iter().zip(routes.endpoints());
        let endpoint = pairs.find(|(known, _)| known.name == operation.name).map(|(_, endpoint)| *endpoint);
        let (desk, faults) = (Arc::clone(&self.desk), Arc::clone(&self.faults));
        Box::pin(async move {
            faults.asked.fetch_add(1, Ordering::SeqCst);
            let broken = || Platform::new(FaultKind::UpstreamFailed);
            if count_down(&faults.break_off) {
                return Err(broken());
            }
            let (head, body) = request.into_parts();
            let inbound = Inbound {
                call,
                operation,
                path: head.uri.path().to_owned(),
                params: Params::default(),
                query: head.uri.query().map(str::to_owned),
                body: body.collect(1 << 24).await?,
            };
            let answer = endpoint.unwrap()(desk, inbound).await;
            if count_down(&faults.lose) { Err(broken()) } else { Ok(answer) }
        })
    }
}

fn count_down(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}
