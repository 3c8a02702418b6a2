//! The whole system in this process on a clock that the test steps, and short words for what everybody does.

use std::time::Duration;

use food_contracts::delivery::{
    AcceptOffer, DeliveriesClient, Delivery, DriversClient, Failure, FailureReason, Offer, Presence,
    SetStatus,
};
use food_contracts::orders::{Order, OrderTracking, OrdersClient};
use food_contracts::seed::{item_id, restaurant_id};
use food_contracts::tickets::{AcceptTicket, ListTickets, Ticket, TicketStatus, TicketsClient};
use food_contracts::{DeliveryId, OrderId};
use partie::Call;
use partie::contract::Timestamp;
use partie::messaging::SagaView;
use partie::platform::SagasClient;
use partie_testkit::{CallExt, TestRun, TestSystem};
use serde_json::json;

/// The day begins here.
const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(crate) struct Town {
    pub(crate) run: TestRun,
    pub(crate) orders: OrdersClient,
    pub(crate) tickets: TicketsClient,
    pub(crate) drivers: DriversClient,
    pub(crate) deliveries: DeliveriesClient,
}

impl Town {
    pub(crate) async fn open() -> Self {
        let run = TestSystem::of(food::system()).stepped(NOON).start().await;
        let (orders, tickets) = (run.client(), run.client());
        let (drivers, deliveries) = (run.client(), run.client());
        Self { orders, tickets, drivers, deliveries, run }
    }

    // --- time ---

    pub(crate) fn now(&self) -> Timestamp {
        self.run.clock().now()
    }

    pub(crate) async fn seconds(&self, seconds: u64) {
        self.run.step(Duration::from_secs(seconds)).await;
    }

    pub(crate) async fn minutes(&self, minutes: u64) {
        self.seconds(60 * minutes).await;
    }

    /// Everything that follows from what was done has happened.
    pub(crate) async fn settled(&self) {
        self.run.quiet().await;
    }

    // --- the customer ---

    pub(crate) fn ann(&self) -> Call {
        self.run.call_by("ann", &["customer"]).keyed()
    }

    /// An order at the demo restaurant, brought to its own door.
    pub(crate) async fn order(&self, assignment: &str) -> OrderId {
        let new = serde_json::from_value(json!({
            "restaurant_id": restaurant_id(1), "items": [{"item_id": item_id(1, 1), "quantity": 2}],
            "drop_off": {"lat": 52.52, "lon": 13.405}, "contact": {"phone": "+4930123456"}, "assignment": assignment,
        }));
        let order = self.orders.place(&self.ann(), new.unwrap()).await.unwrap().0;
        self.settled().await;
        order.id
    }

    pub(crate) async fn status(&self, id: OrderId) -> String {
        let Order { status, reason, .. } = self.read(id).await;
        let name = |value| serde_json::to_value(value).unwrap().as_str().map(str::to_owned);
        let reason = reason.and_then(|reason| name(json!(reason)));
        let status = name(json!(status)).unwrap();
        reason.into_iter().fold(status, |status, reason| format!("{status} {reason}"))
    }

    pub(crate) async fn read(&self, id: OrderId) -> Order {
        self.orders.order(&self.ann(), id).await.unwrap().0
    }

    /// What happened to it, in short.
    pub(crate) async fn story(&self, id: OrderId) -> String {
        let timeline = self.orders.timeline(&self.ann(), id).await.unwrap().data;
        assert!(timeline.windows(2).all(|two| two[0].at <= two[1].at), "{timeline:?}");
        assert!(timeline.iter().zip(1..).all(|(entry, sequence)| entry.sequence == sequence));
        let names: Vec<&str> = timeline.iter().map(|entry| entry.event.as_str()).collect();
        names.join(" ")
    }

    pub(crate) async fn tracking(&self, id: OrderId) -> OrderTracking {
        self.orders.tracking(&self.ann(), id).await.unwrap()
    }

    pub(crate) async fn saga(&self, id: OrderId) -> SagaView {
        let admin = self.run.call_by("root", &["admin"]);
        self.run.client::<SagasClient>().saga(&admin, id.to_string().parse().unwrap()).await.unwrap()
    }

