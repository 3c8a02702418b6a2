//! The system as processes: `up --processes`, `serve` and `restart`.

mod company;
mod deaths;
mod joining;
mod rolling;
mod words;
