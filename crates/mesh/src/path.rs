//! What an address may look like. Decided once: what is routed is what is forwarded, byte for byte.

use partie_contract::{FaultKind, Platform};

/// Lets a path through, or says why not.
///
/// Refused is everything two readers could understand differently: escaped slashes, dots that climb, empty segments,
/// control characters. Nothing is repaired, for a repaired address is no longer the one that was checked.
///
/// # Errors
/// [`FaultKind::MalformedRequest`].
pub fn check_path(path: &str) -> Result<(), Platform> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err(malformed("the address does not start with a slash"));
    };
    if rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~')) {
        return Ok(());
    }
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        // The last one may be empty: a trailing slash is an address of its own, which no route has.
        if segment.is_empty() && segments.peek().is_some() {
            return Err(malformed("the address has an empty segment"));
        }
        check_segment(segment)?;
    }
    Ok(())
}

fn check_segment(segment: &str) -> Result<(), Platform> {
    if segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Ok(());
    }
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let plain = match byte {
            b'%' => match (hex(bytes.next()), hex(bytes.next())) {
                (Some(high), Some(low)) => match high << 4 | low {
                    b'/' | b'\\' => return Err(malformed("the address has an escaped slash")),
                    plain => plain,
                },
                _ => return Err(malformed("the address has a broken percent escape")),
            },
            b'\\' => return Err(malformed("the address has a backslash")),
            plain => plain,
        };
        if plain.is_ascii_control() {
            return Err(malformed("the address has a control character"));
        }
        decoded.push(plain);
    }
    match decoded.as_slice() {
        b"." | b".." => Err(malformed("the address has a dot segment")),
        text if std::str::from_utf8(text).is_err() => Err(malformed("the address is not UTF-8")),
        _ => Ok(()),
    }
}

fn hex(digit: Option<u8>) -> Option<u8> {
    char::from(digit?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn malformed(detail: &'static str) -> Platform {
    Platform::new(FaultKind::MalformedRequest).with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_pass() {
        for path in [
            "/",
            "/orders",
            "/api/v1/orders/0190b6c3-0000-7000-8000-000000000001",
            "/api/v1/orders/",
            "/a%20b/caf%C3%A9",
            "/.well-known/jwks.json",
            "/a/...",
            "/a;b=1,c/@x:y!$&'()*+",
        ] {
            assert!(check_path(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn whatever_could_be_read_in_two_ways_is_refused() {
        for path in [
            "",
            "*",
            "orders",
            "//",
            "/a//b",
            "/a/../b",
            "/..",
            "/.",
            "/a/./b",
            "/a/%2e%2E",
            "/a/.%2e/b",
            "/a%2Fb",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a%00",
            "/a%0d%0ab",
            "/a%7F",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%+1",
            "/%ff",
        ] {
            assert_eq!(check_path(path).unwrap_err().kind(), FaultKind::MalformedRequest, "{path}");
        }
    }
}
