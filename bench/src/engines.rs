//! The engines of vendors beside their bare drivers.

pub mod nats;
pub mod postgres;
