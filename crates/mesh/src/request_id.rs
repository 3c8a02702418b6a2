//! The id under which logs know a request.

use http::{HeaderMap, HeaderValue};
use partie_contract::wire;
use partie_runtime::Ids;

/// The client's id if it is plain, else a fresh one: 1 to 128 visible ASCII characters, so that it is one word of one
/// line wherever it is written.
pub fn request_id(headers: &HeaderMap, ids: &Ids) -> HeaderValue {
    // All of it is looked at, whatever comes first: without an early end it is a few steps for the whole.
    let graphic = |id: &[u8]| id.iter().fold(true, |so_far, byte| so_far & byte.is_ascii_graphic());
    let plain = |id: &&HeaderValue| (1..=128).contains(&id.len()) && graphic(id.as_bytes());
    headers.get(wire::REQUEST_ID).filter(plain).cloned().unwrap_or_else(|| fresh(ids))
}

fn fresh(ids: &Ids) -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut id = [0; 32];
    // By hand, since it is made for every request and `{:032x}` of 128 bits takes its time.
    for (digits, byte) in id.as_chunks_mut().0.iter_mut().zip(ids.trace().trace_id().to_be_bytes()) {
        *digits = [byte >> 4, byte & 0xF].map(|digit| DIGITS[usize::from(digit)]);
    }
    HeaderValue::from_bytes(&id).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}
