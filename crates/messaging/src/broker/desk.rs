//! The other end of the wire: a broker of this process, for subscribers of other processes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use partie_contract::{Call, FaultKind, Id, NoContent, Outcome, Platform};
use partie_runtime::{Busy, Ids, Stop, monotonic};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tracing::info;
use uuid::Uuid;

use super::wire::{
    Batch, BrokerWire, Deliveries, Leave, NotTaken, OfGroup, Requeue, Rewind, Subscribed, SubscriptionId,
    Verdicts, Wanted, WireDelivery, WireError, WireGroup, WireMessage, WireParked, WireRefused, WireSkip,
    WireSkipped, millis,
};
use super::{Broker, BrokerError, Delivery, Group, Message, Settle, Skip, Subscription};

/// How long a subscriber may not be heard of.
const LEASE: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How many deliveries one answer has at most.
const MOST: usize = 512;

/// Serves a broker to other processes: the contract [`BrokerWire`]. Cheap to clone.
#[derive(Clone)]
pub struct BrokerDesk(Arc<Shared>);

struct Shared {
    broker: Arc<dyn Broker>,
    ids: Ids,
    seats: Mutex<HashMap<SubscriptionId, Arc<Seat>>>,
    /// Stopped when polls are to end at once.
    closing: Stop,
    /// Held by whoever subscribes: of two at the same time the second takes over from the first.
    door: AsyncMutex<()>,
}

/// One subscriber.
struct Seat {
    id: SubscriptionId,
    group: String,
    /// Gone once the subscription is over.
    line: AsyncMutex<Option<Line>>,
    /// What is on loan.
    loans: Mutex<HashMap<u64, Loan>>,
    /// The number of the newest poll; an older one gives way to it.
    poll: watch::Sender<u64>,
    heard: Mutex<Heard>,
    over: Stop,
}

/// The way of the deliveries.
struct Line {
    subscription: Box<dyn Subscription>,
    batch: u64,
    /// The last batch, until the subscriber says that it has it.
    sent: Vec<WireDelivery>,
    loans: u64,
}

struct Loan {
    settle: Box<dyn Settle>,
    _busy: Busy,
}

/// When a subscriber was heard of.
struct Heard {
    last: Instant,
    /// Polls that wait now.
    waiting: usize,
}

/// A poll that waits.
struct Waiting<'s>(&'s Seat);

// === impl BrokerDesk ===

impl BrokerDesk {
    /// Serves that broker until `stop`; once `closing` is stopped, polls do not wait any more. Call it inside a tokio
    /// runtime, which ends subscriptions that are not heard of.
    pub fn open(broker: Arc<dyn Broker>, ids: Ids, closing: Stop, stop: &Stop) -> Self {
        let (seats, door) = (Mutex::default(), AsyncMutex::default());
        let shared = Shared { broker, ids, seats, closing, door };
        let desk = Self(Arc::new(shared));
        stop.spawn(look_after(Arc::downgrade(&desk.0), stop.clone()));
        desk
    }

    /// How many subscriptions there are.
    pub fn subscriptions(&self) -> usize {
        self.0.seats().len()
    }

    fn seat(&self, cx: &Call, id: SubscriptionId) -> Outcome<Arc<Seat>, WireError> {
        let seat = self.0.seats().get(&id).cloned().ok_or(WireError::Over)?;
        check_owner(cx, &seat.group)?;
        Ok(seat)
    }
}

impl BrokerWire for BrokerDesk {
    async fn publish(&self, _: &Call, batch: Batch) -> Outcome<NotTaken, WireError> {
        let messages = batch.messages.into_iter().map(Message::from).collect();
        let refused = self.0.broker.publish(messages).await.map_err(unavailable)?.into_iter();
        let refused = refused.map(|one| WireRefused { index: one.index, reason: one.reason.0.to_string() });
        Ok(NotTaken { refused: refused.collect(), epoch: self.0.epoch() })
    }

    async fn rewind(&self, cx: &Call, Rewind { group, epoch }: Rewind) -> Outcome<NoContent, WireError> {
        check_owner(cx, &group)?;
        let _door = self.0.door.lock().await;
        // Whoever subscribed is of the time before.
        self.0.clear(&group).await;
        self.0.broker.rewind(&group, epoch).await.map_err(unavailable)?;
        Ok(NoContent)
    }

