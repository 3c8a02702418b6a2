//! What drivers say of themselves.

use food_contracts::delivery::{
    DeliveryStatus as D, Driver, DriverError, DriverStatus, Offer, PointTaken, Points, PointsTaken, SetStatus,
};
use partie::contract::{IfMatch, Outcome, Platform, Versioned};
use partie::store::Tx;

use super::Board;
use crate::delivery::Step;
use crate::{driver, news, rows, track};

/// Who a driver's path parameter names, for a token's subject: `me`, the subject itself, or the driver's id.
fn is_own(id: &str, subject: &str) -> bool {
    id == "me" || id == subject
}

/// The driver, if it is the caller's own. Others are not there.
pub(crate) fn own(tx: &mut Tx, id: &str, subject: &str) -> Outcome<driver::Record, DriverError> {
    let found = rows::drivers::of_subject(tx, subject)?;
    let own = found.filter(|record| is_own(id, subject) || record.driver.id.to_string() == id);
    own.ok_or_else(|| DriverError::NotFound.into())
}

/// The driver, for those who may see all.
pub(crate) fn any(tx: &mut Tx, id: &str) -> Outcome<driver::Record, DriverError> {
    let found = match id.parse() {
        Ok(id) => rows::drivers::find(tx, id)?,
        Err(_) => rows::drivers::of_subject(tx, id)?,
    };
    found.ok_or_else(|| DriverError::NotFound.into())
}

impl Board {
    /// The driver's word on itself; the first one makes the driver.
    pub(crate) fn set_status(
        &self,
        tx: &mut Tx,
        subject: &str,
        id: &str,
        word: &SetStatus,
        precondition: Option<IfMatch>,
    ) -> Outcome<Versioned<Driver>, DriverError> {
        let now = tx.now();
        let known = rows::drivers::of_subject(tx, subject)?;
        let is_new = known.is_none();
        let mut record = match known {
            None if is_own(id, subject) => {
                driver::Record::new(tx.new_id(), subject, self.settings.capacity, now)
            }
            _ => own(tx, id, subject)?,
        };
        if let Some(precondition) = precondition {
            precondition.check(record.driver.version)?;
        }
        let before = record.driver.status;
        record.set(word, now)?;
        if is_new {
            rows::drivers::insert(tx, &record)?;
        } else {
            if record.driver.status != DriverStatus::Offered {
                self.withdraw_from(tx, &mut record)?;
            }
            rows::one(rows::drivers::update(tx, &record)?)?;
        }
        news::presence(tx, before, &record.driver)?;
        self.bell.ring(tx);
        Ok(Versioned(record.driver))
    }

    /// Places the driver was at. Who moves with a delivery is on the way with it.
    pub(crate) fn report(
        &self,
        tx: &mut Tx,
        subject: &str,
        id: &str,
        points: &Points,
    ) -> Outcome<PointsTaken, DriverError> {
        let now = tx.now();
        let mut record = own(tx, id, subject)?;
        track::check(&points.points, now)?;
        let mut taken: Vec<PointTaken> = Vec::with_capacity(points.points.len());
        let was_nowhere = record.driver.location.is_none();
        for point in &points.points {
            let (answer, kept) = track::take(&mut record, point, now);
            if let Some(kept) = kept {
                rows::drivers::keep_place(tx, record.driver.id, &kept)?;
            }
            taken.push(answer);
        }
        let is_back = news::heard(tx, &mut record)?;
        rows::one(rows::drivers::update(tx, &record)?)?;
        if is_back || was_nowhere {
            self.bell.ring(tx);
        }
        if record.driver.load > 0 && taken.iter().any(|point| !point.ignored) {
            set_out(tx, &record)?;
        }
        Ok(PointsTaken { points: taken })
    }

    /// The offers that wait. Asking is an action, but not one that is written each time.
    pub(crate) fn waiting(
        &self,
        tx: &mut Tx,
        record: &driver::Record,
    ) -> Result<(Vec<Offer>, bool), Platform> {
        let now = tx.now();
        let open = rows::offers::open_of(tx, record.driver.id)?.filter(|offer| offer.waits(now));
        let is_stale = record.driver.status == DriverStatus::Stale;
        let must_write = is_stale || now.since(record.heard_at) > self.settings.stale / 3;
        Ok((open.into_iter().map(|record| record.offer).collect(), must_write))
    }

    /// The driver was heard.
    pub(crate) fn hear(&self, tx: &mut Tx, subject: &str) -> Result<(), Platform> {
        let Some(mut record) = rows::drivers::of_subject(tx, subject)? else { return Ok(()) };
        if news::heard(tx, &mut record)? {
            self.bell.ring(tx);
        }
        rows::one(rows::drivers::update(tx, &record)?)
    }
}

/// A driver who moves is on the way: to the restaurant with what is assigned, to the next door once all food of the
/// bundle is in hand.
fn set_out(tx: &mut Tx, driver: &driver::Record) -> Outcome<(), DriverError> {
    let now = tx.now();
    let mut carried = rows::deliveries::carried(tx, driver.driver.id)?;
    let all_in_hand = !carried.iter().any(|record| record.is_before_pickup());
    let mut doors = 0;
    for record in &mut carried {
        let step = match record.delivery.status {
            D::Assigned => Some(Step::SetOut),
            D::PickedUp if all_in_hand && doors == 0 => Some(Step::Leave),
            _ => None,
        };
        doors += usize::from(record.shows_driver());
        if let Some(step) = step {
            super::sure(record.apply(step, now))?;
            rows::one(rows::deliveries::update(tx, record)?)?;
        }
    }
    Ok(())
}
