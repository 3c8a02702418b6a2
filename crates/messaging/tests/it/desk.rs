//! An order desk that uses everything: an event, a handler, a timer, a job, a saga.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use partie_contract::{Abort, Call, Event, Outcome, Problem, Timestamp, id};
use partie_messaging::{
    AfterCrash, Enqueue, Failure, Handlers, Job, JobError, Next, Publish, Saga, SagaData, Sagas, Schedule,
    Signalled, Step, Timer,
};
use partie_store::Tx;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::world::note;

id! {
    /// Names an order.
    pub(crate) struct OrderId;
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event("order.placed", version = 1, subject = "order")]
pub(crate) struct OrderPlaced {
    pub(crate) order: OrderId,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event("ticket.accepted", version = 1, subject = "order")]
pub(crate) struct TicketAccepted {
    pub(crate) order: OrderId,
}

/// An order nobody accepted is given up.
#[derive(Serialize, Deserialize)]
pub(crate) struct RemindKitchen(pub(crate) OrderId);

impl Timer for RemindKitchen {
    const KIND: &'static str = "remind-kitchen";

    fn key(&self) -> String {
        self.0.to_string()
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SendReceipt {
    pub(crate) order: OrderId,
}

impl Job for SendReceipt {
    const KIND: &'static str = "send-receipt";
    const AFTER_CRASH: AfterCrash = AfterCrash::Retry;
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PlaceOrder {
    pub(crate) order: OrderId,
    pub(crate) authorisation: Option<String>,
}

impl SagaData for PlaceOrder {
    const KIND: &'static str = "place-order";
    const VERSION: u32 = 1;
}

#[derive(Debug, Problem)]
pub(crate) enum PaymentError {
    /// The card was declined.
    #[problem(409, "payment-declined")]
    Declined,
}

/// The service's state, with what the outside world has seen.
#[derive(Default)]
pub(crate) struct Desk {
    /// The keys of the mails that were sent.
    pub(crate) mails: Mutex<Vec<String>>,
    /// The keys of the calls to the payment provider, in order.
    pub(crate) payments: Mutex<Vec<String>>,
    pub(crate) decline: bool,
    /// How many calls fail before one succeeds.
    pub(crate) flaky: AtomicU32,
}

impl Desk {
    pub(crate) fn handlers() -> Handlers<Self> {
        Handlers::new()
            .on(Self::order_placed)
            .on(Self::ticket_accepted)
            .on_as("audit", Self::audit)
            .timer(Self::remind_kitchen)
            .job(Self::send_receipt)
            .every(Duration::from_secs(3600), Self::sweep)
            .saga(Self::place_order())
    }

    pub(crate) fn place_order() -> Saga<Self, PlaceOrder> {
        Saga::new()
            .step(Step::command("authorise", Self::authorise, Self::authorised).undo(Self::void))
            .step(Step::wait("acceptance", Self::accept_until, Self::accepted).pivot())
            .step(Step::sleep("cooking", Self::ready_at))
            .step(Step::command("capture", Self::capture, Self::captured))
            .step(Step::local("complete", Self::complete))
            .on_failing(Self::rejecting)
            .on_failed(Self::rejected)
            .on_too_late(Self::keep)
    }

    /// What an operation does in its transaction.
    pub(crate) fn place(tx: &mut Tx, order: OrderId) -> Result<(), partie_store::Error> {
        note(tx, "placed", &order.to_string())?;
        tx.publish(&OrderPlaced { order })?;
        tx.start_saga(order, &PlaceOrder { order, authorisation: None })?;
        tx.at(tx.now() + Duration::from_secs(60), &RemindKitchen(order))?;
        Ok(())
    }

    /// What the operation that cancels does in its transaction.
    pub(crate) fn cancel(tx: &mut Tx, order: OrderId) -> Result<Signalled, partie_store::Error> {
        tx.fail_saga(order, "customer-cancelled")
    }

    fn order_placed(&self, tx: &mut Tx, event: &OrderPlaced) -> Result<(), Abort> {
        Ok(note(tx, "heard", &event.order.to_string())?)
    }

    fn audit(&self, tx: &mut Tx, event: &OrderPlaced) -> Result<(), Abort> {
        Ok(note(tx, "audit", &event.order.to_string())?)
    }

    fn remind_kitchen(&self, tx: &mut Tx, due: &RemindKitchen) -> Result<(), Abort> {
        note(tx, "reminded", &format!("{} {}", due.0, tx.now()))?;
        tx.publish(&TicketAccepted { order: due.0 })?;
        Ok(())
    }

    fn ticket_accepted(&self, tx: &mut Tx, event: &TicketAccepted) -> Result<(), Abort> {
        tx.resume_saga(event.order, "acceptance", &"the kitchen".to_owned())?;
        Ok(())
    }

    async fn send_receipt(&self, cx: &Call, job: &SendReceipt) -> Result<(), JobError> {
        let key = cx.key().map(|key| key.key.to_string()).unwrap_or_default();
        self.mails.lock().unwrap().push(format!("{} {key}", job.order));
        Ok(())
    }

    async fn sweep(&self, cx: &Call) -> Result<(), Abort> {
        assert!(cx.key().is_none());
        Ok(())
    }

    async fn authorise(&self, cx: &Call, data: &PlaceOrder) -> Outcome<String, PaymentError> {
        self.pay(cx).await?;
        if self.decline { Err(PaymentError::Declined.into()) } else { Ok(format!("auth-{}", data.order)) }
    }

    #[expect(clippy::ptr_arg, reason = "it is the type of what `authorise` answers")]
    fn authorised(&self, tx: &mut Tx, data: &mut PlaceOrder, got: &String) -> Result<Next, Abort> {
        data.authorisation = Some(got.clone());
        note(tx, "saga", "authorised")?;
        Ok(Next::Step)
    }

    async fn void(&self, cx: &Call, _: &PlaceOrder) -> Outcome<(), PaymentError> {
        Ok(self.pay(cx).await?)
    }

    fn accept_until(&self, _: &PlaceOrder, now: Timestamp) -> Timestamp {
        now + Duration::from_secs(300)
    }

    fn accepted(&self, tx: &mut Tx, _: &mut PlaceOrder, by: &String) -> Result<Next, Abort> {
        note(tx, "saga", &format!("accepted by {by}"))?;
        Ok(Next::Step)
    }

    fn ready_at(&self, _: &PlaceOrder, now: Timestamp) -> Timestamp {
        now + Duration::from_secs(600)
    }

    async fn capture(&self, cx: &Call, data: &PlaceOrder) -> Outcome<(), PaymentError> {
        assert!(data.authorisation.is_some());
        Ok(self.pay(cx).await?)
    }

    fn captured(&self, tx: &mut Tx, data: &mut PlaceOrder, (): &()) -> Result<Next, Abort> {
        note(tx, "saga", "captured")?;
        tx.enqueue(&SendReceipt { order: data.order })?;
        Ok(Next::Step)
    }

    fn complete(&self, tx: &mut Tx, _: &mut PlaceOrder) -> Result<Next, Abort> {
        note(tx, "saga", &format!("completed {}", tx.now()))?;
        Ok(Next::Step)
    }

    fn rejecting(&self, tx: &mut Tx, _: &mut PlaceOrder, why: &Failure) -> Result<(), Abort> {
        Ok(note(tx, "saga", &format!("rejecting {} at {}", why.code, why.step))?)
    }

    fn rejected(&self, tx: &mut Tx, _: &mut PlaceOrder, why: &Failure) -> Result<(), Abort> {
        Ok(note(tx, "saga", &format!("rejected {}", why.code))?)
    }

    fn keep(&self, tx: &mut Tx, _: &mut PlaceOrder, why: &Failure) -> Result<(), Abort> {
        Ok(note(tx, "saga", &format!("kept in spite of {}", why.code))?)
    }

    async fn pay(&self, cx: &Call) -> Result<(), partie_contract::Platform> {
        let key = cx.key().map(|key| key.key.to_string()).unwrap_or_default();
        self.payments.lock().unwrap().push(key);
        let fails =
            self.flaky.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if fails {
            Err(partie_contract::Platform::new(partie_contract::FaultKind::UpstreamUnavailable))
        } else {
            Ok(())
        }
    }
}
