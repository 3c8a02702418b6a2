//! What other services are told: the events, each in the transaction of what it tells of.

use food_contracts::DriverId;
use food_contracts::delivery::{
    Delivery, DeliveryArrivedDropoff, DeliveryArrivedPickup, DeliveryAssigned, DeliveryDelivered,
    DeliveryFailed, DeliveryOffered, DeliveryPickedUp, DeliveryReassigned, DeliveryReturned,
    DeliverySearching, DeliveryStatus as D, DeliveryUnassigned, Driver, DriverOffline, DriverOnline,
    DriverStale, DriverStatus as S, EtaChanged, OfferExpired,
};
use partie::contract::{Event, Timestamp};
use partie::messaging::Publish as _;
use partie::store::{Error, Tx};

use crate::delivery::Record;
use crate::driver;

/// A driver is searched for a new delivery.
pub(crate) fn searching(tx: &mut Tx, record: &Record) -> Result<(), Error> {
    let Delivery { id: delivery_id, order_id, .. } = record.delivery;
    say(tx, &DeliverySearching { order_id, delivery_id })
}

/// Nobody was found in time.
pub(crate) fn unassigned(tx: &mut Tx, record: &Record) -> Result<(), Error> {
    let Delivery { id: delivery_id, order_id, .. } = record.delivery;
    say(tx, &DeliveryUnassigned { order_id, delivery_id })
}

/// The driver did not answer in time.
pub(crate) fn offer_expired(tx: &mut Tx, record: &Record, driver_id: DriverId) -> Result<(), Error> {
    let Delivery { id: delivery_id, order_id, .. } = record.delivery;
    say(tx, &OfferExpired { order_id, delivery_id, driver_id })
}

/// It is expected at another time.
pub(crate) fn eta_changed(tx: &mut Tx, record: &Record, eta: Timestamp) -> Result<(), Error> {
    let Delivery { id: delivery_id, order_id, .. } = record.delivery;
    say(tx, &EtaChanged { order_id, delivery_id, eta })
}

/// Where a delivery stands now that something happened between it and a driver. Nobody is told of a cancellation: it is
/// the order that was cancelled.
pub(crate) fn happened(tx: &mut Tx, record: &Record, driver: &Driver) -> Result<(), Error> {
    let Delivery { id: delivery_id, order_id, status, eta, picked_up_at, delivered_at, .. } = record.delivery;
    let driver_id = driver.id;
    match (status, eta, picked_up_at, delivered_at, record.failure) {
        (D::Searching, ..) => say(tx, &DeliveryReassigned { order_id, delivery_id, driver_id }),
        (D::Offered, ..) => say(tx, &DeliveryOffered { order_id, delivery_id, driver_id }),
        (D::Assigned, Some(eta), ..) => {
            let driver_name = driver.name.clone();
            say(tx, &DeliveryAssigned { order_id, delivery_id, driver_id, driver_name, eta })
        }
        (D::ArrivedAtPickup, ..) => say(tx, &DeliveryArrivedPickup { order_id, delivery_id }),
        (D::PickedUp, _, Some(at), ..) => say(tx, &DeliveryPickedUp { order_id, delivery_id, at }),
        (D::ArrivedAtDropoff, ..) => say(tx, &DeliveryArrivedDropoff { order_id, delivery_id }),
        (D::Delivered, _, _, Some(at), _) => say(tx, &DeliveryDelivered { order_id, delivery_id, at }),
        (D::Returning, .., Some(reason)) => say(tx, &DeliveryFailed { order_id, delivery_id, reason }),
        (D::Returned, ..) => say(tx, &DeliveryReturned { order_id, delivery_id }),
        _ => Ok(()),
    }
}

/// Whether a driver came or left, if the status it had before differs from the one it has. A break is neither.
pub(crate) fn presence(tx: &mut Tx, before: S, driver: &Driver) -> Result<(), Error> {
    let driver_id = driver.id;
    match (before, driver.status) {
        (before, now) if before == now => Ok(()),
        (_, S::Offline) => say(tx, &DriverOffline { driver_id }),
        (_, S::Stale) => say(tx, &DriverStale { driver_id }),
        (S::Offline | S::Stale, S::Available | S::Offered | S::Busy | S::OnBreak) => {
            say(tx, &DriverOnline { driver_id })
        }
        _ => Ok(()),
    }
}

/// An action of the driver, who is back if it was stale. Says whether it was.
pub(crate) fn heard(tx: &mut Tx, driver: &mut driver::Record) -> Result<bool, Error> {
    let (now, before) = (tx.now(), driver.driver.status);
    let is_back = driver.hear(now);
    presence(tx, before, &driver.driver)?;
    Ok(is_back)
}

fn say<E: Event>(tx: &mut Tx, event: &E) -> Result<(), Error> {
    tx.publish(event)?;
    Ok(())
}
