//! The nCr system as it ships, the tutorial's pair in Python, and who asks them.

mod pair;
mod program;
mod questions;

pub use pair::Pair;
pub use program::{Form, Program};
pub use questions::{Rate, SMALL_AND_LARGE, saturate};
