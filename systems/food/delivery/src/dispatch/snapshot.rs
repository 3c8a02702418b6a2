//! What dispatch is told and what it answers.

/// A place in metres on a plane.
///
/// The live service projects latitude and longitude around the middle of its zone; a replay has such places
/// already.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Metres east.
    pub x: f64,
    /// Metres north.
    pub y: f64,
}

/// An order that waits for a courier.
#[derive(Clone, Debug)]
pub struct Order {
    /// Names the order in the answer; unique in a snapshot (of two the later one is ignored).
    pub id: u64,
    /// Orders with the same restaurant may share a trip.
    pub restaurant: u64,
    /// Where the food is picked up.
    pub pick_up: Point,
    /// Where the food goes.
    pub drop_off: Point,
    /// When the customer placed the order, milliseconds of business time.
    pub placed_at: i64,
    /// When the food is expected to be ready, milliseconds of business time.
    pub ready_at: i64,
    /// Couriers who must not be offered this order, as those who declined it.
    pub excluded: Vec<u64>,
}

/// A courier on duty.
#[derive(Clone, Debug)]
pub struct Courier {
    /// Names the courier in the answer; unique in a snapshot (of two the later one is ignored).
    pub id: u64,
    /// Where the courier is when free: now if idle, else after the last drop-off.
    pub place: Point,
    /// When the courier is free, milliseconds of business time; the past means now. A shift that starts later
    /// is given the same way.
    pub free_at: i64,
    /// Whether an offer can be made now. A busy courier takes part in the plan, but is offered nothing yet.
    pub idle: bool,
    /// End of the shift, milliseconds of business time: no pickup after it, drop-offs may be later.
    pub available_until: i64,
    /// Orders this courier carries at most; [`Config::bundle_cap`](super::Config::bundle_cap) limits it
    /// further.
    pub capacity: usize,
}

/// Everything a round of dispatch may know.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The time of this round, milliseconds of business time.
    pub now: i64,
    /// The orders placed by now without a courier.
    pub orders: Vec<Order>,
    /// The couriers on duty, idle and busy.
    pub couriers: Vec<Courier>,
    /// The restaurants of recently placed orders, one entry an order (the last hour is a good window): where
    /// the next orders are likely to come from. If empty, the waiting orders stand in.
    pub demand: Vec<Point>,
}

/// One trip of one courier: to a restaurant, then from door to door in sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The courier to offer it to.
    pub courier: u64,
    /// The restaurant of all its orders.
    pub restaurant: u64,
    /// When the food is expected to be picked up, milliseconds of business time.
    pub pick_up_at: i64,
    /// The orders in the sequence of delivery, never empty.
    pub stops: Vec<Stop>,
}

/// One drop-off of a trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The order.
    pub order: u64,
    /// When it is expected at the door, milliseconds of business time.
    pub drop_off_at: i64,
}
