//! One request and its answer, as their connection sees them: the only one on HTTP/1.1, one of many on HTTP/2.

use super::socket::Phase;
use super::streams::Stream;
use crate::upgrade::Turned;

/// What a connection is told of a request.
pub(super) enum Exchange {
    Http1(Phase),
    Http2(Stream),
}

// === impl Exchange ===

impl Exchange {
    pub(super) fn is_http2(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    /// Whom to tell that a body was not read to its end. On HTTP/2 its stream is reset, and nobody else is concerned.
    pub(super) fn phase(&self) -> Option<&Phase> {
        match self {
            Self::Http1(phase) => Some(phase),
            Self::Http2(_) => None,
        }
    }

    /// The answer makes the connection a tunnel, to that connection or to a handler that has it already.
    pub(super) fn becomes_tunnel(&self, to: Option<Turned>) {
        if let Self::Http1(phase) = self {
            phase.become_tunnel(to);
        }
    }

    /// The answer was asked for its next piece, and had one or not.
    pub(super) fn asked(&self, handed: bool) {
        // On HTTP/1.1 the socket sees how its one answer goes.
        if self.is_http2() {
            Stream::asked(handed);
        }
    }

    /// All of the answer was handed to the wire.
    pub(super) fn answer_ended(&mut self) {
        match self {
            Self::Http1(phase) => phase.answer_ended(),
            Self::Http2(stream) => stream.answered(),
        }
    }

    /// The answer is gone, whole or not.
    pub(super) fn answer_dropped(&mut self, whole: bool) {
        if whole || matches!(self, Self::Http1(_)) {
            self.answer_ended();
        }
    }
}
