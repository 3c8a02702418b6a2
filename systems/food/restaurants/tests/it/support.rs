//! A running service, and what people do with it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use food_contracts::restaurants::{
    Basket, BasketItem, ItemChange, Line, Menu, NewItem, NewRestaurant, Restaurant, RestaurantError,
    RestaurantsClient,
};
use food_contracts::seed::SeedRestaurantsClient;
use food_contracts::tickets::{AcceptTicket, NewTicket, Ticket, TicketError, TicketsClient};
use food_contracts::{ItemId, OrderId, Place, Quantity, RestaurantId, TicketId};
use partie::contract::{Call, Currency, Fault, Id, IfMatch, Money, Outcome, Timestamp};
use partie::runtime::{Clock, Stepper};
use partie::{Environment, Running, System};
use uuid::Uuid;

/// A Friday.
pub(crate) const START: &str = "2026-07-03T12:00:00Z";
pub(crate) const HERE: Place = Place { lat: 52.52, lon: 13.405 };

/// The service with an empty database, unless it was started with the demo's.
pub(crate) struct App {
    running: Arc<Running>,
    stepper: Stepper,
    count: AtomicU64,
    pub(crate) restaurants: RestaurantsClient,
    pub(crate) tickets: TicketsClient,
    pub(crate) seed: SeedRestaurantsClient,
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::launch(false, None).await
    }

    pub(crate) async fn with_demo() -> Self {
        Self::launch(true, None).await
    }

    /// With the demo's restaurants, and data that stays.
    pub(crate) async fn with_demo_in(data: &Path) -> Self {
        Self::launch(true, Some(data)).await
    }

    async fn launch(demo: bool, data: Option<&Path>) -> Self {
        let system = System::new("food").service(food_restaurants::service());
        let mut config = system.defaults().clone();
        config.ephemeral = data.is_none();
        config.data = data.map_or(config.data, Path::to_owned);
        config.gateway.listen.set_port(0);
        config.gateway.workers = Some(0);
        // Every closure runs twice and has to do the same both times.
        config.store.run_twice = true;
        config.services["restaurants"]["demo"] = demo.into();
        let (clock, stepper) = Clock::stepped(START.parse().unwrap());
        let environment = Environment { clock, ..Environment::default() };
        let running = system.launch(config, environment).await.unwrap();
        Self {
            restaurants: running.client(),
            tickets: running.client(),
            seed: running.client(),
            running,
            stepper,
            count: AtomicU64::new(1),
        }
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.running.clock().now()
    }

    pub(crate) fn step(&self, minutes: u64) {
        let busy = self.running.activity().begin();
        self.stepper.step_to(self.now() + Duration::from_secs(60 * minutes), &busy);
    }

    /// Waits until everything that follows from what was done is done.
    pub(crate) async fn settled(&self) {
        self.running.activity().quiet().await;
    }

    /// The types of the events about something, in order.
    pub(crate) async fn told(&self, subject: impl ToString) -> Vec<String> {
        let (store, subject) = (self.running.store("restaurants").unwrap(), subject.to_string());
        let sql = "SELECT type FROM partie_outbox WHERE subject = $1 ORDER BY position";
        let told: Outcome<Vec<String>> =
            store.read(move |tx| Ok(tx.query(sql, &[&subject], |row| row.get(0))?)).await;
        told.unwrap()
    }

    /// A number not given out before.
    pub(crate) fn fresh(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn order(&self) -> OrderId {
        OrderId::from_uuid(Uuid::from_u128(self.fresh().into()))
    }

    pub(crate) fn anybody(&self) -> Call {
        self.running.call()
    }

    /// A call by an owner, under a key of its own.
    pub(crate) fn owner(&self, name: &str) -> Call {
        self.by(name, "owner")
    }

    pub(crate) fn orders(&self) -> Call {
        self.by("service:orders", "service")
    }

    pub(crate) fn by(&self, name: &str, role: &str) -> Call {
        self.running.call_as(name, &[role]).unwrap().with_key(format!("key-{}", self.fresh()))
    }

    /// Opens ada's restaurant.
    pub(crate) async fn open(&self, new: NewRestaurant) -> (Restaurant, Menu) {
        let restaurant = self.restaurants.open(&self.owner("ada"), new).await.unwrap().0;
        let menu = self.menu(restaurant.id).await;
        (restaurant, menu)
    }

    pub(crate) async fn menu(&self, id: RestaurantId) -> Menu {
        self.restaurants.menu(&self.anybody(), id).await.unwrap().0
    }

    pub(crate) async fn portions(&self, id: RestaurantId) -> Option<u32> {
        self.menu(id).await.items[0].portions
    }

    pub(crate) async fn change(&self, menu: &Menu, change: ItemChange) -> Outcome<Menu, RestaurantError> {
        let cx = self.owner("ada").with_if_match(IfMatch::Version(menu.version));
        let (id, item) = (menu.restaurant_id, menu.items[0].id);
        self.restaurants.change_item(&cx, id, item, change).await.map(|menu| menu.0)
    }

    pub(crate) async fn ticket(&self, menu: &Menu, quantity: u32) -> Outcome<Ticket, TicketError> {
        self.tickets.create(&self.orders(), new_ticket(menu, self.order(), quantity)).await.map(|made| made.0)
    }

    pub(crate) async fn accept(&self, id: TicketId) -> Outcome<Ticket, TicketError> {
        let ready_by = self.now() + Duration::from_secs(900);
        self.tickets.accept(&self.owner("ada"), id, AcceptTicket { ready_by }).await.map(|ticket| ticket.0)
    }
}

