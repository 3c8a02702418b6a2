//! Reads a JSON text once, along a shape, and says whether it is strict JSON that fits. It builds nothing.

use super::shape::{ARRAY, BOOLEAN, INTEGER, NULL, NUMBER, OBJECT, Shape};

/// Whole numbers of up to so many digits are exact as floats, and so are powers of ten up to that.
const EXACT_DIGITS: usize = 15;
const POWERS: [f64; EXACT_DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Where the reading is. Every step is `None` as soon as the text does not surely fit.
pub(super) struct Scan<'t> {
    text: &'t str,
    /// What was not read yet: an end of the text.
    rest: &'t [u8],
}

// === impl Scan ===

impl<'t> Scan<'t> {
    /// Whether the whole text surely fits.
    pub(super) fn takes(text: &'t str, shape: &Shape) -> bool {
        let mut scan = Self { text, rest: text.as_bytes() };
        let read = scan.next().and_then(|first| scan.value(first, shape));
        read.is_some() && scan.rest.trim_ascii_start().is_empty()
    }

    /// The value behind its first byte.
    fn value(&mut self, first: u8, shape: &Shape) -> Option<()> {
        match first {
            b'"' => {
                let (raw, escaped) = self.string()?;
                let end = self.at() - 1;
                let fits = if escaped {
                    // Rare, and the parser knows what escapes mean, and which of them mean nothing.
                    let text: String =
                        serde_json::from_str(self.text.get(end - raw.len() - 1..=end)?).ok()?;
                    shape.takes_text(&text)
                } else {
                    shape.takes_text(self.text.get(end - raw.len()..end)?)
                };
                fit(fits)
            }
            // No text goes deeper than its shape.
            b'{' => self.object(shape.reader(OBJECT)?),
            b'[' => self.array(shape.reader(ARRAY)?),
            b'-' | b'0'..=b'9' => {
                let (number, kind) = self.number()?;
                fit(shape.takes_number(number, kind))
            }
            b't' => self.word(b"rue").and_then(|()| fit(shape.takes_plain(BOOLEAN))),
            b'f' => self.word(b"alse").and_then(|()| fit(shape.takes_plain(BOOLEAN))),
            b'n' => self.word(b"ull").and_then(|()| fit(shape.takes_plain(NULL))),
            _ => None,
        }
    }

    fn object(&mut self, shape: &Shape) -> Option<()> {
        let mut seen = 0_u64;
        let mut byte = self.next()?;
        while byte != b'}' {
            fit(byte == b'"')?;
            // A name may be an alias of the parser's, or wrong; an escaped one is left to the thorough check.
            let (name, _) = self.string().filter(|(_, escaped)| !escaped)?;
            let index = shape.member(name)?;
            fit(seen & (1 << index) == 0)?;
            seen |= 1 << index;
            fit(self.next()? == b':')?;
            let first = self.next()?;
            self.value(first, &shape.members[index])?;
            byte = self.next()?;
            if byte == b',' {
                byte = self.next().filter(|byte| *byte != b'}')?;
            } else {
                fit(byte == b'}')?;
            }
        }
        fit(seen & shape.required == shape.required)
    }

    fn array(&mut self, shape: &Shape) -> Option<()> {
        let element = shape.element.as_deref()?;
        let mut count = 0_u32;
        let mut byte = self.next()?;
        while byte != b']' {
            self.value(byte, element)?;
            count += 1;
            byte = self.next()?;
            if byte == b',' {
                byte = self.next().filter(|byte| *byte != b']')?;
            } else {
                fit(byte == b']')?;
            }
        }
        fit(shape.entries.contains(f64::from(count)))
    }

    /// The next byte that is not a space.
    fn next(&mut self) -> Option<u8> {
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                byte => return Some(*byte),
            }
        }
    }

    fn word(&mut self, rest: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(rest)?;
        Some(())
    }

    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// A string behind its first quote: what is between the quotes, and whether there are escapes in it.
    fn string(&mut self) -> Option<(&'t [u8], bool)> {
        let (mut end, mut escaped) = (plain(self.rest)?, false);
        while self.rest[end] == b'\\' {
            escaped = true;
            // What is wrong with that is said elsewhere.
            fit(!self.rest[end + 1..].starts_with(b"u0000"))?;
            end += 2;
            end += plain(self.rest.get(end..)?)?;
        }
        let (raw, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix(b"\"")?;
        Some((raw, escaped))
    }

    /// A number behind its first byte, as the parser understands it, and whether it is whole.
    fn number(&mut self) -> Option<(f64, u8)> {
        let start = self.at() - 1;
        self.rest = &self.text.as_bytes()[start..];
        let negative = self.word(b"-").is_some();
        let leading_zero = self.rest.first() == Some(&b'0');
        let mut mantissa = 0;
        let whole = self.digits(&mut mantissa);
        fit(whole == 1 || (whole > 1 && !leading_zero))?;
        let (mut decimals, mut kind) = (0, INTEGER);
        if self.word(b".").is_some() {
            kind = NUMBER;
            decimals = self.digits(&mut mantissa);
            fit(decimals > 0)?;
        }
        let exponent = matches!(self.rest.first(), Some(b'e' | b'E'));
        if whole + decimals <= EXACT_DIGITS && !exponent && (mantissa != 0 || !negative) {
            // Both are exact, so their quotient is what every parser finds.
            let number = mantissa as f64 / POWERS[decimals];
            return Some((if negative { -number } else { number }, kind));
        }
        let more =
            self.rest.iter().take_while(|byte| matches!(byte, b'e' | b'E' | b'+' | b'-' | b'0'..=b'9'));
        self.rest = &self.rest[more.count()..];
        let number: serde_json::Number = serde_json::from_str(self.text.get(start..self.at())?).ok()?;
        let kind = if number.is_i64() || number.is_u64() { INTEGER } else { NUMBER };
        Some((number.as_f64()?, kind))
    }

    /// How many digits follow. They are added to the number at its end; one too long for it is not used.
    fn digits(&mut self, number: &mut u64) -> usize {
        let before = self.rest.len();
        while let Some((digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            *number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.rest = rest;
        }
        before - self.rest.len()
    }
}

/// How many bytes come before the next quote, backslash or control character, eight at a time.
fn plain(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The lowest bit that is set belongs to the first byte below the limit; those above it may err.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let (words, tail) = bytes.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let found = (quote | backslash | below(word, 0x20)) & HIGH;
        if found != 0 {
            return Some(index * 8 + (found.trailing_zeros() / 8) as usize);
        }
    }
    let found = tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
    Some(words.len() * 8 + found)
}

fn fit(fits: bool) -> Option<()> {
    fits.then_some(())
}
