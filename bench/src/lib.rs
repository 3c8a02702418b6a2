//! What the benchmarks share: servers as child processes, a load generator, facts of the machine, medians, tables.
//!
//! Speed is a ratio to a peer that runs in the same minutes on the same machine, in CPU time per request first:
//! throughput on shared cores says more about the neighbours. Rounds of the peers alternate and medians count.
//!
//! Layout: `child` runs a server and reads its CPU time; `load` drives it; `rounds` has the arithmetic; `machine` the
//! facts; `table` writes Markdown; `orders` is the endpoint that `contract` measures, in both of its forms.
#![forbid(unsafe_code)]

mod child;
mod load;
mod machine;
pub mod orders;
mod rounds;
mod table;

/// Why a measurement failed.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

pub use child::{Child, announce, until_told};
pub use load::{Answer, Load, Tally};
pub use machine::facts;
pub use rounds::{Round, median};
pub use table::Table;
