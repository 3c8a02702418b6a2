//! A town with one restaurant: the running service, its clock, and short words for what drivers, orders and the kitchen do.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use food_contracts::delivery::{
    AcceptOffer, CancelDelivery, DeliveriesClient, Delivery, DeliveryStatus, Driver, DriverStatus,
    DriversClient, NewDelivery, Offer, Presence, SetStatus,
};
use food_contracts::tickets::TicketReady;
use food_contracts::{DeliveryId, OfferId, OrderId, Place, RestaurantId, TicketId};
use partie::contract::{Call, CloudEvent, FromValue, Id, NoProblem, Problem, Timestamp, Versioned};
use partie::messaging::{Publish as _, Published};
use partie::runtime::{Activity, Clock, Ids, Stepper};
use partie::store::Json;
use partie::{Environment, Fault, Gateway, Outcome, Running, Service, System};
use uuid::Uuid;

/// The day begins here.
pub(crate) const MORNING: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Towns of this process so far.
static TOWNS: AtomicU64 = AtomicU64::new(1);

pub(crate) struct Town {
    pub(crate) running: Arc<Running>,
    pub(crate) drivers: DriversClient,
    pub(crate) deliveries: DeliveriesClient,
    stepper: Stepper,
    keys: AtomicU64,
}

impl Town {
    pub(crate) async fn open() -> Self {
        Self::with("").await
    }

    /// With settings of its own.
    pub(crate) async fn with(settings: &str) -> Self {
        Self::start(settings, MORNING, None).await
    }

