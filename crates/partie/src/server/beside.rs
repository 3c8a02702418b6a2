//! What a service answers beside its contracts, in another protocol on the same port.

use std::sync::Arc;

use partie_contract::{BoxFuture, Request, Response};
use partie_mesh::{InFlight, Peer};

use super::Shared;

/// Something that answers part of the addresses no contract has.
pub(crate) trait Beside: Send + Sync {
    /// Whether the address is its own.
    fn has(&self, path: &str) -> bool;

    /// Answers a request to such an address.
    fn answer<'s>(
        &'s self,
        peer: Peer,
        request: Request,
        presence: Arc<InFlight>,
        shared: &'s Shared,
    ) -> BoxFuture<'s, Response>;
}
