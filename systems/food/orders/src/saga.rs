//! The saga of an order: from the kitchen's yes to the doorstep, over three services.

use std::time::Duration;

use food_contracts::delivery::{CancelDelivery, Delivery, DeliveryError, NewDelivery};
use food_contracts::orders::{Assignment, EndReason, OrderStatus};
use food_contracts::restaurants::Line;
use food_contracts::tickets::{CancelTicket, NewTicket, Ticket, TicketError};
use food_contracts::{OrderId, Place, RestaurantId};
use partie::contract::{Abort, Created, NoContent, Timestamp};
use partie::messaging::{Failure, Next, Saga, SagaData, Step};
use partie::store::Tx;
use partie::{Call, Outcome};
use serde::{Deserialize, Serialize};

use crate::desk::OrderDesk;
use crate::order::Record;
use crate::{chronicle, rows};

/// The steps that wait, by the names under which they are told what they wait for.
pub(crate) const ASSIGNMENT: &str = "assignment";
pub(crate) const ACCEPTANCE: &str = "acceptance";
pub(crate) const HANDOVER: &str = "handover";
pub(crate) const DOOR: &str = "door";
pub(crate) const RETURN: &str = "return";
/// The step at which the kitchen is asked, and the one that is jumped to.
const CREATE_TICKET: &str = "create-ticket";
const COMPLETE: &str = "complete";

/// Why a saga was asked to give up: the codes of its failure.
pub(crate) const DECLINED: &str = "restaurant-declined";
pub(crate) const EXPIRED: &str = "restaurant-timeout";
pub(crate) const KITCHEN_GAVE_UP: &str = "restaurant-cancelled";
pub(crate) const NO_DRIVER: &str = "no-driver";
pub(crate) const CUSTOMER: &str = "customer-cancelled";

/// The kitchen keeps its own time; this much later its silence is an answer too.
const KITCHEN_GRACE: Duration = Duration::from_mins(1);
/// How long somebody else's next word may take before the wait is entered again, which the inspector shows.
const PATIENCE: Duration = Duration::from_hours(6);

/// What the saga says of an order to others. None of it changes in the order's row, so no call has to read that first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlaceOrder {
    pub(crate) order_id: OrderId,
    pub(crate) restaurant_id: RestaurantId,
    pub(crate) assignment: Assignment,
    /// What to cook, until the kitchen knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lines: Vec<Line>,
    pub(crate) pick_up: Place,
    pub(crate) drop_off: Place,
    pub(crate) placed_at: Timestamp,
    /// When the food is ready: an estimate until the kitchen has promised.
    pub(crate) ready_at: Timestamp,
    /// Until when the kitchen must have answered, once it was asked.
    #[serde(default)]
    pub(crate) accept_by: Option<Timestamp>,
}

impl PlaceOrder {
    pub(crate) fn of(record: &Record, ready_at: Timestamp) -> Self {
        let Record { order, pick_up, assignment, .. } = record;
        Self {
            order_id: order.id,
            restaurant_id: order.restaurant_id,
            assignment: *assignment,
            lines: order.lines.clone(),
            pick_up: *pick_up,
            drop_off: order.drop_off,
            placed_at: order.placed_at,
            ready_at,
            accept_by: None,
        }
    }
}

impl SagaData for PlaceOrder {
    const KIND: &'static str = "place-order";
    const VERSION: u32 = 1;
}

/// The kitchen's yes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Promise {
    pub(crate) ready_by: Timestamp,
}

/// What became of the food at the door.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum AtDoor {
    Delivered,
    Failed,
}

