//! Hop-by-hop header fields: what belongs to one connection and must not travel further.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Whether a field concerns one connection (RFC 9110 section 7.6.1), or is `Expect`, which the next hop decides for itself.
fn belongs_to_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "transfer-encoding"
            | "upgrade"
            | "expect"
            | "http2-settings"
    )
}

/// Removes the fields that belong to one connection, and every field any `Connection` line names.
///
/// Do this before adding fields of one's own: a client that sends `Connection: x-user-id` must not be able to take
/// away what was added. `TE: trailers` stays, since trailers are forwarded.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // Most heads have none of them, and one look at all names is cheaper than to look for each.
    if !headers.keys().any(|name| *name == header::TE || belongs_to_hop(name)) {
        return;
    }
    let names_nothing = |line: &HeaderValue| matches!(line.as_bytes(), b"keep-alive" | b"close");
    if headers.get_all(header::CONNECTION).iter().any(|line| !names_nothing(line)) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            // Framing and addressing are ours to decide; everything else goes as the sender wishes.
            if name != header::CONTENT_LENGTH && name != header::HOST && name != header::TE {
                headers.remove(name);
            }
        }
    }
    while let Some(name) = headers.keys().find(|name| belongs_to_hop(name)).cloned() {
        headers.remove(name);
    }
    if let Some(te) = headers.remove(header::TE) {
        let trailers = te.to_str().is_ok_and(|te| te.split(',').any(|t| t.trim() == "trailers"));
        if trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
    }
}

/// Removes from trailers what decides how a message is read or where it goes: that has no business behind it (RFC 9110
/// section 6.5.1).
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    strip_hop_by_hop(trailers);
    for decides in [header::CONTENT_LENGTH, header::HOST, header::TRAILER] {
        trailers.remove(decides);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_line_counts() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-first"),
            ("connection", "X-Second"),
            ("connection", "content-length, te"),
            ("x-first", "1"),
            ("x-second", "2"),
            ("x-third", "3"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip, trailers"),
            ("content-length", "4"),
            ("upgrade", "websocket"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        strip_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        left.sort_unstable();
        assert_eq!(left, [("content-length", "4"), ("te", "trailers"), ("x-third", "3")]);
    }
}
