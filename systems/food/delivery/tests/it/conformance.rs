//! Every operation of the delivery service keeps what its contract promises.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use food_contracts::delivery::{
    AcceptOffer, DeliveriesClient, Delivery, Driver, DriversClient, Failure, FailureReason, NewDelivery,
    Offer, Presence, SetStatus,
};
use food_contracts::{DeliveryId, RestaurantId};
use partie::Call;
use partie::contract::Id;
use partie_testkit::{CallExt, Conformance, Example, TestRun, TestSystem};
use serde_json::json;
use uuid::Uuid;

use crate::town::{MORNING, near, order_id};

/// After that long everybody is offline, and every search and every offer is over.
const A_NIGHT: Duration = Duration::from_mins(15);

/// How far a delivery of [`Shift::carry`] comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Assigned,
    AtRestaurant,
    PickedUp,
    AtDoor,
    Failed,
}

/// The only driver on duty, at the restaurant.
struct Shift<'r> {
    run: &'r TestRun,
    name: String,
    driver: Driver,
}

impl<'r> Shift<'r> {
    /// A new driver comes when all others have left.
    async fn begin(run: &'r TestRun) -> Self {
        run.step(A_NIGHT).await;
        let name = format!("driver-{}", fresh());
        let driver = come(run, &name).await;
        Self { run, name, driver }
    }

    /// The driver's call.
    fn by(&self) -> Call {
        by(self.run, &self.name)
    }

    /// The driver's example.
    fn example(&self, id: impl Display) -> Example {
        Example::new().param("id", id).by(&self.name, &["driver"])
    }

    /// An order that is ready is offered to the driver.
    async fn offer(&self) -> Offer {
        request(self.run).await;
        self.run.step(Duration::from_secs(1)).await;
        let client: DriversClient = self.run.client();
        client.offers(&self.by(), "me".to_owned()).await.unwrap().data.pop().expect("an offer")
    }

    /// The driver takes an order so far.
    async fn carry(&self, to: Stage) -> DeliveryId {
        let (drivers, deliveries): (DriversClient, DeliveriesClient) = (self.run.client(), self.run.client());
        let offer = self.offer().await;
        drivers.accept(&self.by(), offer.id, AcceptOffer::default()).await.unwrap();
        let id = offer.deliveries[0].delivery_id;
        if to >= Stage::AtRestaurant {
            deliveries.arrived_pickup(&self.by(), id).await.unwrap();
        }
        if to >= Stage::PickedUp {
            deliveries.picked_up(&self.by(), id).await.unwrap();
        }
        if to >= Stage::AtDoor {
            deliveries.arrived_dropoff(&self.by(), id).await.unwrap();
        }
        if to >= Stage::Failed {
            let failure = Failure { reason: FailureReason::CustomerAbsent };
            deliveries.fail(&self.by(), id, failure).await.unwrap();
        }
        id
    }
}

/// A number not given out before.
fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn by(run: &TestRun, name: &str) -> Call {
    run.call_by(name, &["driver"]).keyed()
}

fn new_delivery(run: &TestRun) -> NewDelivery {
    NewDelivery {
        order_id: order_id(u128::from(fresh())),
        restaurant_id: RestaurantId::from_uuid(Uuid::from_u128(1)),
        pick_up: near(0.0),
        drop_off: near(1000.0),
        placed_at: run.clock().now(),
        ready_at: run.clock().now(),
        is_promise: false,
    }
}

async fn come(run: &TestRun, name: &str) -> Driver {
    let word = SetStatus {
        status: Presence::Available,
        available_until: None,
        location: Some(near(0.0)),
        name: None,
    };
    let client: DriversClient = run.client();
    client.set_status(&by(run, name), "me".to_owned(), word).await.unwrap().0
}

async fn request(run: &TestRun) -> Delivery {
    let client: DeliveriesClient = run.client();
    let service = run.call_by("service:orders", &["service"]).keyed();
    client.request(&service, new_delivery(run)).await.unwrap().0
}

/// An example of what a driver does with a delivery that has come so far.
async fn carried(run: &TestRun, stage: Stage) -> Example {
    let shift = Shift::begin(run).await;
    let id = shift.carry(stage).await;
    shift.example(id)
}

#[tokio::test]
async fn every_operation_keeps_its_contract() {
    let run = TestSystem::named("town").service(food_delivery::service()).stepped(MORNING).start().await;
    let service = || Example::new().by("service:orders", &["service"]);
    let report = Conformance::new(&run)
        .only(&["delivery"])
        .example("delivery.drivers.driver", async |run| {
            let shift = Shift::begin(run).await;
            shift.example(shift.driver.id)
        })
        .example("delivery.drivers.set_status", async |run| {
            let shift = Shift::begin(run).await;
            let word = json!({"status": "on_break", "location": near(10.0), "name": "Dora"});
            shift.example("me").if_match(shift.driver.version).body(word)
        })
        .example("delivery.drivers.report", async |run| {
            let points = json!({"points": [{"seq": fresh(), "lat": 52.52, "lon": 13.405}]});
            Shift::begin(run).await.example("me").body(points)
        })
        .example("delivery.drivers.offers", async |run| {
            let shift = Shift::begin(run).await;
            shift.offer().await;
            shift.example("me")
        })
        .example("delivery.drivers.deliveries", async |run| Shift::begin(run).await.example("me"))
        .example("delivery.drivers.accept", async |run| {
            let shift = Shift::begin(run).await;
            let offer = shift.offer().await;
            shift.example(offer.id).body(json!({"token": offer.token}))
        })
        .example("delivery.drivers.decline", async |run| {
            let shift = Shift::begin(run).await;
            let offer = shift.offer().await;
            shift.example(offer.id)
        })
        .example("delivery.deliveries.request", async |run| service().body(new_delivery(run)))
        .example("delivery.deliveries.cancel", async |run| {
            service().body(json!({"order_id": request(run).await.order_id}))
        })
        .example("delivery.deliveries.delivery", async |run| carried(run, Stage::Assigned).await)
        .example("delivery.deliveries.position", async |run| {
            service().param("order_id", request(run).await.order_id)
        })
        .example("delivery.deliveries.arrived_pickup", async |run| carried(run, Stage::Assigned).await)
        .example("delivery.deliveries.picked_up", async |run| carried(run, Stage::AtRestaurant).await)
        .example("delivery.deliveries.arrived_dropoff", async |run| carried(run, Stage::PickedUp).await)
        .example("delivery.deliveries.delivered", async |run| carried(run, Stage::AtDoor).await)
        .example("delivery.deliveries.fail", async |run| {
            carried(run, Stage::AtDoor).await.body(json!({"reason": "customer_absent"}))
        })
        .example("delivery.deliveries.give_back", async |run| carried(run, Stage::Failed).await)
        .example("delivery.seed_delivery.assign", async |run| {
            Shift::begin(run).await;
            // Some odd values are taken too, and without a driver the tutorial's answer is 503.
            for _ in 0..3 {
                come(run, &format!("driver-{}", fresh())).await;
            }
            Example::new().body(json!({"restaurant_id": 1, "customer_phone": "+4930123456"}))
        })
        .run()
        .await
        .unwrap();
    assert!(report.passed() > 300, "{report}");
}
