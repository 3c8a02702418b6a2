//! What keeps a failure where it is: budgets, breakers, throttles, and the table that sets them.

mod breaker;
mod budget;
mod policy;
mod throttle;
mod window;

pub use self::policy::{BreakerConfig, BudgetConfig, MeshConfig, Overrides, Policy, ServicePolicy};

pub(crate) use self::breaker::{Admission, Breaker};
pub(crate) use self::budget::Budget;
pub(crate) use self::throttle::Throttle;