pub(crate) fn new(name: &str) -> NewRestaurant {
    NewRestaurant {
        name: name.to_owned(),
        cuisine: "Italian".to_owned(),
        emoji: "🍝".to_owned(),
        location: HERE,
        hours: None,
        zone_metres: None,
        minimum: None,
        capacity: None,
        prep_minutes: 15,
        items: vec![NewItem {
            name: "Soup".to_owned(),
            price: cents(500),
            emoji: String::new(),
            portions: None,
        }],
    }
}

/// One that has that many portions of its only dish.
pub(crate) fn with_portions(portions: u32) -> NewRestaurant {
    let mut new = new("Trattoria");
    new.items[0].portions = Some(portions);
    new
}

pub(crate) fn cents(amount: i64) -> Money {
    Money::new(amount, Currency::USD).unwrap()
}

pub(crate) fn quantity(number: u32) -> Quantity {
    Quantity::try_from(number).unwrap()
}

pub(crate) fn basket(items: &[(ItemId, u32)]) -> Basket {
    let line =
        |(item_id, number): &(ItemId, u32)| BasketItem { item_id: *item_id, quantity: quantity(*number) };
    Basket { items: items.iter().map(line).collect(), drop_off: HERE }
}

/// A ticket for the first item of a menu.
pub(crate) fn new_ticket(menu: &Menu, order_id: OrderId, number: u32) -> NewTicket {
    let item = &menu.items[0];
    let line =
        Line { item_id: item.id, name: item.name.clone(), quantity: quantity(number), price: item.price };
    NewTicket { order_id, restaurant_id: menu.restaurant_id, lines: vec![line] }
}

/// The domain answer of a call that has to have one.
#[track_caller]
pub(crate) fn problem<T: std::fmt::Debug, E>(outcome: Outcome<T, E>) -> E {
    match outcome {
        Err(Fault::Domain(error)) => error,
        Err(Fault::Platform(fault)) => panic!("{fault:?}"),
        Ok(value) => panic!("{value:?}"),
    }
}

/// The code of the platform's refusal, and what is wrong with the input.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug, E: std::fmt::Debug>(
    outcome: Outcome<T, E>,
) -> (&'static str, Vec<String>) {
    match outcome {
        Err(Fault::Platform(fault)) => {
            let pointers = fault.violations().iter().map(|violation| violation.pointer.clone()).collect();
            (fault.kind().code(), pointers)
        }
        other => panic!("{other:?}"),
    }
}
