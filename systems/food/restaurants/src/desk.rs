//! The contracts, implemented: each operation is one transaction that puts rules and rows together.

mod listing;
mod restaurants;
mod seed;
mod tickets;

use std::time::Duration;

use food_contracts::delivery::DeliveryPickedUp;
use partie::Start;
use partie::contract::{Abort, BoxError, NoProblem, Outcome};
use partie::store::{Store, Tx};

use crate::demo;
use crate::kitchen::{self, ExpireTicket};
use crate::settings::Settings;

/// What answers for all restaurants.
#[derive(Debug)]
pub(crate) struct RestaurantDesk {
    store: Store,
    /// How long a kitchen has to answer.
    ticket_accept: Duration,
}

impl RestaurantDesk {
    /// Opens for business.
    pub(crate) async fn start(s: Start) -> Result<Self, BoxError> {
        let Settings { ticket_accept, demo } = s.settings()?;
        let store = s.store();
        if demo {
            let filled: Outcome<(), NoProblem> = store.write(|tx| Ok(demo::fill(tx)?)).await;
            filled?;
        }
        Ok(Self { store, ticket_accept })
    }

    /// The driver has the food.
    pub(crate) fn picked_up(&self, tx: &mut Tx, news: &DeliveryPickedUp) -> Result<(), Abort> {
        Ok(kitchen::picked_up(tx, news.order_id)?)
    }

    /// The kitchen's time to answer is over.
    pub(crate) fn expire(&self, tx: &mut Tx, due: &ExpireTicket) -> Result<(), Abort> {
        Ok(kitchen::expire(tx, due.0)?)
    }
}
