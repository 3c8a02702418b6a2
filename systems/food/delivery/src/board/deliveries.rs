//! What becomes of deliveries: asked for, carried, withdrawn.

use food_contracts::delivery::{
    Delivery, DeliveryError, DeliveryStatus, DriverStatus, FailureReason, NewDelivery, OfferStatus,
};
use food_contracts::{DeliveryId, OrderId, Place};
use partie::contract::{Created, NoContent, Outcome, Platform, Timestamp, Versioned};
use partie::store::Tx;

use super::{Board, driver_of, sure};
use crate::delivery::{Record, Step};
use crate::itinerary::{self, Start};
use crate::{driver, news, rows};

/// What a driver does with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    ArrivePickup,
    PickUp,
    ArriveDropoff,
    Deliver,
    Fail(FailureReason),
    GiveBack,
}

impl Board {
    /// A delivery to make, once for each order. Asked for again, it is the same one; what may change is when the food
    /// is ready.
    pub(crate) fn request(
        &self,
        tx: &mut Tx,
        new: &NewDelivery,
    ) -> Outcome<Created<Delivery>, DeliveryError> {
        if rows::deliveries::is_cancelled(tx, new.order_id)? {
            return Err(DeliveryError::Compensated.into());
        }
        if let Some(mut known) = rows::deliveries::of_order(tx, new.order_id)? {
            if known.delivery.status == DeliveryStatus::Cancelled {
                return Err(DeliveryError::Compensated.into());
            }
            self.retime(tx, &mut known, new.ready_at)?;
            return Ok(Created(known.delivery));
        }
        let mut record = Record::new(tx.new_id(), new, self.settings.search, tx.now());
        if let Some(ready_at) = rows::deliveries::ready_since(tx, new.order_id)? {
            record.delivery.ready_at = ready_at;
        }
        rows::deliveries::insert(tx, &record)?;
        news::searching(tx, &record)?;
        self.bell.ring(tx);
        Ok(Created(record.delivery))
    }

    /// The kitchen promises the food of an order for that time. News of a promise may come after that of its keeping.
    pub(crate) fn promised(&self, tx: &mut Tx, order: OrderId, for_when: Timestamp) -> Result<(), Platform> {
        match rows::deliveries::of_order(tx, order)? {
            Some(mut record) if rows::deliveries::ready_since(tx, order)?.is_none() => {
                self.retime(tx, &mut record, for_when)
            }
            _ => Ok(()),
        }
    }

    /// The food of an order is ready. That is remembered for a delivery which is not asked for yet.
    pub(crate) fn ready(&self, tx: &mut Tx, order: OrderId, at: Timestamp) -> Result<(), Platform> {
        rows::deliveries::note_ready(tx, order, at)?;
        match rows::deliveries::of_order(tx, order)? {
            Some(mut record) => self.retime(tx, &mut record, at),
            None => Ok(()),
        }
    }

    /// The food is ready at another time than was thought, for whoever waits for it.
    fn retime(&self, tx: &mut Tx, record: &mut Record, ready_at: Timestamp) -> Result<(), Platform> {
        if record.retime(ready_at) {
            rows::one(rows::deliveries::update(tx, record)?)?;
            if let Some(driver) = record.delivery.driver_id {
                let driver = driver_of(tx, driver)?;
                self.expect_trip(tx, &driver)?;
                *record = again(tx, record.delivery.id)?;
            }
            self.bell.ring(tx);
        }
        Ok(())
    }

    /// The order is off. What was never asked for will not be made; what is over stays as it ended.
    pub(crate) fn cancel(&self, tx: &mut Tx, order: OrderId) -> Outcome<NoContent, DeliveryError> {
        let now = tx.now();
        let Some(mut record) = rows::deliveries::of_order(tx, order)? else {
            rows::deliveries::cancel_ahead(tx, order, now)?;
            return Ok(NoContent);
        };
        match record.delivery.status {
            DeliveryStatus::Cancelled | DeliveryStatus::UnassignedTimeout => return Ok(NoContent),
            DeliveryStatus::Offered => self.withdraw(tx, &mut record)?,
            _ => {}
        }
        let carrier = record.delivery.driver_id;
        record.apply(Step::Cancel, now)?;
        if let Some(driver) = carrier {
            let mut driver = driver_of(tx, driver)?;
            self.unload(tx, &record, &mut driver)?;
            rows::one(rows::drivers::update(tx, &driver)?)?;
            self.wakes.wake(tx, driver.driver.id);
        }
        rows::one(rows::deliveries::update(tx, &record)?)?;
        Ok(NoContent)
    }

    /// Takes the whole offer back that the delivery is part of.
    fn withdraw(&self, tx: &mut Tx, record: &mut Record) -> Result<(), Platform> {
        let offer = record.offer_id.map(|id| rows::offers::find(tx, id)).transpose()?.flatten();
        let mut offer = offer.ok_or_else(|| Platform::internal("an offered delivery without an offer"))?;
        let mut driver = driver_of(tx, offer.driver_id)?;
        self.release(tx, &mut offer, &mut driver, OfferStatus::Withdrawn)?;
        rows::one(rows::drivers::update(tx, &driver)?)?;
        *record = again(tx, record.delivery.id)?;
        Ok(())
    }

