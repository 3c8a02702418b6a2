//! The system as processes: `up --processes`, `serve` and `restart`.

pub(crate) mod company;
mod deaths;
mod joining;
mod keyless;
mod replicas;
mod rolling;
mod watched;
pub(crate) mod words;
