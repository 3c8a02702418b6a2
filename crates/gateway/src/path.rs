//! How an address reads, and whether two readers could understand it differently.
//!
//! Nothing is repaired: what is routed is what is forwarded. But a service may tidy up what it gets, so an address that
//! has something to tidy up also has to lead to the same place [once that is done](tidied).

use partie_contract::{FaultKind, Platform};

use crate::config::Lenience;

/// What is odd about an address, as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Oddities(u8);

/// How an address reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) oddities: Oddities,
    /// Whether there is nothing to tidy up: no escapes and no parameters of segments.
    pub(crate) plain: bool,
}

// === impl Oddities ===

impl Oddities {
    const ALL: [Lenience; 6] = [
        Lenience::EscapedSlashes,
        Lenience::Backslashes,
        Lenience::DotSegments,
        Lenience::EmptySegments,
        Lenience::ControlCharacters,
        Lenience::OtherEncodings,
    ];

    /// What a route allows.
    pub(crate) fn allowed(list: &[Lenience]) -> Self {
        let mut set = Self::default();
        list.iter().for_each(|oddity| set.add(*oddity));
        set
    }

    fn add(&mut self, oddity: Lenience) {
        self.0 |= 1 << oddity as u8;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Lets an address through that has nothing but this.
    ///
    /// # Errors
    /// [`FaultKind::MalformedRequest`] names the first thing beyond that.
    pub(crate) fn permit(self, found: Self) -> Result<(), Platform> {
        let beyond = found.0 & !self.0;
        match Self::ALL.into_iter().find(|oddity| beyond & 1 << *oddity as u8 != 0) {
            None => Ok(()),
            Some(oddity) => Err(malformed(match oddity {
                Lenience::EscapedSlashes => "the address has an escaped slash",
                Lenience::Backslashes => "the address has a backslash",
                Lenience::DotSegments => "the address has a dot segment",
                Lenience::EmptySegments => "the address has an empty segment",
                Lenience::ControlCharacters => "the address has a control character",
                Lenience::OtherEncodings => "the address is not UTF-8",
            })),
        }
    }
}

/// Reads an address, in one pass.
///
/// # Errors
/// [`FaultKind::MalformedRequest`] for what is no address at all: it does not begin with a slash, or an escape is broken.
pub(crate) fn read(path: &str) -> Result<Reading, Platform> {
    let mut bytes = path.bytes();
    if bytes.next() != Some(b'/') {
        return Err(malformed("the address does not start with a slash"));
    }
    let (mut oddities, mut plain, mut high) = (Oddities::default(), true, false);
    // Of the segment so far: how long it is, and how much of it are dots.
    let (mut length, mut dots) = (0_usize, 0_usize);
    while let Some(byte) = bytes.next() {
        let character = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => {
                length += 1;
                continue;
            }
            b'/' => {
                end_segment(length, dots, &mut oddities);
                // The last one may be empty: a trailing slash is an address of its own.
                if length == 0 {
                    oddities.add(Lenience::EmptySegments);
                }
                (length, dots) = (0, 0);
                continue;
            }
            b'%' => {
                plain = false;
                let escaped = hex(bytes.next()).zip(hex(bytes.next())).map(|(high, low)| high << 4 | low);
                let escaped = escaped.ok_or_else(|| malformed("the address has a broken percent escape"))?;
                if escaped == b'/' {
                    oddities.add(Lenience::EscapedSlashes);
                }
                escaped
            }
            b';' => {
                plain = false;
                byte
            }
            byte => byte,
        };
        match character {
            b'.' => dots += 1,
            b'\\' => oddities.add(Lenience::Backslashes),
            0..=0x1F | 0x7F => oddities.add(Lenience::ControlCharacters),
            0x80.. => high = true,
            _ => {}
        }
        length += 1;
    }
    end_segment(length, dots, &mut oddities);
    if high && std::str::from_utf8(&decoded(path)).is_err() {
        oddities.add(Lenience::OtherEncodings);
    }
    Ok(Reading { oddities, plain: plain && oddities.is_empty() })
}

fn end_segment(length: usize, dots: usize, oddities: &mut Oddities) {
    if matches!(dots, 1 | 2) && length == dots {
        oddities.add(Lenience::DotSegments);
    }
}

