//! A body in chunks, as an instance sends it (RFC 9112 section 7.1).

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use super::head::{Malformed, fields};
use crate::hop::strip_trailers;

/// The longest line that says how long a chunk is, extensions included.
const LINE: usize = 4 << 10;
/// The most bytes of trailers.
const TRAILERS: usize = 16 << 10;

/// How far a body in chunks was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    /// Before the length of a chunk.
    Length,
    /// In a chunk of which so much is still to come.
    Data(u64),
    /// Behind a chunk.
    Behind,
    /// Behind the last chunk, which is empty.
    Trailers,
    /// Behind the body.
    End,
}

/// What comes next of a body.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

// === impl Chunks ===

impl Chunks {
    /// Takes the next piece out of what was read; nothing if more has to be read before.
    pub(super) fn next(&mut self, read: &mut BytesMut) -> Result<Option<Piece>, Malformed> {
        loop {
            match *self {
                Self::Length => {
                    let Some(end) = read.iter().take(LINE).position(|byte| *byte == b'\n') else {
                        return wait(read.len() < LINE, "the length of a chunk is in a line without an end");
                    };
                    *self = match length(&read[..end])? {
                        0 => Self::Trailers,
                        length => Self::Data(length),
                    };
                    read.advance(end + 1);
                }
                Self::Data(left) => {
                    if read.is_empty() {
                        return Ok(None);
                    }
                    let here = usize::try_from(left).map_or(read.len(), |left| left.min(read.len()));
                    *self = match left - here as u64 {
                        0 => Self::Behind,
                        left => Self::Data(left),
                    };
                    return Ok(Some(Piece::Data(read.split_to(here).freeze())));
                }
                Self::Behind => match (&read[..], read.len()) {
                    ([b'\r', b'\n', ..], _) => {
                        read.advance(2);
                        *self = Self::Length;
                    }
                    ([] | [b'\r'], _) => return Ok(None),
                    _ => return Err(Malformed("a chunk is longer than it says")),
                },
                Self::Trailers => return self.trailers(read),
                Self::End => return Ok(Some(Piece::End)),
            }
        }
    }

    fn trailers(&mut self, read: &mut BytesMut) -> Result<Option<Piece>, Malformed> {
        if read.starts_with(b"\r\n") {
            read.advance(2);
            *self = Self::End;
            return Ok(Some(Piece::End));
        }
        let Some(end) = read.windows(4).take(TRAILERS).position(|bytes| bytes == b"\r\n\r\n") else {
            return wait(read.len() < TRAILERS, "more trailers than are read");
        };
        let mut trailers = fields(&read.split_to(end + 4).freeze())?;
        strip_trailers(&mut trailers);
        *self = Self::End;
        Ok(Some(Piece::Trailers(trailers)))
    }
}

fn wait(may: bool, otherwise: &'static str) -> Result<Option<Piece>, Malformed> {
    if may { Ok(None) } else { Err(Malformed(otherwise)) }
}

/// The number on a line, whose last byte is to be a carriage return.
fn length(line: &[u8]) -> Result<u64, Malformed> {
    let odd = Malformed("the length of a chunk is none");
    let line = line.strip_suffix(b"\r").ok_or(odd)?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, extensions) = line.split_at(digits);
    // What an extension says is nobody's concern, if only it cannot be taken for something else.
    let extensions = extensions.trim_ascii_start();
    if !(extensions.is_empty() || extensions.starts_with(b";")) || extensions.contains(&b'\r') {
        return Err(odd);
    }
    let number = std::str::from_utf8(number).map_err(|_| odd)?;
    u64::from_str_radix(number, 16).map_err(|_| odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of a body that comes in those pieces: its data, its trailers, and what was not read of it.
    fn read(pieces: &[&[u8]]) -> Result<Option<(String, Option<HeaderMap>, String)>, Malformed> {
        let (mut chunks, mut read) = (Chunks::Length, BytesMut::new());
        let (mut data, mut trailers) = (Vec::new(), None);
        for (number, piece) in pieces.iter().enumerate() {
            read.extend_from_slice(piece);
            while let Some(piece) = chunks.next(&mut read)? {
                match piece {
                    Piece::Data(bytes) => data.extend_from_slice(&bytes),
                    Piece::Trailers(fields) => trailers = Some(fields),
                    Piece::End => {
                        read.extend_from_slice(&pieces[number + 1..].concat());
                        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                        return Ok(Some((text(&data), trailers, text(&read))));
                    }
                }
            }
        }
        Ok(None)
    }

    #[test]
    fn a_body_is_the_same_in_any_number_of_pieces() {
        for (sent, data, fields, behind) in [
            ("0\r\n\r\n", "", &[][..], ""),
            ("3\r\nabc\r\n0\r\n\r\n", "abc", &[], ""),
            ("3\r\nabc\r\n00\r\n\r\nHTTP", "abc", &[], "HTTP"),
            ("A;x=\"y\"\r\n0123456789\r\n1\r\n\n\r\n0 ;z\r\n\r\n", "0123456789\n", &[], ""),
            ("1\r\na\r\n0\r\nX-Sum: 1\r\nB: 2\r\n\r\n", "a", &[("x-sum", "1"), ("b", "2")], ""),
            ("0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n", "", &[("a", "1")], ""),
        ] {
            let bytes = sent.as_bytes();
            for cut in 0..=bytes.len() {
                let (first, second) = bytes.split_at(cut);
                let (all, trailers, left) = read(&[first, second]).unwrap().unwrap();
                assert_eq!((&*all, &*left), (data, behind), "{sent:?} cut at {cut}");
                let trailers = trailers.unwrap_or_default();
                let trailers: Vec<_> =
                    trailers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
                assert_eq!(trailers, fields, "{sent:?} cut at {cut}");
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(read(&single).unwrap().unwrap().0, data, "{sent:?} byte by byte");
            let end = bytes.len() - behind.len();
            assert_eq!(
                read(&[&bytes[..end - 1]]).unwrap().map(|_| ()),
                None,
                "{sent:?} without its last byte"
            );
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(LINE));
        let endless = "1".repeat(LINE);
        let trailers = format!("0\r\na: {}\r\n\r\n", "x".repeat(TRAILERS));
        for sent in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\na\r\n",
            "0x1\r\na\r\n",
            "1 1\r\na\r\n",
            "1\na\r\n",
            "1\r\rx\n",
            "1;a\rb\r\na\r\n",
            "10000000000000000\r\n",
            "2\r\nabc\r\n",
            "2\r\nab\n0\r\n\r\n",
            "0\r\nno field\r\n\r\n",
            "0\r\na : 1\r\n\r\n",
            "0\r\na: 1\r\n b\r\n\r\n",
            &long,
            &endless,
            &trailers,
        ] {
            assert!(read(&[sent.as_bytes()]).is_err(), "{:?}", &sent[..sent.len().min(40)]);
        }
    }
}
