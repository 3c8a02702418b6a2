//! The tutorial's way: a driver at once, or none, and nobody is asked.

use food_contracts::delivery::{DeliveryStatus, NewDelivery};
use food_contracts::seed::{SeedAssigned, SeedError};
use food_contracts::{OrderId, Place};
use partie::contract::{Outcome, Platform, Timestamp};
use partie::store::Tx;

use super::{Board, driver_of, sure};
use crate::delivery::Record;
use crate::geo::metres;
use crate::{driver, news, rows};

impl Board {
    /// Assigns the nearest driver who is free to the delivery of an order. An order that has no delivery yet is not
    /// this service's to judge, so that is a delivery of its own, from the driver's place to the driver's place.
    pub(crate) fn assign_at_once(
        &self,
        tx: &mut Tx,
        order: Option<OrderId>,
    ) -> Outcome<SeedAssigned, SeedError> {
        let now = tx.now();
        let known = order.map(|order| rows::deliveries::of_order(tx, order)).transpose()?.flatten();
        if let Some((record, driver)) = known.as_ref().and_then(|one| Some((one, one.delivery.driver_id?))) {
            return Ok(answer(record, &driver_of(tx, driver)?, now));
        }
        if known.as_ref().is_some_and(|record| record.delivery.status != DeliveryStatus::Searching) {
            return Err(nobody().into());
        }
        let near = known.as_ref().map(|record| record.delivery.pick_up);
        let (mut driver, here) = self.nearest_free(tx, known.as_ref(), near)?.ok_or_else(nobody)?;
        let record = match known {
            Some(record) => record,
            None => self.delivery_of_its_own(tx, here)?,
        };
        let id = record.delivery.id;
        let offer = self.make_offer(tx, &mut driver, &mut [record], now)?;
        sure(self.accept(tx, &driver.subject, offer, None))?;
        let record =
            rows::deliveries::find(tx, id)?.ok_or_else(|| Platform::internal("a delivery is missing"))?;
        Ok(answer(&record, &driver, now))
    }

    /// Who could be asked, the nearest first; without a place to be near to the one with the least id.
    fn nearest_free(
        &self,
        tx: &mut Tx,
        known: Option<&Record>,
        near: Option<Place>,
    ) -> Result<Option<(driver::Record, Place)>, Platform> {
        let now = tx.now();
        let excluded = rows::deliveries::exclusions(tx)?;
        let is_excluded = |driver: &driver::Record| {
            known.is_some_and(|record| excluded.contains(&(record.delivery.id, driver.driver.id)))
        };
        let free = rows::drivers::on_duty(tx)?.into_iter().filter(|driver| {
            let until = driver.driver.available_until.unwrap_or(Timestamp::MAX);
            driver.is_free() && now <= until && !is_excluded(driver)
        });
        let placed = free.filter_map(|driver| Some((driver.driver.location?, driver)));
        let away = |place: &Place| near.map_or(0.0, |near| metres(near, *place));
        let nearest = placed.min_by(|(a, _), (b, _)| away(a).total_cmp(&away(b)));
        Ok(nearest.map(|(place, driver)| (driver, place)))
    }

    fn delivery_of_its_own(&self, tx: &mut Tx, here: Place) -> Result<Record, Platform> {
        let now = tx.now();
        let new = NewDelivery {
            order_id: tx.new_id(),
            restaurant_id: tx.new_id(),
            pick_up: here,
            drop_off: here,
            placed_at: now,
            ready_at: now,
            is_promise: false,
        };
        let record = Record::new(tx.new_id(), &new, self.settings.search, now);
        rows::deliveries::insert(tx, &record)?;
        news::searching(tx, &record)?;
        Ok(record)
    }
}

fn answer(record: &Record, driver: &driver::Record, now: Timestamp) -> SeedAssigned {
    let left = record.delivery.eta.map_or(0, |eta| eta.since(now).as_secs().div_ceil(60));
    SeedAssigned {
        driver: driver.driver.name.clone(),
        eta_minutes: i64::try_from(left).unwrap_or(i64::MAX),
        tracking_id: record.delivery.order_id.to_string(),
        emoji: "🚗".to_owned(),
    }
}

fn nobody() -> SeedError {
    SeedError::NoDriversAvailable { error: "No drivers available".to_owned() }
}
