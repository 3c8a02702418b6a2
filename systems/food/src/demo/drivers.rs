//! The demo drivers: they take every offer and are never far away.

use std::sync::Arc;
use std::time::Duration;

use food_contracts::Place;
use food_contracts::delivery::{
    AcceptOffer, DeliveriesClient, Delivery, DeliveryError, DeliveryStatus, DriversClient, Point, Points,
    Presence, SetStatus,
};
use food_contracts::restaurants::{ListRestaurants, RestaurantsClient};
use partie::Running;
use partie::contract::Fault;
use tokio::task::JoinSet;

use super::Person;

/// By their first names, in a circle around the restaurants.
const NAMES: [&str; 6] = ["Ada", "Grace", "Linus", "Barbara", "Edsger", "Radia"];
/// How long they look at their phone before they look up.
const GLANCE: Duration = Duration::from_secs(5);
/// How long the way to a restaurant takes, and the way to a door, in so many steps.
const TO_RESTAURANT: Duration = Duration::from_secs(3);
const TO_DOOR: Duration = Duration::from_secs(6);
const STEPS: u32 = 6;

pub(super) async fn run(running: Arc<Running>) {
    let restaurants: RestaurantsClient = running.client();
    let known = restaurants.list(&running.call(), ListRestaurants::default()).await;
    let places: Vec<Place> =
        known.map(|page| page.data).unwrap_or_default().iter().map(|one| one.location).collect();
    let mut drivers = JoinSet::new();
    for (name, home) in NAMES.iter().zip(places.iter().cycle()) {
        let person = Person {
            running: Arc::clone(&running),
            subject: format!("demo-driver-{}", name.to_lowercase()),
            role: "driver",
        };
        drivers.spawn(Driver::new(name, person, *home).work());
    }
    drivers.join_all().await;
}

struct Driver {
    name: &'static str,
    person: Person,
    place: Place,
    drivers: DriversClient,
    deliveries: DeliveriesClient,
}

impl Driver {
    fn new(name: &'static str, person: Person, place: Place) -> Self {
        let (drivers, deliveries) = (person.running.client(), person.running.client());
        Self { name, person, place, drivers, deliveries }
    }

    async fn work(mut self) {
        loop {
            if self.shift().await.is_none() {
                // Something is in the way: a drain, a full disk. It may pass.
                tokio::time::sleep(GLANCE).await;
            }
        }
    }

    /// Comes online, and drives until something goes wrong.
    async fn shift(&mut self) -> Option<()> {
        let word = SetStatus {
            status: Presence::Available,
            available_until: None,
            location: Some(self.place),
            name: Some(self.name.to_owned()),
        };
        self.drivers.set_status(&self.person.call()?, "me".to_owned(), word).await.ok()?;
        loop {
            // What was taken before comes first: it may be from before a restart.
            let taken = self.drivers.deliveries(&self.person.call()?, "me".to_owned()).await.ok()?.data;
            match taken.first() {
                Some(delivery) => self.make(delivery).await?,
                None => self.look_for_work().await?,
            }
        }
    }

    async fn look_for_work(&self) -> Option<()> {
        let call = self.person.call()?.with_wait(GLANCE);
        for offer in self.drivers.offers(&call, "me".to_owned()).await.ok()?.data {
            let accept = AcceptOffer { token: Some(offer.token) };
            // Somebody else was faster, or the customer changed their mind.
            self.drivers.accept(&self.person.act("take", offer.id)?, offer.id, accept).await.ok();
        }
        Some(())
    }

    /// Does the next thing that is to be done for a delivery.
    async fn make(&mut self, delivery: &Delivery) -> Option<()> {
        let id = delivery.id;
        // A delivery that was lost and taken again is made again from the start, under other keys.
        let once = format!("{id}-{}", delivery.assigned_at.map_or(0, |taken| taken.as_millis()));
        let done = match delivery.status {
            DeliveryStatus::Assigned | DeliveryStatus::EnRouteToPickup => {
                self.drive(delivery.pick_up, TO_RESTAURANT).await?;
                self.deliveries.arrived_pickup(&self.person.act("arrive", &once)?, id).await
            }
            DeliveryStatus::ArrivedAtPickup => {
                let done =
                    self.deliveries.picked_up(&self.person.call()?.with_key(self.fresh_key()), id).await;
                if let Err(Fault::Domain(DeliveryError::NotReady { .. })) = &done {
                    tokio::time::sleep(GLANCE / 5).await;
                    return Some(());
                }
                done
            }
            DeliveryStatus::PickedUp | DeliveryStatus::EnRouteToDropoff => {
                self.drive(delivery.drop_off, TO_DOOR).await?;
                self.deliveries.arrived_dropoff(&self.person.act("door", &once)?, id).await
            }
            DeliveryStatus::ArrivedAtDropoff => {
                self.deliveries.delivered(&self.person.act("deliver", &once)?, id).await
            }
            _ => return self.look_for_work().await,
        };
        done.ok().map(drop)
    }

    /// Goes there, and says on the way where.
    async fn drive(&mut self, to: Place, time: Duration) -> Option<()> {
        let from = self.place;
        for step in 1..=STEPS {
            tokio::time::sleep(time / STEPS).await;
            let part = f64::from(step) / f64::from(STEPS);
            let between = |from: f64, to: f64| from + (to - from) * part;
            let now = self.person.running.clock().now();
            let point = Point {
                // Later reports have greater numbers, after a restart too.
                seq: now.as_millis(),
                lat: between(from.lat, to.lat),
                lon: between(from.lon, to.lon),
                at: Some(now),
            };
            self.drivers
                .report(&self.person.call()?, "me".to_owned(), Points { points: vec![point] })
                .await
                .ok()?;
        }
        self.place = to;
        Some(())
    }

    /// The question whether the food is ready is a new one each time.
    fn fresh_key(&self) -> String {
        format!("demo-pick-up-{}", self.person.running.clock().now().as_millis())
    }
}