/// The table of its steps. Authorising the payment comes before the first, undone by voiding it.
pub(crate) fn place_order() -> Saga<OrderDesk, PlaceOrder> {
    Saga::new()
        // `assignment=at_order` has the driver first.
        .step(
            Step::command("seek-driver", OrderDesk::request_delivery, OrderDesk::requested)
                .undo(OrderDesk::withdraw_delivery)
                .when(|_, data| data.assignment == Assignment::AtOrder),
        )
        .step(
            Step::wait(ASSIGNMENT, OrderDesk::patience, OrderDesk::driver_found)
                .on_timeout(OrderDesk::nobody_found)
                .when(|_, data| data.assignment == Assignment::AtOrder),
        )
        // The kitchen.
        .step(
            Step::command(CREATE_TICKET, OrderDesk::create_ticket, OrderDesk::ticket_created)
                .undo(OrderDesk::cancel_ticket),
        )
        .step(
            Step::wait(ACCEPTANCE, OrderDesk::accept_until, OrderDesk::accepted)
                .on_timeout(OrderDesk::no_answer),
        )
        // The driver, unless there is one.
        .step(
            Step::command("request-delivery", OrderDesk::request_delivery, OrderDesk::requested)
                .undo(OrderDesk::withdraw_delivery)
                .when(|_, data| data.assignment == Assignment::AtReady),
        )
        // Until the driver has the food everything can be undone.
        .step(
            Step::wait(HANDOVER, OrderDesk::patience, OrderDesk::handed_over)
                .on_timeout(|_, _, _| Ok(Next::To(HANDOVER)))
                .pivot(),
        )
        // Capturing the payment comes here: after the pivot it is tried until it succeeds.
        .step(
            Step::wait(DOOR, OrderDesk::patience, OrderDesk::at_door)
                .on_timeout(|_, _, _| Ok(Next::To(DOOR))),
        )
        .step(
            Step::wait(RETURN, OrderDesk::patience, OrderDesk::given_back)
                .on_timeout(|_, _, _| Ok(Next::To(RETURN))),
        )
        .step(Step::local(COMPLETE, OrderDesk::complete))
        .on_failed(OrderDesk::failed)
        .on_too_late(OrderDesk::too_late)
}

/// The places around the saga's calls where a test may let the process die, from its table: a new step brings its own.
pub fn failpoints() -> Vec<String> {
    place_order().steps().iter().flat_map(|step| step.failpoints(PlaceOrder::KIND)).collect()
}

// === the driver first ===

impl OrderDesk {
    fn driver_found(&self, _: &mut Tx, _: &mut PlaceOrder, (): &()) -> Result<Next, Abort> {
        Ok(Next::Step)
    }

    fn nobody_found(&self, _: &mut Tx, _: &mut PlaceOrder) -> Result<Next, Abort> {
        Ok(Next::fail(NO_DRIVER))
    }
}

// === the kitchen ===

impl OrderDesk {
    async fn create_ticket(&self, cx: &Call, data: &PlaceOrder) -> Outcome<Created<Ticket>, TicketError> {
        let PlaceOrder { order_id, restaurant_id, lines, .. } = data.clone();
        self.tickets.create(cx, NewTicket { order_id, restaurant_id, lines }).await
    }

    fn ticket_created(
        &self,
        _: &mut Tx,
        data: &mut PlaceOrder,
        Created(ticket): &Created<Ticket>,
    ) -> Result<Next, Abort> {
        data.accept_by = Some(ticket.accept_by);
        data.lines.clear();
        Ok(Next::Step)
    }

    async fn cancel_ticket(&self, cx: &Call, data: &PlaceOrder) -> Outcome<(), TicketError> {
        self.tickets.cancel(cx, CancelTicket { order_id: data.order_id, force: true }).await.map(drop)
    }

    fn accept_until(&self, data: &PlaceOrder, now: Timestamp) -> Timestamp {
        data.accept_by.unwrap_or(now) + KITCHEN_GRACE
    }

    fn accepted(&self, tx: &mut Tx, data: &mut PlaceOrder, promise: &Promise) -> Result<Next, Abort> {
        data.ready_at = promise.ready_by;
        let mut record = self.known(tx, data)?;
        record.order.ready_by = Some(promise.ready_by);
        let steps = record.advance(OrderStatus::Confirmed);
        if steps.is_empty() {
            // Later news overtook this; the promise is still worth knowing.
            rows::update(tx, &record)?;
        }
        chronicle::note(tx, &self.live, &record, &steps)?;
        Ok(Next::Step)
    }

    fn no_answer(&self, _: &mut Tx, _: &mut PlaceOrder) -> Result<Next, Abort> {
        Ok(Next::fail(EXPIRED))
    }
}

// === the driver ===

impl OrderDesk {
    async fn request_delivery(
        &self,
        cx: &Call,
        data: &PlaceOrder,
    ) -> Outcome<Created<Delivery>, DeliveryError> {
        let PlaceOrder { order_id, restaurant_id, pick_up, drop_off, placed_at, ready_at, .. } = *data;
        let new =
            NewDelivery { order_id, restaurant_id, pick_up, drop_off, placed_at, ready_at, is_promise: true };
        self.deliveries.request(cx, new).await
    }