    async fn subscribe(&self, cx: &Call, group: WireGroup) -> Outcome<Subscribed, WireError> {
        check_owner(cx, &group.name)?;
        let group = Group::from(group);
        let _door = self.0.door.lock().await;
        self.0.clear(&group.name).await;
        let name = group.name.clone();
        let subscription = self.0.broker.subscribe(group).await.map_err(unavailable)?;
        let line = Line { subscription, batch: 0, sent: Vec::new(), loans: 0 };
        let seat = Seat {
            id: SubscriptionId::from_uuid(Uuid::from_u64_pair(
                self.0.ids.below(u64::MAX),
                self.0.ids.below(u64::MAX),
            )),
            group: name,
            line: AsyncMutex::new(Some(line)),
            loans: Mutex::default(),
            poll: watch::Sender::new(0),
            heard: Mutex::new(Heard { last: monotonic(), waiting: 0 }),
            over: Stop::default(),
        };
        let subscription = seat.id;
        self.0.seats().insert(subscription, Arc::new(seat));
        Ok(Subscribed { subscription, lease_ms: millis(LEASE), epoch: self.0.epoch() })
    }

    async fn deliveries(&self, cx: &Call, wanted: Wanted) -> Outcome<Deliveries, WireError> {
        let seat = self.seat(cx, wanted.subscription)?;
        let _waiting = seat.wait();
        let mut newest = seat.poll.subscribe();
        let mine = seat.next_poll();
        let over = seat.over.stopped();
        tokio::pin!(over);
        let mut line = tokio::select! {
            line = seat.line.lock() => line,
            () = &mut over => return Err(WireError::Over.into()),
        };
        let Some(line) = line.as_mut() else { return Err(WireError::Over.into()) };
        if wanted.after != line.batch {
            // Only the last answer can be missing: there is one poll at a time.
            let is_lost = wanted.after + 1 == line.batch;
            return if is_lost { Ok(line.repeat(&seat)) } else { Err(WireError::Over.into()) };
        }
        line.sent.clear();
        let credit = wanted.credit.min(MOST);
        let next = async {
            if credit == 0 {
                return std::future::pending().await;
            }
            line.subscription.next(credit).await
        };
        let superseded = newest.wait_for(|newest| *newest > mine);
        let taken = cx.parked(async {
            tokio::select! {
                biased;
                () = &mut over => Some(Err(None)),
                _ = superseded => None,
                next = next => Some(next.map_err(Some)),
                () = tokio::time::sleep(cx.wait()) => None,
                () = self.0.closing.stopped() => None,
            }
        });
        match taken.await {
            None => Ok(Deliveries { batch: line.batch, deliveries: Vec::new() }),
            Some(Ok(deliveries)) => Ok(line.lend(&seat, deliveries)),
            Some(Err(reason)) => {
                if let Some(error) = reason {
                    info!(group = seat.group, %error, "a subscription ends");
                }
                self.0.seats().remove(&seat.id);
                seat.end();
                Err(WireError::Over.into())
            }
        }
    }

    async fn settle(&self, cx: &Call, verdicts: Verdicts) -> Outcome<NoContent, WireError> {
        let seat = self.seat(cx, verdicts.subscription)?;
        seat.hear();
        for verdict in verdicts.verdicts {
            let loan = seat.loans().remove(&verdict.loan);
            if let Some(Loan { settle, _busy }) = loan {
                settle.settle(verdict.into_verdict()).await.map_err(unavailable)?;
            }
        }
        Ok(NoContent)
    }

    async fn leave(&self, cx: &Call, leave: Leave) -> Outcome<NoContent, WireError> {
        let seat = self.seat(cx, leave.subscription)?;
        self.0.seats().remove(&seat.id);
        seat.close().await;
        Ok(NoContent)
    }

    async fn parked(&self, cx: &Call, of: OfGroup) -> Outcome<Vec<WireParked>, WireError> {
        check_owner(cx, &of.group)?;
        let parked = self.0.broker.parked(&of.group).await.map_err(unavailable)?;
        Ok(parked.into_iter().map(WireParked::from).collect())
    }

    async fn requeue(&self, cx: &Call, what: Requeue) -> Outcome<bool, WireError> {
        check_owner(cx, &what.group)?;
        Ok(self.0.broker.requeue(&what.group, &what.key).await.map_err(unavailable)?)
    }

    async fn skip(&self, cx: &Call, what: WireSkip) -> Outcome<bool, WireError> {
        check_owner(cx, &what.group)?;
        let WireSkip { group, key, event, actor, reason } = what;
        let skip = Skip { key, event: event.as_uuid(), actor, reason };
        Ok(self.0.broker.skip(&group, skip).await.map_err(unavailable)?)
    }