    /// At a time, with data that stays if there is a directory for it.
    pub(crate) async fn start(settings: &str, now: Timestamp, data: Option<&Path>) -> Self {
        let (clock, stepper) = Clock::stepped(now);
        // The name of the temporary directory comes from the ids, so each town has its own.
        let seed = TOWNS.fetch_add(1, Ordering::Relaxed);
        let environment = Environment { clock, ids: Ids::seeded(seed), activity: Activity::default() };
        // What is told of tickets comes from a kitchen that can do nothing else.
        let kitchen = Service::new("restaurants").store(&[]).start(async |_| Ok(()));
        let system = System::new("town").service(food_delivery::service()).service(kitchen);
        let system = system.gateway(Gateway::default());
        let mut config = system.defaults().clone();
        match data {
            Some(data) => config.data = data.to_owned(),
            None => config.ephemeral = true,
        }
        config.gateway.listen.set_port(0);
        let own: toml::Table = settings.parse().unwrap();
        let table = config.services.get_mut("delivery").unwrap().as_table_mut().unwrap();
        table.extend(own);
        let running = system.launch(config, environment).await.unwrap();
        let (drivers, deliveries) = (running.client(), running.client());
        Self { running, drivers, deliveries, stepper, keys: AtomicU64::new(seed << 32) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.running.clock().now()
    }

    /// Lets time pass, with everything that happens meanwhile.
    pub(crate) async fn pass(&self, time: Duration) {
        let (until, activity) = (self.now() + time, self.running.activity());
        loop {
            activity.quiet().await;
            let next = self.stepper.next_wake().filter(|wake| *wake <= until).unwrap_or(until);
            self.stepper.step_to(next, &activity.begin());
            activity.quiet().await;
            if next >= until {
                return;
            }
        }
    }

    pub(crate) async fn second(&self) {
        self.pass(Duration::from_secs(1)).await;
    }

    /// Lets time pass for a driver who looks for offers once a minute.
    pub(crate) async fn wait(&self, name: &str, minutes: u32) {
        for _ in 0..minutes {
            self.pass(Duration::from_mins(1)).await;
            self.offer(name).await;
        }
    }

    /// A driver's call under a fresh key.
    pub(crate) fn by(&self, subject: &str) -> Call {
        self.call(subject, "driver")
    }

    pub(crate) fn service(&self) -> Call {
        self.call("service:orders", "service")
    }

    fn call(&self, subject: &str, role: &str) -> Call {
        let key = self.keys.fetch_add(1, Ordering::Relaxed);
        self.running.call_as(subject, &[role]).unwrap().with_key(format!("key-{key}"))
    }

    /// A driver who waits so far from the restaurant.
    pub(crate) async fn driver(&self, name: &str, metres: f64) -> Driver {
        let word = SetStatus {
            status: Presence::Available,
            available_until: None,
            location: Some(near(metres)),
            name: Some(name.to_uppercase()),
        };
        self.drivers.set_status(&self.by(name), "me".to_owned(), word).await.unwrap().0
    }

    pub(crate) async fn status_of(&self, name: &str) -> DriverStatus {
        self.drivers.driver(&self.by(name), "me".to_owned()).await.unwrap().0.status
    }

    /// An order that is ready so many seconds from now, for a door so far from the restaurant.
    pub(crate) async fn order(&self, number: u128, ready: u64, metres: f64) -> Delivery {
        self.deliveries.request(&self.service(), self.new_delivery(number, ready, metres)).await.unwrap().0
    }

    pub(crate) fn new_delivery(&self, number: u128, ready: u64, metres: f64) -> NewDelivery {
        NewDelivery {
            order_id: order_id(number),
            restaurant_id: RestaurantId::from_uuid(Uuid::from_u128(1)),
            pick_up: near(0.0),
            drop_off: near(metres),
            placed_at: self.now(),
            ready_at: self.now() + Duration::from_secs(ready),
            is_promise: false,
        }
    }

    pub(crate) async fn cancel(&self, number: u128) -> Outcome<(), food_contracts::delivery::DeliveryError> {
        let cancel = CancelDelivery { order_id: order_id(number) };
        self.deliveries.cancel(&self.service(), cancel).await.map(drop)
    }

    pub(crate) async fn delivery(&self, id: DeliveryId) -> Delivery {
        self.deliveries.delivery(&self.service(), id).await.unwrap().0
    }

    pub(crate) async fn state(&self, id: DeliveryId) -> DeliveryStatus {
        self.delivery(id).await.status
    }

    /// The offer that waits for a driver.
    pub(crate) async fn offer(&self, name: &str) -> Option<Offer> {
        self.drivers.offers(&self.by(name), "me".to_owned()).await.unwrap().data.pop()
    }

    pub(crate) async fn accept(
        &self,
        name: &str,
        id: OfferId,
    ) -> Outcome<Offer, food_contracts::delivery::OfferError> {
        self.drivers.accept(&self.by(name), id, AcceptOffer::default()).await
    }

    /// The driver gets an offer and takes it.
    pub(crate) async fn take(&self, name: &str) -> Offer {
        self.second().await;
        let offer = self.offer(name).await.expect("an offer");
        self.accept(name, offer.id).await.unwrap()
    }

    /// The kitchen says that the food of an order is ready since then.
    pub(crate) async fn ready(&self, number: u128, ready_at: Timestamp) {
        let ready =
            TicketReady { order_id: order_id(number), ticket_id: TicketId::from_uuid(Uuid::nil()), ready_at };
        let store = self.running.store("restaurants").unwrap();
        let said: Outcome<Published, NoProblem> = store.write(move |tx| Ok(tx.publish(&ready)?)).await;
        said.unwrap();
        self.running.activity().quiet().await;
    }

    /// The events about an order or a driver, in order.
    pub(crate) async fn story(&self, subject: impl ToString) -> Vec<CloudEvent> {
        let (store, subject) = (self.running.store("delivery").unwrap(), subject.to_string());
        let sql = "SELECT body FROM partie_outbox WHERE subject = $1 ORDER BY position";
        let story: Outcome<Vec<CloudEvent>, NoProblem> =
            store.read(move |tx| Ok(tx.query(sql, &[&subject], |row| Ok(row.get::<Json<_>>(0)?.0))?)).await;
        story.unwrap()
    }

    /// The types of these events.
    pub(crate) async fn told(&self, subject: impl ToString) -> Vec<String> {
        self.story(subject).await.into_iter().map(|event| event.type_name).collect()
    }

    /// One value of the database.
    pub(crate) async fn value<T: FromValue + Send + 'static>(&self, sql: &'static str) -> T {
        let store = self.running.store("delivery").unwrap();
        let value: Outcome<T, NoProblem> =
            store.read(move |tx| Ok(tx.query_one(sql, &[], |row| row.get(0))?)).await;
        value.unwrap()
    }
}

/// So many metres north of the restaurant.
pub(crate) fn near(metres: f64) -> Place {
    Place { lat: 52.52 + metres / 111_195.08, lon: 13.405 }
}

pub(crate) fn order_id(number: u128) -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(number))
}

/// The code of a refusal.
#[track_caller]
pub(crate) fn code<T: fmt::Debug, E: Problem>(outcome: Outcome<T, E>) -> (u16, &'static str) {
    let fault: Fault<E> = outcome.expect_err("a refusal");
    let status = match &fault {
        Fault::Domain(_) => fault.status(),
        // What the service said, not what it would be for somebody who called on.
        Fault::Platform(fault) => fault.kind().status(),
    };
    (status, fault.code())
}

/// The delivery in an answer.
pub(crate) fn status(answer: &Versioned<Delivery>) -> DeliveryStatus {
    answer.0.status
}
