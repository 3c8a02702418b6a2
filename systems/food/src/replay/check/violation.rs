//! The ways to break the rules.

use std::fmt;

/// A broken rule, with whom it concerns. Times are minutes since midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A name that is no order of the day.
    UnknownOrder { order: String },
    /// A name that is no courier of the day.
    UnknownCourier { courier: String },
    /// An order of the day has no line.
    NotListed { order: String },
    /// An order has more than one line.
    ListedTwice { order: String },
    /// A line does not repeat the day's placement and ready times.
    TimesChanged { order: String },
    /// Pickup, drop-off and courier are neither all there nor all missing.
    HalfDelivered { order: String },
    /// From placement to the door takes longer than the maximum.
    ClickToDoor { order: String, minutes: i64, maximum: i64 },
    /// An order is in more than one assignment, or twice in one.
    AssignedTwice { order: String },
    /// An order is delivered and in no assignment.
    NeverAssigned { order: String },
    /// An order is assigned before anybody could know of it.
    AssignedBeforePlacement { order: String, assigned: i64, placed: i64 },
    /// A bundle is picked up before this order of it is ready.
    PickupBeforeReady { order: String, pick_up: i64, ready: i64 },
    /// A bundle is picked up after the courier's shift.
    PickupAfterShift { courier: String, pick_up: i64, off: i64 },
    /// A bundle has orders of more than one restaurant.
    SeveralRestaurants { order: String, courier: String, pick_up: i64 },
    /// An order's line disagrees with its assignment about courier or pickup.
    LineDiffers { order: String, courier: String, pick_up: i64 },
    /// A courier's drives are not one block.
    BlockSplit { courier: String },
    /// An assignment needs a drive that is not there.
    MoveMissing { courier: String, destination: String },
    /// A drive serves no assignment, or comes out of turn.
    Unassigned { courier: String, departure: i64, to: String },
    /// A drive does not start where the last one ended.
    Disconnected { courier: String, departure: i64, at: String },
    /// A drive starts before the shift.
    BeforeShift { courier: String, departure: i64, on: i64 },
    /// A drive starts before the arrival and the service before it are over.
    LeavesEarly { courier: String, departure: i64, free: i64, at: String },
    /// A drive to a restaurant starts before its assignment was made.
    BeforeAssignment { courier: String, departure: i64, assigned: i64 },
    /// A pickup is not at the later of ready time and arrival plus half a service.
    PickupTime { courier: String, pick_up: i64, expected: i64 },
    /// A drop-off is not at arrival plus half a service.
    DropOffTime { order: String, drop_off: i64, expected: i64 },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOrder { order } => write!(f, "order {order}: the day has no such order"),
            Self::UnknownCourier { courier } => write!(f, "courier {courier}: the day has no such courier"),
            Self::NotListed { order } => write!(f, "order {order}: has no line"),
            Self::ListedTwice { order } => write!(f, "order {order}: has more than one line"),
            Self::TimesChanged { order } => {
                write!(f, "order {order}: placement or ready time is not the day's")
            }
            Self::HalfDelivered { order } => {
                write!(f, "order {order}: pickup, drop-off and courier must all be there, or none of them")
            }
            Self::ClickToDoor { order, minutes, maximum } => {
                write!(f, "order {order}: {minutes} minutes from click to door, the maximum is {maximum}")
            }
            Self::AssignedTwice { order } => write!(f, "order {order}: assigned more than once"),
            Self::NeverAssigned { order } => write!(f, "order {order}: delivered without an assignment"),
            Self::AssignedBeforePlacement { order, assigned, placed } => {
                write!(f, "order {order}: assigned at {assigned}, placed at {placed}")
            }
            Self::PickupBeforeReady { order, pick_up, ready } => {
                write!(f, "order {order}: picked up at {pick_up}, ready at {ready}")
            }
            Self::PickupAfterShift { courier, pick_up, off } => {
                write!(f, "courier {courier}: picks up at {pick_up}, the shift ends at {off}")
            }
            Self::SeveralRestaurants { order, courier, pick_up } => {
                write!(
                    f,
                    "courier {courier}: order {order} of the pickup at {pick_up} is of another restaurant"
                )
            }
            Self::LineDiffers { order, courier, pick_up } => {
                write!(f, "order {order}: its line does not say that {courier} picks it up at {pick_up}")
            }
            Self::BlockSplit { courier } => write!(f, "courier {courier}: the moves are not one block"),
            Self::MoveMissing { courier, destination } => {
                write!(f, "courier {courier}: no move to {destination}, which is assigned")
            }
            Self::Unassigned { courier, departure, to } => {
                write!(f, "courier {courier}: the move at {departure} to {to} is not what is assigned next")
            }
            Self::Disconnected { courier, departure, at } => {
                write!(f, "courier {courier}: the move at {departure} must start at {at}")
            }
            Self::BeforeShift { courier, departure, on } => {
                write!(f, "courier {courier}: moves at {departure}, the shift starts at {on}")
            }
            Self::LeavesEarly { courier, departure, free, at } => {
                write!(f, "courier {courier}: leaves {at} at {departure}, is busy there until {free}")
            }
            Self::BeforeAssignment { courier, departure, assigned } => {
                write!(f, "courier {courier}: moves at {departure} for what is assigned at {assigned}")
            }
            Self::PickupTime { courier, pick_up, expected } => {
                write!(f, "courier {courier}: picks up at {pick_up}, which should be {expected}")
            }
            Self::DropOffTime { order, drop_off, expected } => {
                write!(f, "order {order}: dropped off at {drop_off}, which should be {expected}")
            }
        }
    }
}