    async fn skipped(&self, cx: &Call, of: OfGroup) -> Outcome<Vec<WireSkipped>, WireError> {
        check_owner(cx, &of.group)?;
        let skipped = self.0.broker.skipped(&of.group).await.map_err(unavailable)?;
        Ok(skipped.into_iter().map(WireSkipped::from).collect())
    }
}

impl fmt::Debug for BrokerDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokerDesk({:?}, {} subscriptions)", self.0.broker, self.0.seats().len())
    }
}

// === impl Shared ===

impl Shared {
    fn seats(&self) -> MutexGuard<'_, HashMap<SubscriptionId, Arc<Seat>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn epoch(&self) -> Option<i64> {
        self.broker.epoch().and_then(|epoch| *epoch.borrow())
    }

    /// Ends what an earlier subscriber of the group has.
    async fn clear(&self, group: &str) {
        let earlier: Vec<_> = self.seats().extract_if(|_, seat| seat.group == group).collect();
        for (_, seat) in earlier {
            seat.close().await;
        }
    }
}

/// Ends the subscriptions of those who are not heard of.
async fn look_after(desk: Weak<Shared>, stop: Stop) {
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! { () = tokio::time::sleep(LOOK) => {}, () = &mut stopped => return }
        let Some(desk) = desk.upgrade() else { return };
        let dead: Vec<_> = desk.seats().extract_if(|_, seat| seat.is_silent()).collect();
        for (_, seat) in dead {
            info!(group = seat.group, "a subscriber is not heard of; what it has on loan comes again");
            seat.close().await;
        }
    }
}

// === impl Seat ===

impl Seat {
    fn loans(&self) -> MutexGuard<'_, HashMap<u64, Loan>> {
        self.loans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self) {
        self.heard().last = monotonic();
    }

    fn is_silent(&self) -> bool {
        let heard = self.heard();
        heard.waiting == 0 && heard.last.elapsed() > LEASE
    }

    fn wait(&self) -> Waiting<'_> {
        self.heard().waiting += 1;
        Waiting(self)
    }

    fn next_poll(&self) -> u64 {
        let mut mine = 0;
        self.poll.send_modify(|newest| {
            *newest += 1;
            mine = *newest;
        });
        mine
    }

    /// Tells whoever waits that it is over.
    fn end(&self) {
        self.over.stop();
    }

    /// Ends it, once the poll that may be under way has noticed. What is on loan comes again.
    async fn close(&self) {
        self.end();
        *self.line.lock().await = None;
        self.loans().clear();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut heard = self.0.heard();
        heard.waiting -= 1;
        heard.last = monotonic();
    }
}

// === impl Line ===

impl Line {
    /// Notes what is lent, and how it is told.
    fn lend(&mut self, seat: &Seat, deliveries: Vec<Delivery>) -> Deliveries {
        let now = monotonic();
        let mut loans = seat.loans();
        self.batch += 1;
        self.sent = deliveries
            .into_iter()
            .map(|Delivery { message, attempt, since, busy, settle }| {
                self.loans += 1;
                loans.insert(self.loans, Loan { settle, _busy: busy });
                WireDelivery {
                    loan: self.loans,
                    message: WireMessage::from(&*message),
                    attempt,
                    waited_ms: millis(now.saturating_duration_since(since)),
                }
            })
            .collect();
        Deliveries { batch: self.batch, deliveries: self.sent.clone() }
    }

    /// The last batch once more.
    fn repeat(&self, seat: &Seat) -> Deliveries {
        let loans = seat.loans();
        let out = self.sent.iter().filter(|delivery| loans.contains_key(&delivery.loan));
        Deliveries { batch: self.batch, deliveries: out.cloned().collect() }
    }
}

/// A group belongs to the service its name begins with.
fn check_owner(cx: &Call, group: &str) -> Result<(), Platform> {
    let service = cx.subject()?.strip_prefix("service:").unwrap_or_default();
    let rest = group.strip_prefix(service).filter(|_| !service.is_empty());
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return Ok(());
    }
    Err(Platform::new(FaultKind::Forbidden).with_detail("the group is another service's"))
}

fn unavailable(error: BrokerError) -> Platform {
    Platform::new(FaultKind::UpstreamUnavailable).caused_by(error)
}
