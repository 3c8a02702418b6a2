//! Delivery: who brings what to whom.
//!
//! [`dispatch`] decides; it is pure and deterministic, and knows nothing of the service around it.
#![forbid(unsafe_code)]

pub mod dispatch;