/// The address as a reader may understand it who decodes it, takes backslashes for slashes, leaves out parameters of
/// segments, merges slashes and follows dots: all that servers are known to do.
pub(crate) fn tidied(path: &str) -> String {
    let decoded = decoded(path);
    let text = String::from_utf8_lossy(&decoded);
    let mut segments: Vec<&str> = Vec::new();
    let mut trailing = false;
    for segment in text.split(['/', '\\']) {
        let name = segment.split(';').next().unwrap_or_default();
        trailing = matches!(name, "" | "." | "..");
        match name {
            "" | "." => {}
            ".." => _ = segments.pop(),
            name => segments.push(name),
        }
    }
    let mut tidied = String::with_capacity(text.len());
    for segment in &segments {
        tidied.push('/');
        tidied.push_str(segment);
    }
    if trailing || segments.is_empty() {
        tidied.push('/');
    }
    tidied
}

fn decoded(path: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let escaped = (byte == b'%').then(|| hex(bytes.next()).zip(hex(bytes.next()))).flatten();
        decoded.push(escaped.map_or(byte, |(high, low)| high << 4 | low));
    }
    decoded
}

fn hex(digit: Option<u8>) -> Option<u8> {
    char::from(digit?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// What the client is told of an address that is none.
pub(crate) fn malformed(detail: &'static str) -> Platform {
    Platform::new(FaultKind::MalformedRequest).with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is odd about it, and what it is once tidied up.
    fn check(path: &str, odd: &[Lenience], tidy: &str) {
        let reading = read(path).unwrap();
        assert_eq!(reading.oddities, Oddities::allowed(odd), "{path}");
        assert_eq!(
            reading.oddities.is_empty(),
            partie_mesh::check_path(path).is_ok(),
            "{path}: as the mesh does"
        );
        assert_eq!(tidied(path), tidy, "{path}");
        assert!(!reading.plain || path == tidy, "{path} is not plain");
    }

    #[test]
    fn plain_addresses_are_what_they_are() {
        for path in ["/", "/orders", "/orders/", "/a/...", "/.well-known/jwks.json", "/@x:y!$&'()*+,=~"] {
            check(path, &[], path);
            assert!(read(path).unwrap().plain, "{path}");
        }
        check("/a%20b/caf%C3%A9", &[], "/a b/caf\u{e9}");
        check("/%61dmin", &[], "/admin");
        check("/admin;x=1/y", &[], "/admin/y");
        check("/a/..;/b", &[], "/b");
    }

    #[test]
    fn whatever_could_be_read_in_two_ways_is_odd() {
        use Lenience::{
            Backslashes, ControlCharacters, DotSegments, EmptySegments, EscapedSlashes, OtherEncodings,
        };
        check("//", &[EmptySegments], "/");
        check("/a//b", &[EmptySegments], "/a/b");
        check("/a/../b", &[DotSegments], "/b");
        check("/../..", &[DotSegments], "/");
        check("/a/./b/.", &[DotSegments], "/a/b/");
        check("/a/%2e%2E", &[DotSegments], "/");
        check("/a/.%2e/b", &[DotSegments], "/b");
        check("/a%2Fb%2f", &[EscapedSlashes], "/a/b/");
        check("/a%5C..\\b", &[Backslashes], "/b");
        check("/a%00%0d%7F", &[ControlCharacters], "/a\0\r\u{7f}");
        check("/%ff", &[OtherEncodings], "/\u{fffd}");
        check("/x/%2e%2e%2fadmin", &[EscapedSlashes], "/admin");
    }

    #[test]
    fn what_is_no_address_is_refused_whatever_a_route_allows() {
        for path in ["", "*", "orders", "/a%", "/a%2", "/a%zz", "/a%+1"] {
            assert_eq!(read(path).unwrap_err().kind(), FaultKind::MalformedRequest, "{path}");
        }
    }

    #[test]
    fn what_is_allowed_passes_and_the_rest_is_named() {
        let slashes = Oddities::allowed(&[Lenience::EscapedSlashes]);
        assert!(slashes.permit(read("/a%2Fb").unwrap().oddities).is_ok());
        let fault = slashes.permit(read("/a%2Fb//c").unwrap().oddities).unwrap_err();
        assert_eq!(fault.detail(), Some("the address has an empty segment"));
    }
}
