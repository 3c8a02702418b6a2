//! The callers that `mesh` compares, and the server they call.

mod callers;
pub mod upstream;
pub mod watch;

pub use callers::Caller;
