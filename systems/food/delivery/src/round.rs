//! A round of dispatch: what is there, what to do about it, and the offers that follow.

mod view;

use food_contracts::delivery::{DeliveryStatus, DriverStatus};
use partie::contract::{Outcome, Platform, Timestamp};
use partie::store::Tx;

use self::view::View;
use crate::board::{Board, driver_of};
use crate::desk::DeliveryDesk;
use crate::dispatch::{self, Assignment};
use crate::rows;

impl DeliveryDesk {
    /// One round. Says how many offers were made.
    ///
    /// Dispatch thinks outside any transaction, so what it thought of may be gone when it is done: such an assignment
    /// is dropped, and its deliveries take part in the next round.
    ///
    /// # Errors
    /// When the store or the compute pool cannot take it.
    pub(crate) async fn round(&self) -> Result<usize, Platform> {
        let board = self.board.clone();
        let view: Outcome<View> = self.store.read(move |tx| Ok(View::read(tx, &board.settings)?)).await;
        let view = plain(view)?;
        let config = self.board.settings.dispatch();
        let thinking = self.compute.run(move || {
            let answer = dispatch::plan(&view.snapshot, &config);
            (view, answer)
        });
        let (view, answer) = thinking.await.map_err(Platform::internal)?;
        if answer.is_empty() {
            return Ok(0);
        }
        let board = self.board.clone();
        let made: Outcome<usize> = self
            .store
            .write(move |tx| {
                let mut made = 0;
                for assignment in &answer {
                    made += usize::from(board.offer(tx, &view, assignment)?);
                }
                Ok(made)
            })
            .await;
        plain(made)
    }
}

impl Board {
    /// Offers a bundle to a driver, if all of it is still as it was seen.
    fn offer(&self, tx: &mut Tx, view: &View, assignment: &Assignment) -> Result<bool, Platform> {
        let Some(driver) = view.driver(assignment.courier) else { return Ok(false) };
        let mut driver = driver_of(tx, driver)?;
        if driver.driver.status != DriverStatus::Available {
            return Ok(false);
        }
        let mut records = Vec::with_capacity(assignment.stops.len());
        for stop in &assignment.stops {
            let Some((id, version)) = view.delivery(stop.order) else { return Ok(false) };
            let found = rows::deliveries::find(tx, id)?;
            let same = |record: &crate::delivery::Record| {
                record.delivery.status == DeliveryStatus::Searching && record.delivery.version == version
            };
            match found.filter(same) {
                Some(record) => records.push(record),
                None => return Ok(false),
            }
        }
        let Some(last) = assignment.stops.last() else { return Ok(false) };
        let ends_at = Timestamp::from_millis(last.drop_off_at + self.settings.travel().half_dropoff());
        self.make_offer(tx, &mut driver, &mut records, ends_at)?;
        Ok(true)
    }
}

/// An outcome without problems has only faults.
pub(crate) fn plain<T>(outcome: Outcome<T>) -> Result<T, Platform> {
    outcome.map_err(|fault| partie::contract::Abort::from(fault).into_platform())
}
