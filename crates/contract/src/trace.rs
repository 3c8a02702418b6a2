//! W3C trace context.

use std::fmt;
use std::str::FromStr;

/// The position of a call in its trace: `traceparent` of <https://www.w3.org/TR/trace-context/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
}

/// The header is not a `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTrace;

// === impl Trace ===

impl Trace {
    /// A new trace. Zero ids are not valid on the wire, so zeros become one.
    pub const fn new(trace_id: u128, span_id: u64) -> Self {
        Self {
            trace_id: if trace_id == 0 { 1 } else { trace_id },
            span_id: if span_id == 0 { 1 } else { span_id },
            sampled: true,
        }
    }

    /// The next span of the same trace.
    #[must_use]
    pub const fn child(self, span_id: u64) -> Self {
        let next = Self::new(self.trace_id, span_id);
        Self { sampled: self.sampled, ..next }
    }

    /// The id all spans of the trace share.
    pub const fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The id of this span.
    pub const fn span_id(self) -> u64 {
        self.span_id
    }

    /// The header's value, in ASCII.
    pub fn to_bytes(self) -> [u8; 55] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(self.trace_id, &mut text[3..35]);
        write_hex(self.span_id.into(), &mut text[36..52]);
        write_hex(u128::from(self.sampled), &mut text[53..]);
        text
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It is ASCII.
        f.write_str(std::str::from_utf8(&self.to_bytes()).unwrap_or_default())
    }
}

/// Writes a number in lower-case hexadecimal, as many digits as there is room for.
fn write_hex(mut number: u128, room: &mut [u8]) {
    for digit in room.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

impl FromStr for Trace {
    type Err = InvalidTrace;

    fn from_str(text: &str) -> Result<Self, InvalidTrace> {
        let mut parts = text.split('-');
        let (Some(version), Some(trace_id), Some(span_id), Some(flags)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidTrace);
        };
        // Later versions may append fields; version 00 has exactly four.
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return Err(InvalidTrace);
        }
        hex(version, 2)?;
        let (trace_id, span_id, flags) = (hex(trace_id, 32)?, hex(span_id, 16)?, hex(flags, 2)?);
        match u64::try_from(span_id) {
            Ok(span_id) if trace_id != 0 && span_id != 0 => {
                Ok(Self { trace_id, span_id, sampled: flags & 1 == 1 })
            }
            _ => Err(InvalidTrace),
        }
    }
}

fn hex(text: &str, digits: usize) -> Result<u128, InvalidTrace> {
    let lower = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if text.len() == digits && lower {
        u128::from_str_radix(text, 16).map_err(|_| InvalidTrace)
    } else {
        Err(InvalidTrace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_survives_a_round_trip() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(text.parse::<Trace>().unwrap().to_string(), text);
    }

    #[test]
    fn broken_headers_are_refused() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
        ] {
            assert_eq!(bad.parse::<Trace>(), Err(InvalidTrace), "{bad}");
        }
    }
}
