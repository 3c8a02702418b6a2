//! Drivers: on duty they wait for an offer, take it, and drive as the day's travel model has it.

use std::time::Duration;

use food_contracts::DeliveryId;
use food_contracts::delivery::{
    AcceptOffer, DeliveriesClient, Delivery, DriversClient, Offer, Presence, SetStatus,
};
use partie::contract::Timestamp;
use tokio::task::{AbortHandle, JoinSet};

use super::agenda::{Agenda, Turn};
use super::customers::Customers;
use super::day::{self, Day};
use super::play::Action;
use super::slips::Slips;
use super::solution::Trip;
use super::stage::{Player, Stage};
use super::town::Town;
use super::{Failure, chart, failed};

/// How long a driver's phone waits for an offer before it asks again, in real time.
const WAIT: Duration = Duration::from_secs(30);

/// All drivers of a day.
#[derive(Debug)]
pub(crate) struct Drivers {
    drivers: DriversClient,
    deliveries: DeliveriesClient,
    staff: Vec<Driver>,
    /// Those who wait for an offer, and those who have left since; dropped, nobody waits any more.
    waiting: JoinSet<Answer>,
    /// How many of them still wait.
    polls: usize,
    tours: Vec<Tour>,
}

/// A driver's number, and the offer that came.
type Answer = (usize, Result<Offer, Failure>);

#[derive(Debug)]
struct Driver {
    player: Player,
    /// Where the shift began, then the last door.
    place: day::Place,
    /// Stops waiting for an offer.
    phone: Option<AbortHandle>,
}

/// A bundle on its way.
#[derive(Debug)]
struct Tour {
    trip: Trip,
    accepted: Timestamp,
}

/// One thing a driver does with one delivery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    pub(crate) courier: usize,
    tour: usize,
    pub(crate) order: usize,
    delivery: DeliveryId,
    pub(crate) what: What,
    /// Whether it is the last thing of its tour.
    is_last: bool,
}

/// What a driver does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    ArriveAtRestaurant,
    PickUp,
    ArriveAtDoor,
    Deliver,
}

// === impl Drivers ===

impl Drivers {
    pub(crate) fn new(stage: &Stage, day: &Day) -> Result<Self, Failure> {
        let driver = |(number, courier): (i32, &day::Courier)| {
            let player = stage.player(&format!("driver-{number}"), "driver")?;
            Ok(Driver { player, place: courier.place, phone: None })
        };
        let staff: Vec<_> = (1..).zip(&day.couriers).map(driver).collect::<Result<_, Failure>>()?;
        Ok(Self {
            drivers: stage.http.client(),
            deliveries: stage.http.client(),
            staff,
            waiting: JoinSet::new(),
            polls: 0,
            tours: Vec::new(),
        })
    }

    /// Waits until nothing goes on but the drivers' waiting. Gives back the offers that came meanwhile, in the order of
    /// the drivers, whichever answer was first.
    pub(crate) async fn quiet(&mut self, stage: &Stage) -> Result<Vec<(usize, Offer)>, Failure> {
        let mut offers = Vec::new();
        loop {
            let ended = tokio::select! {
                biased;
                Some(ended) = self.waiting.join_next() => ended,
                () = stage.quiet_but(self.polls) => break,
            };
            let (courier, answer) = match ended {
                Ok(answer) => answer,
                // Who has left is not counted any more.
                Err(ended) if ended.is_cancelled() => continue,
                Err(ended) => return Err(ended.into()),
            };
            self.polls -= 1;
            self.staff[courier].phone = None;
            offers.push((courier, answer?));
        }
        offers.sort_by_key(|(courier, _)| *courier);
        Ok(offers)
    }

    /// The shift begins.
    pub(crate) async fn come(&mut self, town: &Town<'_>, courier: usize) -> Result<(), Failure> {
        let given = &town.day.couriers[courier];
        let word = SetStatus {
            status: Presence::Available,
            available_until: Some(chart::at(given.off)),
            location: Some(chart::place(given.place)),
            name: None,
        };
        self.say(town, courier, word).await?;
        self.wait(courier);
        Ok(())
    }

    /// The shift is over. A driver with food on board leaves later.
    pub(crate) async fn leave(&mut self, town: &Town<'_>, courier: usize) -> Result<(), Failure> {
        let Some(phone) = self.staff[courier].phone.take() else { return Ok(()) };
        phone.abort();
        self.polls -= 1;
        let word = SetStatus { status: Presence::Offline, available_until: None, location: None, name: None };
        self.say(town, courier, word).await
    }

    async fn say(&self, town: &Town<'_>, courier: usize, word: SetStatus) -> Result<(), Failure> {
        let call = self.staff[courier].player.call();
        let said = self.drivers.set_status(&call, "me".to_owned(), word).await;
        said.map_err(|fault| failed("the shift of", &town.day.couriers[courier].name, &fault))?;
        Ok(())
    }

    /// Waits for an offer.
    fn wait(&mut self, courier: usize) {
        let driver = &mut self.staff[courier];
        let (drivers, player) = (self.drivers.clone(), driver.player.clone());
        let waiting = async move { (courier, offer(&drivers, &player).await) };
        driver.phone = Some(self.waiting.spawn(waiting));
        self.polls += 1;
    }

