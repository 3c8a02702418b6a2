//! The tables: everything here is SQL and its conversion, nothing decides.

pub(crate) mod assignments;
pub(crate) mod deliveries;
pub(crate) mod drivers;
pub(crate) mod offers;

use partie::contract::Platform;

/// A conditional write that has to find its row as it was read.
pub(crate) fn one(changed: usize) -> Result<(), Platform> {
    if changed == 1 { Ok(()) } else { Err(Platform::internal("a row changed under its writer")) }
}
