//! Dispatch decides which waiting order goes to which courier.
//!
//! [`plan`] is a pure function over a [`Snapshot`], called once a round. It plans all waiting orders on all
//! couriers, busy ones included, and returns only the assignments that cannot wait for the next round:
//!
//! 1. **Build.** Each order, in the order of readiness, goes to the place where it costs least: alone, or
//!    into a bundle of its restaurant; on an idle courier, or behind the trips a busy courier still has to
//!    make. An order may thus wait for a near courier who is free soon instead of pulling a far idle one.
//! 2. **Match.** An optimal matching gives whole chains of trips to couriers.
//! 3. **Improve.** A few related orders are taken out and put back, a bounded number of times; then match
//!    again.
//! 4. **Commit.** Of a plan, only first trips of idle couriers are final, and of these only the ones that
//!    would be late if they left a round later. Everything else stays open, because early commitment wastes
//!    couriers.
//!
//! The cost of a plan is lateness against an instant pickup at the ready time and a direct drive, weighted
//! with the age of the order ([`Config::age_weight`]). Bundles need no rule of their own: driving twice costs
//! nothing while couriers are plenty and delays everybody behind when they are few, so bundles grow with the
//! pressure. Ties, which are most decisions of a quiet hour, go to the courier whose place is worth least,
//! measured by where orders come from ([`Snapshot::demand`]).
//!
//! No order is starved: the oldest one that can no longer arrive within [`Config::max_click_to_door`] gets
//! the next courier who can take it, whatever else waits. (With [`Overdue::Refuse`] such orders leave the
//! plan instead.)
//!
//! Same snapshot, same answer: no clock and no unseeded randomness. It is total: odd input makes a poor plan,
//! never a panic. It reads no future: an order is unknown until it is in the snapshot.
//!
//! Commitment has one stage for now. A second one (send a courier to a restaurant, fix the bundle there)
//! belongs into `commit`; prepositioning (a trip without orders) belongs beside it.
//!
//! The problem is that of Reyes et al., "The Meal Delivery Routing Problem" (2018), whose rounds of bundling
//! and matching this replaces; taking out and putting back follows Shaw (1998) and Schrimpf et al. (2000).

mod commit;
mod config;
mod insertion;
mod matching;
mod problem;
mod random;
mod route;
mod search;
mod selection;
pub mod simulate;
mod snapshot;
mod travel;

#[cfg(test)]
mod tests;

pub use config::{Config, Overdue};
pub use snapshot::{Assignment, Courier, Order, Point, Snapshot, Stop};
pub use travel::TravelModel;

/// The assignments to offer now, at most one a courier and one an order, in the order of
/// [`Snapshot::couriers`].
///
/// Orders that are not in the answer are to be handed in again next round; nothing is remembered in between.
#[must_use]
pub fn plan(snapshot: &Snapshot, config: &Config) -> Vec<Assignment> {
    // Nothing can be committed without an idle courier, so a rush costs nothing until somebody is free.
    if snapshot.orders.is_empty() || !snapshot.couriers.iter().any(|courier| courier.idle) {
        return Vec::new();
    }
    let problem = problem::Problem::new(snapshot, config);
    let plan = search::search(&problem);
    commit::commit(&problem, &plan)
}