    /// Takes an offer at once, and plans the tour.
    pub(crate) async fn accept(
        &mut self,
        town: &Town<'_>,
        customers: &Customers,
        courier: usize,
        offer: &Offer,
        agenda: &mut Agenda<Action>,
    ) -> Result<(), Failure> {
        let (day, accepted, driver) = (town.day, town.stage.now(), &self.staff[courier]);
        let token = AcceptOffer { token: Some(offer.token) };
        let taken = self.drivers.accept(&driver.player.keyed(&offer.id), offer.id, token).await;
        taken.map_err(|fault| failed("an offer to", &day.couriers[courier].name, &fault))?;

        let (half_pickup, half_dropoff) =
            (day.parameters.pickup_service / 2, day.parameters.dropoff_service / 2);
        let number = |order| customers.number(order).ok_or("an offer of something nobody ordered");
        let bundle: Vec<(DeliveryId, usize)> = (offer.deliveries.iter())
            .map(|one| Ok((one.delivery_id, number(one.order_id)?)))
            .collect::<Result<_, &str>>()?;
        let Some(&(_, first)) = bundle.first() else { return Err("an offer of nothing".into()) };
        let last = bundle.len() - 1;
        let ready = offer.deliveries.iter().map(|one| chart::minute(one.ready_at)).max().unwrap_or(i64::MIN);

        let (tour, mut place) = (self.tours.len(), day.restaurants[day.orders[first].restaurant].place);
        let mut plan = |minute: i64, what, (delivery, order): (DeliveryId, usize), is_last| {
            let stop = Stop { courier, tour, order, delivery, what, is_last };
            // A drive of no distance ends within the minute in which it began.
            agenda.put(chart::at(minute).max(accepted), Turn::Drivers, Action::Drive(stop));
        };
        let departed = chart::minute(accepted);
        let arrival = departed + day.travel(driver.place, place);
        let picked_up = ready.max(arrival + half_pickup);
        for &one in &bundle {
            plan(arrival, What::ArriveAtRestaurant, one, false);
            plan(picked_up, What::PickUp, one, false);
        }
        let mut leaves = picked_up + half_pickup;
        for (position, &(delivery, order)) in bundle.iter().enumerate() {
            let door = day.orders[order].drop_off;
            let arrival = leaves + day.travel(place, door);
            plan(arrival, What::ArriveAtDoor, (delivery, order), false);
            plan(arrival + half_dropoff, What::Deliver, (delivery, order), position == last);
            (place, leaves) = (door, arrival + 2 * half_dropoff);
        }
        self.staff[courier].place = place;
        let trip = Trip { courier, assigned: departed, departed, picked_up, stops: Vec::new() };
        self.tours.push(Tour { trip, accepted });
        Ok(())
    }

    /// Does the next thing of a tour. What the solution will say of it is what the answer says.
    pub(crate) async fn drive(
        &mut self,
        town: &Town<'_>,
        stop: Stop,
        due: Timestamp,
        agenda: &mut Agenda<Action>,
        slips: &mut Slips,
    ) -> Result<(), Failure> {
        let name = &town.day.orders[stop.order].name;
        let delivery = self.act(stop).await.map_err(|fault| failed("the delivery of", name, &*fault))?;
        let recorded =
            |at: Option<Timestamp>| at.ok_or_else(|| format!("{:?} of {name} has no time", stop.what));
        let Tour { trip, accepted } = &mut self.tours[stop.tour];
        match stop.what {
            What::ArriveAtRestaurant => {
                let at = recorded(delivery.assigned_at)?;
                slips.compare(format_args!("assigning {name}"), *accepted, at);
                (trip.assigned, trip.departed) = (chart::minute(at), chart::minute(at));
            }
            What::PickUp => {
                let at = recorded(delivery.picked_up_at)?;
                slips.compare(format_args!("picking up {name}"), due, at);
                trip.picked_up = chart::minute(at);
            }
            What::ArriveAtDoor => {}
            What::Deliver => {
                let at = recorded(delivery.delivered_at)?;
                slips.compare(format_args!("delivering {name}"), due, at);
                trip.stops.push((stop.order, chart::minute(at)));
            }
        }
        if stop.is_last {
            self.wait(stop.courier);
            let off = chart::at(town.day.couriers[stop.courier].off);
            if off <= due {
                agenda.put(due, Turn::Drivers, Action::Leave(stop.courier));
            }
        }
        Ok(())
    }

    async fn act(&self, stop: Stop) -> Result<Delivery, Failure> {
        let (call, id) = (self.staff[stop.courier].player.keyed(&stop.delivery), stop.delivery);
        let acted = match stop.what {
            What::ArriveAtRestaurant => self.deliveries.arrived_pickup(&call, id).await,
            What::PickUp => self.deliveries.picked_up(&call, id).await,
            What::ArriveAtDoor => self.deliveries.arrived_dropoff(&call, id).await,
            What::Deliver => self.deliveries.delivered(&call, id).await,
        };
        Ok(acted?.0)
    }

    /// What was done, in the order of acceptance.
    pub(crate) fn trips(self) -> Vec<Trip> {
        self.tours.into_iter().map(|tour| tour.trip).collect()
    }
}

/// The next offer, asked for until it comes.
async fn offer(drivers: &DriversClient, player: &Player) -> Result<Offer, Failure> {
    loop {
        let offers = drivers.offers(&player.call().with_wait(WAIT), "me".to_owned()).await?;
        if let Some(offer) = offers.data.into_iter().next() {
            return Ok(offer);
        }
    }
}
