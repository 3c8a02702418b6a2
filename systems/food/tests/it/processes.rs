//! The system as processes: `up --processes`, `serve` and `restart`.

pub(crate) mod company;
mod deaths;
mod joining;
mod keyless;
mod replicas;
mod rolling;
pub(crate) mod words;
