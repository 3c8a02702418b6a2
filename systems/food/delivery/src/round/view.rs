//! What a round of dispatch sees: the store's rows as a snapshot on a plane.

use std::collections::HashMap;
use std::time::Duration;

use food_contracts::delivery::{Delivery, DeliveryStatus, DriverStatus};
use food_contracts::{DeliveryId, DriverId, Place};
use partie::contract::{Platform, Timestamp};
use partie::store::Tx;

use crate::dispatch::{Courier, Order, Snapshot};
use crate::geo::Projection;
use crate::settings::Settings;
use crate::{delivery, driver, rows};

/// Orders a round looks at, oldest first; the planner takes fewer, but never one a younger one could starve.
const ORDERS: i64 = 1_000;
/// The window that tells where orders come from, and how many of it count.
const DEMAND: (Duration, i64) = (Duration::from_hours(1), 512);

/// The snapshot, and what its small numbers mean.
#[derive(Debug)]
pub(super) struct View {
    pub(super) snapshot: Snapshot,
    /// The deliveries with the versions they were seen in, by the snapshot's numbers.
    deliveries: Vec<(DeliveryId, i64)>,
    drivers: Vec<DriverId>,
}

impl View {
    /// Reads what there is. Same rows, same snapshot: deliveries by placing and id, drivers by id.
    pub(super) fn read(tx: &mut Tx, settings: &Settings) -> Result<Self, Platform> {
        // A round that comes a little after its interval plans as of the interval, or all it plans would be late by that.
        let now = tx.now() - settings.dispatch_offset;
        let waiting = rows::deliveries::searching(tx, ORDERS)?;
        let staff = rows::drivers::on_duty(tx)?;
        let around = waiting.first().map(|record| record.delivery.pick_up);
        let Some(plane) = around.map(|around| settings.projection(around)) else {
            return Ok(Self { snapshot: Snapshot::default(), deliveries: Vec::new(), drivers: Vec::new() });
        };
        let drivers: Vec<_> = staff.iter().map(|record| record.driver.id).collect();
        let numbers: HashMap<_, _> = drivers.iter().copied().zip(0_u64..).collect();
        let mut excluded: HashMap<_, Vec<u64>> = HashMap::new();
        for (delivery, driver) in rows::deliveries::exclusions(tx)? {
            if let Some(number) = numbers.get(&driver) {
                excluded.entry(delivery).or_default().push(*number);
            }
        }
        let demand = rows::deliveries::demand(tx, now - DEMAND.0, DEMAND.1)?;
        let at_doors = at_doors(tx, settings, now)?;
        let mut couriers = Vec::with_capacity(staff.len());
        for (record, number) in staff.iter().zip(0..) {
            couriers.extend(courier(tx, record, number, now, settings, &plane, &at_doors)?);
        }
        let orders = orders(&waiting, &mut excluded, &plane);
        let demand = demand.into_iter().map(|place| plane.point(place)).collect();
        Ok(Self {
            snapshot: Snapshot { now: now.as_millis(), orders, couriers, demand },
            deliveries: waiting.iter().map(|record| (record.delivery.id, record.delivery.version)).collect(),
            drivers,
        })
    }

    pub(super) fn delivery(&self, number: u64) -> Option<(DeliveryId, i64)> {
        self.deliveries.get(usize::try_from(number).ok()?).copied()
    }

    pub(super) fn driver(&self, number: u64) -> Option<DriverId> {
        self.drivers.get(usize::try_from(number).ok()?).copied()
    }
}

fn orders(
    waiting: &[delivery::Record],
    excluded: &mut HashMap<DeliveryId, Vec<u64>>,
    plane: &Projection,
) -> Vec<Order> {
    let mut restaurants = HashMap::new();
    let mut order = |(record, id): (&delivery::Record, u64)| {
        let next = restaurants.len() as u64;
        Order {
            id,
            restaurant: *restaurants.entry(record.restaurant_id).or_insert(next),
            pick_up: plane.point(record.delivery.pick_up),
            drop_off: plane.point(record.delivery.drop_off),
            placed_at: record.placed_at.as_millis(),
            ready_at: record.delivery.ready_at.as_millis(),
            excluded: excluded.remove(&record.delivery.id).unwrap_or_default(),
        }
    };
    waiting.iter().zip(0..).map(&mut order).collect()
}

/// A driver as dispatch sees it: where it is free, and when. One without a place is not seen.
fn courier(
    tx: &mut Tx,
    record: &driver::Record,
    id: u64,
    now: Timestamp,
    settings: &Settings,
    plane: &Projection,
    at_doors: &HashMap<DriverId, Timestamp>,
) -> Result<Option<Courier>, Platform> {
    let Some(here) = record.driver.location else { return Ok(None) };
    let (place, free_at) = match record.driver.status {
        DriverStatus::Offered => rows::offers::open_of(tx, record.driver.id)?
            .and_then(|offer| Some((offer.offer.deliveries.last()?.drop_off, offer.ends_at)))
            .unwrap_or((here, now)),
        DriverStatus::Busy => {
            let carried = rows::deliveries::carried(tx, record.driver.id)?;
            let ends = carried.iter().map(|record| end_of(&record.delivery, now, settings, plane));
            ends.max_by_key(|(_, at)| *at).unwrap_or((here, now))
        }
        _ => (here, at_doors.get(&record.driver.id).copied().unwrap_or(now)),
    };
    Ok(Some(Courier {
        id,
        place: plane.point(place),
        free_at: free_at.as_millis(),
        idle: record.driver.status == DriverStatus::Available && free_at <= now,
        available_until: record.driver.available_until.unwrap_or(Timestamp::MAX).as_millis(),
        capacity: record.capacity as usize,
    }))
}

/// Until when drivers are at doors where they have just dropped something off.
fn at_doors(
    tx: &mut Tx,
    settings: &Settings,
    now: Timestamp,
) -> Result<HashMap<DriverId, Timestamp>, Platform> {
    let longest = settings.after_dropoff;
    if longest.is_zero() {
        return Ok(HashMap::new());
    }
    let dropped_off = rows::deliveries::dropped_off(tx, now - longest)?;
    Ok(dropped_off.into_iter().map(|(driver, at)| (driver, at + longest)).collect())
}

/// Where and when a delivery lets its driver go.
fn end_of(
    delivery: &Delivery,
    now: Timestamp,
    settings: &Settings,
    plane: &Projection,
) -> (Place, Timestamp) {
    let travel = settings.travel();
    let after = |at: Timestamp, millis: i64| Timestamp::from_millis(at.as_millis().saturating_add(millis));
    if matches!(delivery.status, DeliveryStatus::Returning | DeliveryStatus::ArrivedAtReturn) {
        let drive = travel.time(plane.point(delivery.drop_off), plane.point(delivery.pick_up));
        return (delivery.pick_up, after(now, drive + travel.half_pickup()));
    }
    // One who is later than expected is not free before now.
    (delivery.drop_off, after(delivery.eta.unwrap_or(now).max(now), travel.half_dropoff()))
}
