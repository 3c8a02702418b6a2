//! Chooses the orders and couriers of a snapshot that are worth planning, so that a round stays short.

use std::collections::HashMap;

use super::config::{Config, Overdue};
use super::problem::{is_somewhere, since};
use super::snapshot::{Order, Point, Snapshot};

/// Indices of the orders to plan: oldest first if there are too many, then in the order of the snapshot.
pub(super) fn waiting(snapshot: &Snapshot, config: &Config) -> Vec<usize> {
    let mut seen = HashMap::new();
    let mut waiting: Vec<usize> = (0..snapshot.orders.len())
        .filter(|&source| {
            let order = &snapshot.orders[source];
            let first = *seen.entry(order.id).or_insert(source) == source;
            let refused = config.overdue == Overdue::Refuse && lost(order, snapshot.now, config);
            first && !refused && is_somewhere(order.pick_up) && is_somewhere(order.drop_off)
        })
        .collect();
    if waiting.len() > config.max_orders {
        waiting.sort_by_key(|&source| (snapshot.orders[source].placed_at, source));
        waiting.truncate(config.max_orders);
        waiting.sort_unstable();
    }
    waiting
}

/// Whether not even a courier at the counter could deliver in time.
pub(super) fn lost(order: &Order, now: i64, config: &Config) -> bool {
    let travel = &config.travel;
    let pick_up = since(order.ready_at, now).max(travel.half_pickup());
    let drop_off =
        pick_up + travel.half_pickup() + travel.time(order.pick_up, order.drop_off) + travel.half_dropoff();
    drop_off - since(order.placed_at, now) > config.max_click_to_door
}

/// For each waiting order the index of its restaurant, and the places of the restaurants.
pub(super) fn restaurants(snapshot: &Snapshot, waiting: &[usize]) -> (Vec<usize>, Vec<Point>) {
    let mut index = HashMap::new();
    let mut places = Vec::new();
    let restaurant_of = (waiting.iter().map(|&source| &snapshot.orders[source]))
        .map(|order| {
            *index.entry(order.restaurant).or_insert_with(|| {
                places.push(order.pick_up);
                places.len() - 1
            })
        })
        .collect();
    (restaurant_of, places)
}

/// Indices of the couriers to plan. If there are too many, every restaurant keeps the ones who are there
/// first, in proportion to its orders.
pub(super) fn staff(
    snapshot: &Snapshot,
    config: &Config,
    waiting: &[usize],
    restaurant_of: &[usize],
    restaurants: &[Point],
) -> Vec<usize> {
    let mut seen = HashMap::new();
    let mut staff: Vec<usize> = (0..snapshot.couriers.len())
        .filter(|&source| {
            let courier = &snapshot.couriers[source];
            let first = *seen.entry(courier.id).or_insert(source) == source;
            first && courier.capacity > 0 && is_somewhere(courier.place)
        })
        .collect();
    if staff.len() <= config.max_couriers {
        return staff;
    }
    let mut kept = vec![false; snapshot.couriers.len()];
    for (restaurant, &place) in restaurants.iter().enumerate() {
        let here = || waiting.iter().zip(restaurant_of).filter(|&(_, &other)| other == restaurant);
        // Those who declined are near as a rule, and must not be the only ones left.
        let declined = here().map(|(&source, _)| snapshot.orders[source].excluded.len()).max().unwrap_or(0);
        let share = (config.max_couriers * here().count() / waiting.len()).max(1).saturating_add(declined);
        let arrival = |&source: &usize| {
            let courier = &snapshot.couriers[source];
            (since(courier.free_at, snapshot.now).max(0) + config.travel.time(courier.place, place), source)
        };
        if share < staff.len() {
            staff.select_nth_unstable_by_key(share, arrival);
        }
        staff.iter().take(share).for_each(|&source| kept[source] = true);
    }
    (0..kept.len()).filter(|&source| kept[source]).collect()
}
