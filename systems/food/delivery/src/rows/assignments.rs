//! The table `assignments`: its partial unique index is what keeps a delivery with one driver.

use food_contracts::{DeliveryId, DriverId, OfferId};
use partie::contract::Timestamp;
use partie::store::{Error, Tx};

/// Gives a delivery to a driver. A delivery that somebody carries is a unique violation.
pub(crate) fn begin(
    tx: &mut Tx,
    offer: OfferId,
    delivery: DeliveryId,
    driver: DriverId,
    position: i64,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO assignments (offer_id, delivery_id, driver_id, position, assigned_at) VALUES ($1, $2, $3, $4, $5)",
        &[&offer, &delivery, &driver, &position, &now],
    )?;
    Ok(())
}

/// Takes it back.
pub(crate) fn end(
    tx: &mut Tx,
    delivery: DeliveryId,
    driver: DriverId,
    now: Timestamp,
) -> Result<usize, Error> {
    tx.execute(
        "UPDATE assignments SET ended_at = $3 WHERE delivery_id = $1 AND driver_id = $2 AND ended_at IS NULL",
        &[&delivery, &driver, &now],
    )
}
