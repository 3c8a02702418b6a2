//! Configured routes: what leads where, beyond what contracts say.
//!
//! Layout: `compile` makes them from the configuration, `index` finds the one of a request, `rule` is one of them, `choice`
//! picks one of several upstreams.

mod choice;
mod compile;
mod error;
mod index;
mod rule;

pub(crate) use self::choice::Known;
pub(crate) use self::compile::compile;
pub use self::error::ConfigError;
pub(crate) use self::index::{Found, Rules};
pub(crate) use self::rule::Rule;