    fn requested(&self, _: &mut Tx, _: &mut PlaceOrder, _: &Created<Delivery>) -> Result<Next, Abort> {
        Ok(Next::Step)
    }

    async fn withdraw_delivery(&self, cx: &Call, data: &PlaceOrder) -> Outcome<(), DeliveryError> {
        let NoContent = self.deliveries.cancel(cx, CancelDelivery { order_id: data.order_id }).await?;
        Ok(())
    }

    fn handed_over(&self, tx: &mut Tx, data: &mut PlaceOrder, (): &()) -> Result<Next, Abort> {
        self.advance(tx, data, OrderStatus::PickedUp)?;
        Ok(Next::Step)
    }

    fn at_door(&self, tx: &mut Tx, data: &mut PlaceOrder, what: &AtDoor) -> Result<Next, Abort> {
        match what {
            AtDoor::Delivered => {
                self.advance(tx, data, OrderStatus::Delivered)?;
                Ok(Next::To(COMPLETE))
            }
            AtDoor::Failed => {
                let mut record = self.known(tx, data)?;
                let steps = record.fail_delivery();
                chronicle::note(tx, &self.live, &record, &steps)?;
                Ok(Next::Step)
            }
        }
    }

    fn given_back(&self, tx: &mut Tx, data: &mut PlaceOrder, (): &()) -> Result<Next, Abort> {
        let mut record = self.known(tx, data)?;
        let steps = record.give_back();
        chronicle::note(tx, &self.live, &record, &steps)?;
        Ok(Next::Step)
    }

    /// A delivered order has nothing left to do; one that came back has not either.
    fn complete(&self, tx: &mut Tx, data: &mut PlaceOrder) -> Result<Next, Abort> {
        self.advance(tx, data, OrderStatus::Completed)?;
        Ok(Next::Step)
    }

    fn patience(&self, _: &PlaceOrder, now: Timestamp) -> Timestamp {
        now + PATIENCE
    }
}

// === the end ===

impl OrderDesk {
    fn failed(&self, tx: &mut Tx, data: &mut PlaceOrder, failure: &Failure) -> Result<(), Abort> {
        let mut record = self.known(tx, data)?;
        let steps = record.end(reason(failure));
        chronicle::note(tx, &self.live, &record, &steps)?;
        Ok(())
    }

    fn too_late(&self, tx: &mut Tx, data: &mut PlaceOrder, _: &Failure) -> Result<(), Abort> {
        let mut record = self.known(tx, data)?;
        let steps = record.refuse_cancel();
        chronicle::note(tx, &self.live, &record, &steps)?;
        Ok(())
    }

    fn advance(&self, tx: &mut Tx, data: &PlaceOrder, to: OrderStatus) -> Result<(), Abort> {
        let mut record = self.known(tx, data)?;
        let steps = record.advance(to);
        chronicle::note(tx, &self.live, &record, &steps)?;
        Ok(())
    }

    /// The order the saga is about. There is no saga without one.
    fn known(&self, tx: &mut Tx, data: &PlaceOrder) -> Result<Record, Abort> {
        rows::find(tx, data.order_id)?.ok_or_else(|| Abort::because(format!("no order {}", data.order_id)))
    }
}

/// Why the order ends, in the words of its contract.
fn reason(failure: &Failure) -> EndReason {
    match failure.code.as_str() {
        DECLINED | "restaurant-busy" => EndReason::RestaurantDeclined,
        EXPIRED => EndReason::RestaurantTimeout,
        KITCHEN_GAVE_UP => EndReason::RestaurantCancelled,
        CUSTOMER | "compensated" => EndReason::CustomerCancelled,
        "restaurant-closed" => EndReason::RestaurantClosed,
        "item-unavailable" => EndReason::ItemUnavailable,
        NO_DRIVER => EndReason::NoDriver,
        // Somebody gave no answer at all: the kitchen, or the delivery service.
        _ if failure.step == CREATE_TICKET || failure.step == ACCEPTANCE => EndReason::RestaurantTimeout,
        _ => EndReason::NoDriver,
    }
}
