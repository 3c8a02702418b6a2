//! Tests of the store, through its public face.

mod crash;
mod group;
mod keyed;
mod model;
mod open;
mod support;
mod transaction;
