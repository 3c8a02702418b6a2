//! Plays a day: moves time to the next thing that happens, in the system or among the players, and no further.

use indicatif::ProgressBar;
use partie::contract::Timestamp;

use super::agenda::{Agenda, Turn};
use super::customers::Customers;
use super::day::Day;
use super::drivers::{Drivers, Stop, What};
use super::kitchens::Kitchens;
use super::slips::Slips;
use super::solution::Trip;
use super::stage::Stage;
use super::town::Town;
use super::{Failure, chart};

/// What a player is going to do. Everything by its number in the day.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// The food of an order is ready.
    Ready(usize),
    /// A driver's shift begins.
    Come(usize),
    /// A driver's shift ends.
    Leave(usize),
    /// A driver does something on a tour.
    Drive(Stop),
    /// An order is placed.
    Place(usize),
}

/// What came of a day.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) trips: Vec<Trip>,
    /// Orders whose customers see them completed.
    pub(crate) completed: usize,
    pub(crate) slips: Slips,
}

struct Play<'p> {
    town: Town<'p>,
    bar: &'p ProgressBar,
    customers: Customers,
    kitchens: Kitchens,
    drivers: Drivers,
    agenda: Agenda<Action>,
    slips: Slips,
}

/// The first minute of a day in which something happens.
pub(crate) fn begin(day: &Day) -> i64 {
    let placed = day.orders.iter().map(|order| order.placed);
    placed.chain(day.couriers.iter().map(|courier| courier.on)).min().unwrap_or(0)
}

/// Plays the day until every shift is over.
pub(crate) async fn play(stage: &Stage, day: &Day, bar: &ProgressBar) -> Result<Played, Failure> {
    let mut agenda = Agenda::new();
    for (number, order) in day.orders.iter().enumerate() {
        agenda.put(chart::at(order.placed), Turn::Customers, Action::Place(number));
    }
    for (number, courier) in day.couriers.iter().enumerate() {
        agenda.put(chart::at(courier.on), Turn::Drivers, Action::Come(number));
        agenda.put(chart::at(courier.off), Turn::Drivers, Action::Leave(number));
    }
    let mut play = Play {
        town: Town::open(stage, day).await?,
        customers: Customers::new(stage),
        kitchens: Kitchens::new(stage),
        drivers: Drivers::new(stage, day)?,
        slips: Slips::default(),
        bar,
        agenda,
    };
    play.run().await?;
    let completed = play.customers.completed().await?;
    Ok(Played { trips: play.drivers.trips(), completed, slips: play.slips })
}

// === impl Play ===

impl Play<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        loop {
            self.settle().await?;
            // One thing at a time, and all that follows from it before the next: what is first at the players is
            // first in the system, so that the same day goes the same way every time.
            while let Some((due, action)) = self.agenda.due(self.town.stage.now()) {
                self.act(due, action).await?;
                self.settle().await?;
            }
            let Some(next) = self.agenda.next() else { return Ok(()) };
            let next = self.town.stage.next_wake().map_or(next, |wake| wake.min(next));
            self.town.stage.step_to(next);
        }
    }

    /// Waits until nothing goes on, and lets those play who react to what they see: drivers to offers, kitchens to
    /// tickets.
    async fn settle(&mut self) -> Result<(), Failure> {
        let Self { town, customers, kitchens, drivers, agenda, slips, .. } = self;
        loop {
            let offers = drivers.quiet(town.stage).await?;
            for (courier, offer) in &offers {
                drivers.accept(town, customers, *courier, offer, agenda).await?;
            }
            let came = kitchens.look(town, customers, agenda, slips).await?;
            if offers.is_empty() && !came {
                return Ok(());
            }
        }
    }

    async fn act(&mut self, due: Timestamp, action: Action) -> Result<(), Failure> {
        let Self { town, bar, customers, kitchens, drivers, agenda, slips } = self;
        match action {
            Action::Place(number) => {
                customers.place(town, number, slips).await?;
                kitchens.expect(town.day.orders[number].restaurant);
            }
            Action::Ready(number) => kitchens.ready(town, number, slips).await?,
            Action::Come(courier) => drivers.come(town, courier).await?,
            Action::Leave(courier) => drivers.leave(town, courier).await?,
            Action::Drive(stop) => {
                drivers.drive(town, stop, due, agenda, slips).await?;
                match stop.what {
                    What::PickUp => kitchens.hand_over(town, stop.order).await?,
                    What::Deliver => bar.inc(1),
                    What::ArriveAtRestaurant | What::ArriveAtDoor => {}
                }
            }
        }
        Ok(())
    }
}
