//! Ends what has run out: offers, searches, and drivers nobody hears of. Every end is a column, so nothing is forgotten
//! by a restart.

use std::time::Duration;

use food_contracts::delivery::OfferStatus;
use partie::contract::{Platform, Timestamp};
use partie::store::Tx;

use crate::board::{Board, driver_of, sure};
use crate::driver::Action;
use crate::{news, rows};

/// Of each kind, in one transaction; the others follow at once in the next.
const AT_ONCE: i64 = 200;
/// How long the history of places is kept.
const PLACES_KEPT: Duration = Duration::from_hours(24);

impl Board {
    /// Ends what is due by now.
    pub(crate) fn sweep(&self, tx: &mut Tx) -> Result<(), Platform> {
        let now = tx.now();
        for mut offer in rows::offers::lapsed(tx, now, AT_ONCE)? {
            let mut driver = driver_of(tx, offer.driver_id)?;
            self.release(tx, &mut offer, &mut driver, OfferStatus::Expired)?;
            rows::one(rows::drivers::update(tx, &driver)?)?;
        }
        for record in rows::deliveries::unfound(tx, now, AT_ONCE)? {
            self.time_out(tx, record)?;
        }
        for mut driver in rows::drivers::silent(tx, now - self.settings.stale, AT_ONCE)? {
            let before = driver.driver.status;
            self.withdraw_from(tx, &mut driver)?;
            sure(driver.apply(Action::Lapse))?;
            self.lose_driver(tx, &mut driver)?;
            rows::one(rows::drivers::update(tx, &driver)?)?;
            news::presence(tx, before, &driver.driver)?;
        }
        for mut driver in rows::drivers::lost(tx, now - self.settings.offline, AT_ONCE)? {
            let before = driver.driver.status;
            sure(driver.apply(Action::Retire))?;
            rows::one(rows::drivers::update(tx, &driver)?)?;
            news::presence(tx, before, &driver.driver)?;
        }
        rows::drivers::forget_places(tx, now - PLACES_KEPT, AT_ONCE)?;
        Ok(())
    }

    /// When the next thing runs out.
    pub(crate) fn next_end(&self, tx: &mut Tx) -> Result<Option<Timestamp>, Platform> {
        let [silent, lost] = rows::drivers::longest_silent(tx)?;
        let ends = [
            rows::offers::next_expiry(tx)?,
            rows::deliveries::next_search_end(tx)?,
            silent.map(|heard| heard + self.settings.stale),
            lost.map(|heard| heard + self.settings.offline),
        ];
        Ok(ends.into_iter().flatten().min())
    }
}