    // --- the kitchen ---

    pub(crate) fn kitchen(&self) -> Call {
        self.run.call_by("demo-kitchen", &["owner"]).keyed()
    }

    pub(crate) async fn ticket(&self, order: OrderId) -> Ticket {
        let all = self.tickets.list(&self.kitchen(), ListTickets::default()).await.unwrap().data;
        all.into_iter().find(|ticket| ticket.order_id == order).expect("a ticket")
    }

    pub(crate) async fn ticket_status(&self, order: OrderId) -> TicketStatus {
        self.ticket(order).await.status
    }

    pub(crate) async fn accept(&self, order: OrderId) {
        let (id, ready_by) = (self.ticket(order).await.id, self.now() + Duration::from_mins(5));
        self.tickets.accept(&self.kitchen(), id, AcceptTicket { ready_by }).await.unwrap();
        self.settled().await;
    }

    pub(crate) async fn decline(&self, order: OrderId) {
        let id = self.ticket(order).await.id;
        self.tickets.decline(&self.kitchen(), id).await.unwrap();
        self.settled().await;
    }

    pub(crate) async fn cook(&self, order: OrderId) {
        let id = self.ticket(order).await.id;
        self.tickets.start(&self.kitchen(), id).await.unwrap();
        self.settled().await;
    }

    pub(crate) async fn serve(&self, order: OrderId) {
        let id = self.ticket(order).await.id;
        self.tickets.ready(&self.kitchen(), id).await.unwrap();
        self.settled().await;
    }

    // --- drivers ---

    pub(crate) fn by(&self, driver: &str) -> Call {
        self.run.call_by(driver, &["driver"]).keyed()
    }

    pub(crate) async fn driver(&self, name: &str) {
        let word = SetStatus {
            status: Presence::Available,
            available_until: None,
            location: Some(serde_json::from_value(json!({"lat": 52.5201, "lon": 13.4051})).unwrap()),
            name: Some(name.to_uppercase()),
        };
        self.drivers.set_status(&self.by(name), "me".to_owned(), word).await.unwrap();
        self.settled().await;
    }

    pub(crate) async fn offer(&self, driver: &str) -> Option<Offer> {
        self.drivers.offers(&self.by(driver), "me".to_owned()).await.unwrap().data.pop()
    }

    /// Waits for an offer, which comes just in time for the food, and takes it.
    pub(crate) async fn take(&self, driver: &str) -> DeliveryId {
        let mut offer = None;
        for _ in 0..60 {
            self.seconds(5).await;
            offer = self.offer(driver).await;
            if offer.is_some() {
                break;
            }
        }
        let offer = offer.expect("an offer within five minutes");
        self.drivers.accept(&self.by(driver), offer.id, AcceptOffer::default()).await.unwrap();
        self.settled().await;
        offer.deliveries[0].delivery_id
    }

    /// From the restaurant's door to the customer's.
    pub(crate) async fn pick_up(&self, driver: &str, id: DeliveryId) {
        self.deliveries.arrived_pickup(&self.by(driver), id).await.unwrap();
        self.deliveries.picked_up(&self.by(driver), id).await.unwrap();
        self.settled().await;
    }

    pub(crate) async fn bring(&self, driver: &str, id: DeliveryId) {
        self.deliveries.arrived_dropoff(&self.by(driver), id).await.unwrap();
        self.deliveries.delivered(&self.by(driver), id).await.unwrap();
        self.settled().await;
    }

    pub(crate) async fn fail(&self, driver: &str, id: DeliveryId, reason: FailureReason) {
        self.deliveries.fail(&self.by(driver), id, Failure { reason }).await.unwrap();
        self.settled().await;
    }

    pub(crate) async fn give_back(&self, driver: &str, id: DeliveryId) {
        for _ in 0..2 {
            self.deliveries.give_back(&self.by(driver), id).await.unwrap();
        }
        self.settled().await;
    }

    pub(crate) async fn delivery(&self, id: DeliveryId) -> Delivery {
        self.deliveries.delivery(&self.run.call_by("root", &["admin"]), id).await.unwrap().0
    }
}
