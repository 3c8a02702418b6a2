//! What `cargo xtask proto` writes.

pub mod math_v1;
pub mod no_package;