    /// What a driver does with a delivery of its own. Those of others are not there.
    pub(crate) fn act(
        &self,
        tx: &mut Tx,
        subject: &str,
        id: DeliveryId,
        act: Act,
    ) -> Outcome<Versioned<Delivery>, DeliveryError> {
        let now = tx.now();
        let mut driver = rows::drivers::of_subject(tx, subject)?.ok_or(DeliveryError::NotFound)?;
        let found = rows::deliveries::find(tx, id)?;
        let mut record =
            found.filter(|record| record.is_carried_by(driver.driver.id)).ok_or(DeliveryError::NotFound)?;
        let before = driver.driver.status;
        match act {
            Act::ArrivePickup => record.apply(Step::ArrivePickup, now)?,
            Act::PickUp => {
                let is_said = rows::deliveries::ready_since(tx, record.delivery.order_id)?.is_some();
                record.pick_up(is_said, now)?;
            }
            Act::ArriveDropoff => {
                record.apply(Step::ArriveDropoff, now)?;
                if is_behind_others(tx, &record, &driver)? {
                    return Err(DeliveryError::OutOfSequence.into());
                }
            }
            Act::Deliver => record.apply(Step::Deliver, now)?,
            Act::Fail(_) if record.is_before_pickup() => {
                record.give_up(self.settings.search, now)?;
                rows::deliveries::exclude(tx, id, driver.driver.id)?;
            }
            Act::Fail(reason) => record.fail(reason, now)?,
            Act::GiveBack => record.give_back(now)?,
        }
        news::heard(tx, &mut driver)?;
        if let Some(place) = place_of(&record, act) {
            driver.seen_at(place, now);
        }
        if record.is_over() || record.delivery.status == DeliveryStatus::Searching {
            self.unload(tx, &record, &mut driver)?;
        }
        rows::one(rows::deliveries::update(tx, &record)?)?;
        rows::one(rows::drivers::update(tx, &driver)?)?;
        news::happened(tx, &record, &driver.driver)?;
        if before != driver.driver.status && driver.driver.status == DriverStatus::Available {
            self.bell.ring(tx);
        }
        if let Some(start) = start_of_rest(&record, act) {
            self.expect_rest(tx, &driver, start)?;
        }
        Ok(Versioned(again(tx, id)?.delivery))
    }

    /// Says anew when the doors are reached that are still ahead, once all food is in hand.
    fn expect_rest(&self, tx: &mut Tx, driver: &driver::Record, start: Start) -> Result<(), Platform> {
        let ahead = rows::deliveries::carried(tx, driver.driver.id)?;
        if ahead.iter().any(Record::is_before_pickup) {
            return Ok(());
        }
        self.expect(tx, ahead, start)
    }

    /// Says anew when the doors are reached, while food is still waited for.
    fn expect_trip(&self, tx: &mut Tx, driver: &driver::Record) -> Result<(), Platform> {
        let ahead = rows::deliveries::carried(tx, driver.driver.id)?;
        let missing = ahead.iter().filter(|record| record.is_before_pickup());
        let Some(last) = missing.max_by_key(|record| record.delivery.ready_at) else { return Ok(()) };
        let Delivery { pick_up, ready_at, .. } = last.delivery;
        let from = driver.driver.location.unwrap_or(pick_up);
        self.expect(tx, ahead, Start::ToPickUp { from, pick_up, ready_at })
    }

    fn expect(&self, tx: &mut Tx, mut ahead: Vec<Record>, start: Start) -> Result<(), Platform> {
        let now = tx.now();
        ahead.retain(Record::shows_driver);
        let doors: Vec<_> = ahead.iter().map(|record| record.delivery.drop_off).collect();
        let etas = itinerary::arrivals(&self.settings, start, &doors, now);
        for (record, eta) in ahead.iter_mut().zip(etas) {
            if record.delivery.eta != Some(eta) {
                record.expect(eta);
                rows::one(rows::deliveries::update(tx, record)?)?;
                news::eta_changed(tx, record, eta)?;
            }
        }
        Ok(())
    }

    /// A search that found nobody.
    pub(crate) fn time_out(&self, tx: &mut Tx, mut record: Record) -> Result<(), Platform> {
        let now = tx.now();
        sure(record.apply(Step::TimeOut, now))?;
        rows::one(rows::deliveries::update(tx, &record)?)?;
        Ok(news::unassigned(tx, &record)?)
    }
}

/// The delivery as it is by now.
fn again(tx: &mut Tx, id: DeliveryId) -> Result<Record, Platform> {
    rows::deliveries::find(tx, id)?.ok_or_else(|| Platform::internal("a delivery is missing"))
}

/// Whether an earlier door of the bundle is still ahead. What goes back to the restaurant does not count.
fn is_behind_others(tx: &mut Tx, record: &Record, driver: &driver::Record) -> Result<bool, Platform> {
    let carried = rows::deliveries::carried(tx, driver.driver.id)?;
    let first_ahead = carried.iter().find(|one| one.offer_id == record.offer_id && one.shows_driver());
    Ok(first_ahead.is_some_and(|first| first.delivery.id != record.delivery.id))
}

/// Where a driver is who does that.
fn place_of(record: &Record, act: Act) -> Option<Place> {
    match act {
        Act::ArrivePickup | Act::PickUp | Act::GiveBack => Some(record.delivery.pick_up),
        Act::ArriveDropoff | Act::Deliver => Some(record.delivery.drop_off),
        Act::Fail(_) => None,
    }
}

/// Where the rest of the trip begins, after an act that changes it.
fn start_of_rest(record: &Record, act: Act) -> Option<Start> {
    match act {
        Act::PickUp => Some(Start::PickedUp { pick_up: record.delivery.pick_up }),
        Act::Deliver => Some(Start::Door { at: record.delivery.drop_off }),
        Act::Fail(_) if record.failure.is_some() => Some(Start::Door { at: record.delivery.drop_off }),
        _ => None,
    }
}
