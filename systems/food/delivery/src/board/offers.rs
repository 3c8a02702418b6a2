//! What drivers answer to offers, and how offers are made.

use food_contracts::OfferId;
use food_contracts::delivery::{Offer, OfferError, OfferStatus, OfferedDelivery};
use partie::contract::{Outcome, Platform, Timestamp};
use partie::store::Tx;

use super::{Board, sure};
use crate::delivery::Step;
use crate::driver::Action;
use crate::itinerary::{self, Start};
use crate::{delivery, driver, news, offer, rows};

impl Board {
    /// Makes an offer of deliveries that are searched, in their sequence, to a driver who is available.
    pub(crate) fn make_offer(
        &self,
        tx: &mut Tx,
        driver: &mut driver::Record,
        records: &mut [delivery::Record],
        ends_at: Timestamp,
    ) -> Result<OfferId, Platform> {
        let (now, id) = (tx.now(), tx.new_id());
        let first = records.first().ok_or_else(|| Platform::internal("an offer of nothing"))?;
        let offer = Offer {
            id,
            status: OfferStatus::Open,
            token: rows::offers::next_token(tx)?,
            expires_at: now + self.settings.offer,
            restaurant_id: first.restaurant_id,
            pick_up: first.delivery.pick_up,
            deliveries: records.iter().map(offered).collect(),
        };
        rows::offers::insert(tx, &offer::Record { offer, driver_id: driver.driver.id, ends_at })?;
        for delivery in records {
            sure(delivery.apply(Step::Offer, now))?;
            delivery.offer_id = Some(id);
            rows::one(rows::deliveries::update(tx, delivery)?)?;
            news::happened(tx, delivery, &driver.driver)?;
        }
        sure(driver.apply(Action::Offer))?;
        rows::one(rows::drivers::update(tx, driver)?)?;
        self.wakes.wake(tx, driver.driver.id);
        self.bell.ring(tx);
        Ok(id)
    }

    /// The driver takes all of it.
    pub(crate) fn accept(
        &self,
        tx: &mut Tx,
        subject: &str,
        id: OfferId,
        token: Option<i64>,
    ) -> Outcome<Offer, OfferError> {
        let now = tx.now();
        let (mut offer, mut driver) = asked(tx, subject, id)?;
        offer.answerable(token, now)?;
        let ids: Vec<_> = offer.offer.deliveries.iter().map(|one| one.delivery_id).collect();
        let mut records = rows::deliveries::offered(tx, id, &ids)?;
        if !offer.end(OfferStatus::Accepted)
            || records.len() != ids.len()
            || rows::offers::end(tx, &offer)? != 1
        {
            return Err(OfferError::Taken.into());
        }

        let pick_up = offer.offer.pick_up;
        let from = driver.driver.location.unwrap_or(pick_up);
        let ready_at = records.iter().map(|record| record.delivery.ready_at).max().unwrap_or(now);
        let doors: Vec<_> = records.iter().map(|record| record.delivery.drop_off).collect();
        let etas =
            itinerary::arrivals(&self.settings, Start::ToPickUp { from, pick_up, ready_at }, &doors, now);
        for ((record, eta), position) in records.iter_mut().zip(etas).zip(0..) {
            sure(record.apply(Step::Assign, now))?;
            record.delivery.driver_id = Some(driver.driver.id);
            record.delivery.eta = Some(eta);
            rows::one(rows::deliveries::update(tx, record)?)?;
            let begun = rows::assignments::begin(tx, id, record.delivery.id, driver.driver.id, position, now);
            match begun {
                Err(error) if error.is_unique_violation() => return Err(OfferError::Taken.into()),
                begun => begun?,
            }
            news::happened(tx, record, &driver.driver)?;
        }
        news::heard(tx, &mut driver)?;
        sure(driver.accept(u32::try_from(records.len()).unwrap_or(u32::MAX)))?;
        rows::one(rows::drivers::update(tx, &driver)?)?;
        Ok(offer.offer)
    }

    /// The driver leaves it to others.
    pub(crate) fn decline(&self, tx: &mut Tx, subject: &str, id: OfferId) -> Outcome<Offer, OfferError> {
        let now = tx.now();
        let (mut offer, mut driver) = asked(tx, subject, id)?;
        offer.answerable(None, now)?;
        news::heard(tx, &mut driver)?;
        self.release(tx, &mut offer, &mut driver, OfferStatus::Declined)?;
        rows::one(rows::drivers::update(tx, &driver)?)?;
        Ok(offer.offer)
    }
}

fn offered(record: &delivery::Record) -> OfferedDelivery {
    let delivery = &record.delivery;
    OfferedDelivery {
        delivery_id: delivery.id,
        order_id: delivery.order_id,
        drop_off: delivery.drop_off,
        ready_at: delivery.ready_at,
    }
}

/// The offer and the driver it was made to. Offers to others are not there.
fn asked(tx: &mut Tx, subject: &str, id: OfferId) -> Outcome<(offer::Record, driver::Record), OfferError> {
    let driver = rows::drivers::of_subject(tx, subject)?.ok_or(OfferError::NotFound)?;
    let offer = rows::offers::find(tx, id)?.filter(|offer| offer.driver_id == driver.driver.id);
    Ok((offer.ok_or(OfferError::NotFound)?, driver))
}
