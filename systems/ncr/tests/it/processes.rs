//! The system as processes: `up --processes`, with replicas that die, restart and share the work.

mod company;
mod deaths;
mod load;
mod sharing;
