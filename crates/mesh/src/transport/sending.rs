//! A request as one attempt takes it to an instance.

use std::time::Instant;

use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use partie_contract::wire;

use crate::stack::KeepHost;

/// A request on its way to an instance: all but its body, which can only be read once. Attempts share it; what each of them
/// says of itself is beside it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending<'a> {
    pub(crate) head: &'a Parts,
    /// When it leaves.
    pub(crate) at: Instant,
    /// Which attempt it is, from 1.
    pub(crate) attempt: u32,
    /// How many milliseconds of the deadline are left, measured as late as possible.
    pub(crate) left: u64,
    /// The service it is for, if whoever is there is to make sure that he is it.
    pub(crate) to: Option<&'a HeaderValue>,
}

/// What each hop says anew, whatever the one before it said.
static OWN: [HeaderName; 5] =
    [wire::TIMEOUT_MS, wire::ATTEMPT, wire::TO, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

// === impl Sending ===

impl Sending<'_> {
    /// The fields of the head that go on as they are. `host` says whether the instance is told its own.
    pub(super) fn fields(&self, host: bool) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.head
            .headers
            .iter()
            .filter(move |(name, _)| !(OWN.contains(name) || host && **name == header::HOST))
    }

    /// This attempt's own fields, its framing excepted. `introduce` says whether the other side is to hear who it is for.
    pub(super) fn each_own(&self, introduce: bool, mut field: impl FnMut(HeaderName, &[u8])) {
        let mut digits = itoa::Buffer::new();
        field(wire::TIMEOUT_MS, digits.format(self.left).as_bytes());
        if self.attempt > 1 {
            field(wire::ATTEMPT, digits.format(self.attempt).as_bytes());
        }
        if let Some(to) = self.to.filter(|_| introduce) {
            field(wire::TO, to.as_bytes());
        }
    }

    /// Whether the service is to see the `Host` the client asked for.
    pub(super) fn keeps_host(&self) -> bool {
        self.head.extensions.get::<KeepHost>().is_some() && self.head.headers.contains_key(header::HOST)
    }
}
