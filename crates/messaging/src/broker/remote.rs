//! A broker in another process.

mod pump;
mod settling;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{BoxFuture, Call, Fault, Id, OutcomeExt};
use partie_runtime::{Activity, Backoff, Ids};
use tokio::sync::watch;

use self::pump::RemoteSubscription;
use super::wire::{
    Batch, BrokerWireClient, EventId, OfGroup, Requeue, Rewind, WireError, WireGroup, WireMessage, WireSkip,
    weight,
};
use super::{Broker, BrokerError, Group, Message, Parked, Refused, Skip, Skipped, Subscription};

/// Messages of one request, in bytes; one that is larger goes alone.
const BATCH: usize = 2 << 20;
/// The largest message, in bytes. The other end reads no larger body.
const LARGEST: usize = 6 << 20;
/// Between attempts on a line that is broken.
const AGAIN: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));

/// A broker in another process, reached through the contract [`BrokerWire`](super::BrokerWire). Cheap to clone.
///
/// It keeps to what [`Broker`] says as the broker at the other end does. What is going on counts here from the moment a
/// delivery arrives: what waits in the other process is that one's to count.
#[derive(Clone)]
pub struct RemoteBroker(Arc<Line>);

/// What everybody needs who calls the other end.
struct Line {
    client: BrokerWireClient,
    calls: Arc<dyn Fn() -> Call + Send + Sync>,
    activity: Activity,
    ids: Ids,
    retention: Duration,
    /// Of the log at the other end, as the last answer said.
    epoch: watch::Sender<Option<i64>>,
}

// === impl RemoteBroker ===

impl RemoteBroker {
    /// The broker behind that client. `calls` makes a fresh call under the service's own identity, with half a minute to
    /// go; `retention` is what the broker is configured to.
    pub fn new(
        client: BrokerWireClient,
        calls: Arc<dyn Fn() -> Call + Send + Sync>,
        (activity, ids): (Activity, Ids),
        retention: Duration,
    ) -> Self {
        Self(Arc::new(Line { client, calls, activity, ids, retention, epoch: watch::Sender::new(None) }))
    }
}

impl Broker for RemoteBroker {
    fn publish(&self, batch: Vec<Message>) -> BoxFuture<'_, Result<Vec<Refused>, BrokerError>> {
        let Line { client, calls, .. } = &*self.0;
        Box::pin(async move {
            if batch.is_empty() {
                let answer = client.publish(&calls(), Batch { messages: Vec::new() }).await;
                self.0.note_epoch(answer.map_err(broker_error)?.epoch);
                return Ok(Vec::new());
            }
            let (mut refused, mut from) = (Vec::new(), 0);
            let batch: Vec<Arc<Message>> = batch.into_iter().map(Arc::new).collect();
            while from < batch.len() {
                let (mut size, mut to) = (0, from);
                while to < batch.len() && (to == from || size + weight(&batch[to]) <= BATCH) {
                    size += weight(&batch[to]);
                    to += 1;
                }
                if size > LARGEST {
                    // The rest of the batch may be of the same key.
                    refused.extend((from..batch.len()).map(|index| Refused { index, reason: too_large() }));
                    return Ok(refused);
                }
                let messages = batch[from..to].iter().map(|message| WireMessage::from(&**message)).collect();
                let answer = client.publish(&calls(), Batch { messages }).await.map_err(broker_error)?;
                self.0.note_epoch(answer.epoch);
                let here = answer.refused.into_iter();
                refused.extend(
                    here.map(|one| Refused {
                        index: from + one.index,
                        reason: BrokerError(one.reason.into()),
                    }),
                );
                if !refused.is_empty() && to < batch.len() {
                    let waits =
                        |index| Refused { index, reason: BrokerError("an earlier one was refused".into()) };
                    refused.extend((to..batch.len()).map(waits));
                    return Ok(refused);
                }
                from = to;
            }
            Ok(refused)
        })
    }

    fn subscribe(&self, group: Group) -> BoxFuture<'_, Result<Box<dyn Subscription>, BrokerError>> {
        let line = Arc::clone(&self.0);
        Box::pin(async move {
            let subscribed = line.client.subscribe(&(line.calls)(), WireGroup::from(group)).await;
            let subscribed = subscribed.map_err(broker_error)?;
            line.note_epoch(subscribed.epoch);
            let subscription = RemoteSubscription::begin(line, &subscribed);
            Ok(Box::new(subscription) as Box<dyn Subscription>)
        })
    }

    fn parked<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<Vec<Parked>, BrokerError>> {
        Box::pin(async move {
            let parked = self.0.client.parked(&(self.0.calls)(), OfGroup { group: group.to_owned() }).await;
            Ok(parked.map_err(broker_error)?.into_iter().map(Parked::from).collect())
        })
    }

    fn requeue<'a>(&'a self, group: &'a str, key: &'a str) -> BoxFuture<'a, Result<bool, BrokerError>> {
        let what = Requeue { group: group.to_owned(), key: key.to_owned() };
        Box::pin(async move { self.0.client.requeue(&(self.0.calls)(), what).await.map_err(broker_error) })
    }

    fn skip<'a>(&'a self, group: &'a str, skip: Skip) -> BoxFuture<'a, Result<bool, BrokerError>> {
        let Skip { key, event, actor, reason } = skip;
        let event = EventId::from_uuid(event);
        let what = WireSkip { group: group.to_owned(), key, event, actor, reason };
        Box::pin(async move { self.0.client.skip(&(self.0.calls)(), what).await.map_err(broker_error) })
    }

    fn skipped<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<Vec<Skipped>, BrokerError>> {
        Box::pin(async move {
            let skipped = self.0.client.skipped(&(self.0.calls)(), OfGroup { group: group.to_owned() }).await;
            Ok(skipped.map_err(broker_error)?.into_iter().map(Skipped::from).collect())
        })
    }

    fn rewind<'a>(&'a self, group: &'a str, epoch: i64) -> BoxFuture<'a, Result<(), BrokerError>> {
        let what = Rewind { group: group.to_owned(), epoch };
        Box::pin(
            async move { self.0.client.rewind(&self.0.call(), what).await.map(drop).map_err(broker_error) },
        )
    }

    fn epoch(&self) -> Option<watch::Receiver<Option<i64>>> {
        Some(self.0.epoch.subscribe())
    }

    fn retention(&self) -> Duration {
        self.0.retention
    }
}

impl fmt::Debug for RemoteBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteBroker")
    }
}

impl Line {
    fn call(&self) -> Call {
        (self.calls)()
    }

    /// A platform that does not say is an earlier one.
    fn note_epoch(&self, epoch: Option<i64>) {
        self.epoch.send_if_modified(|known| epoch.is_some() && std::mem::replace(known, epoch) != epoch);
    }
}

fn broker_error(fault: Fault<WireError>) -> BrokerError {
    match Err::<(), _>(fault).split() {
        Err(fault) => BrokerError(fault.into()),
        Ok(_) => over(),
    }
}

/// Whether asking again is of no use.
fn is_over(fault: &Fault<WireError>) -> bool {
    matches!(fault, Fault::Domain(WireError::Over))
}

fn over() -> BrokerError {
    BrokerError("the subscription is over".into())
}

fn too_large() -> BrokerError {
    BrokerError(format!("a message has {LARGEST} bytes at most").into())
}
