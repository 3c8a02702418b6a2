//! What the benchmarks share: servers as child processes, a load generator, facts of the machine, medians, tables.
//!
//! Speed is a ratio to a peer that runs in the same minutes on the same machine, in CPU time per request first:
//! throughput on shared cores says more about the neighbours. Rounds of the peers alternate and medians count.
//!
//! Layout: `child` runs a server and reads its CPU time; `http` talks to it, `load` drives it, `beside`
//! asks it small things beside large ones; `rounds` has the
//! arithmetic; `machine` the facts; `table` writes Markdown; `orders` is the endpoint that `contract` measures, in both of
//! its forms; `mesh` has the callers that `mesh` compares, `gateway` the
//! gateways of `gateway`; `food` is the whole system with
//! its customers and kitchens, and the tutorial's chain beside it; `engines` compares PostgreSQL and NATS
//! with their bare drivers; `ncr` is the same for the nCr system and the tutorial's pair.
#![forbid(unsafe_code)]

mod beside;
mod child;
pub mod engines;
pub mod food;
pub mod gateway;
mod http;
mod load;
mod machine;
pub mod mesh;
pub mod ncr;
pub mod orders;
mod rounds;
mod table;

/// Why a measurement failed.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

pub use beside::{Ask, Beside, Latency, times_as_long};
pub use child::{Child, End, announce, own_cpu, until_told};
pub use http::{Answer, Connection, request};
pub use load::{Load, Tally};
pub use machine::{facts, file_system};
pub use rounds::{Round, median, rounds_and_time};
pub use table::Table;
