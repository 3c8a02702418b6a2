//! The board where drivers and deliveries meet: rules and rows put together, always inside one transaction.

mod deliveries;
pub(crate) mod drivers;
mod offers;
mod seed;

use std::fmt;

use food_contracts::DriverId;
use food_contracts::delivery::{DriverStatus, OfferStatus};
use partie::contract::Platform;
use partie::store::Tx;

pub(crate) use self::deliveries::Act;
use crate::delivery::Step;
use crate::driver::Action;
use crate::pace::Bell;
use crate::settings::Settings;
use crate::wakes::Wakes;
use crate::{delivery, driver, news, offer, rows};

/// What all transactions share.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) settings: Settings,
    /// Wakes drivers who wait for an offer.
    pub(crate) wakes: Wakes,
    /// Wakes dispatch.
    pub(crate) bell: Bell,
}

impl Board {
    /// Ends an open offer without an acceptance: its deliveries are searched again, its driver is free again. Whoever
    /// declined or did not answer is not asked for them again. The caller writes the driver.
    pub(crate) fn release(
        &self,
        tx: &mut Tx,
        offer: &mut offer::Record,
        driver: &mut driver::Record,
        how: OfferStatus,
    ) -> Result<(), Platform> {
        let now = tx.now();
        if !offer.end(how) {
            return Ok(());
        }
        rows::one(rows::offers::end(tx, offer)?)?;
        let ids: Vec<_> = offer.offer.deliveries.iter().map(|one| one.delivery_id).collect();
        for mut record in rows::deliveries::offered(tx, offer.offer.id, &ids)? {
            sure(record.apply(Step::Unoffer, now))?;
            rows::one(rows::deliveries::update(tx, &record)?)?;
            if matches!(how, OfferStatus::Declined | OfferStatus::Expired) {
                rows::deliveries::exclude(tx, record.delivery.id, driver.driver.id)?;
            }
            if how == OfferStatus::Expired {
                news::offer_expired(tx, &record, driver.driver.id)?;
            }
        }
        if driver.driver.status == DriverStatus::Offered {
            sure(driver.apply(Action::Release))?;
        }
        self.wakes.wake(tx, driver.driver.id);
        self.bell.ring(tx);
        Ok(())
    }

    /// Withdraws what waits for the driver's answer. The caller writes the driver.
    pub(crate) fn withdraw_from(&self, tx: &mut Tx, driver: &mut driver::Record) -> Result<(), Platform> {
        match rows::offers::open_of(tx, driver.driver.id)? {
            Some(mut offer) => self.release(tx, &mut offer, driver, OfferStatus::Withdrawn),
            None => Ok(()),
        }
    }

    /// Takes a delivery off its driver. The caller writes both.
    pub(crate) fn unload(
        &self,
        tx: &mut Tx,
        record: &delivery::Record,
        driver: &mut driver::Record,
    ) -> Result<(), Platform> {
        let now = tx.now();
        rows::one(rows::assignments::end(tx, record.delivery.id, driver.driver.id, now)?)?;
        sure(driver.apply(Action::Unload))?;
        self.bell.ring(tx);
        Ok(())
    }

    /// Searches another driver for what this one has not picked up. The caller writes the driver.
    pub(crate) fn lose_driver(&self, tx: &mut Tx, driver: &mut driver::Record) -> Result<(), Platform> {
        let now = tx.now();
        for mut record in rows::deliveries::carried(tx, driver.driver.id)? {
            if record.is_before_pickup() {
                sure(record.give_up(self.settings.search, now))?;
                self.unload(tx, &record, driver)?;
                rows::one(rows::deliveries::update(tx, &record)?)?;
                news::happened(tx, &record, &driver.driver)?;
            }
        }
        Ok(())
    }
}

/// The driver of a row, who is always there.
pub(crate) fn driver_of(tx: &mut Tx, id: DriverId) -> Result<driver::Record, Platform> {
    rows::drivers::find(tx, id)?.ok_or_else(|| Platform::internal("a driver is missing"))
}

/// A step that the state was just found to allow.
pub(crate) fn sure<T, E: fmt::Debug>(step: Result<T, E>) -> Result<T, Platform> {
    step.map_err(|refused| Platform::internal(format!("a step was refused: {refused:?}")))
}
