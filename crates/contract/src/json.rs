//! JSON as `contract.md` wants it from outside: one meaning, bounded depth.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// How deep arrays and objects may nest.
const DEEPEST: usize = 64;
/// Below this many members a linear search beats hashing.
const FEW: usize = 16;

/// What is wrong with a text, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotStrict {
    at: usize,
    what: &'static str,
}

impl fmt::Display for NotStrict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

/// Checks what a typed parser does not: repeated keys, lone surrogates, U+0000, depth. The typed parser that follows checks
/// the rest of the grammar, so this scanner only has to follow valid JSON and must merely not stray on anything else.
pub(crate) fn check(text: &[u8]) -> Result<(), NotStrict> {
    let mut scan = Scan { text, at: 0 };
    // The keys of all open objects, the innermost last.
    let mut keys = Keys::default();
    let mut open: Vec<Open> = Vec::with_capacity(8);
    let mut expect_key = false;
    while let Some(&byte) = text.get(scan.at) {
        match byte {
            b'{' | b'[' => {
                if open.len() == DEEPEST {
                    return Err(scan.error("nested deeper than 64 levels"));
                }
                expect_key = byte == b'{';
                open.push(Open { is_object: expect_key, keys: keys.few.len(), many: false });
                scan.at += 1;
            }
            b'}' | b']' => {
                if let Some(closed) = open.pop() {
                    keys.close(&closed);
                }
                expect_key = false;
                scan.at += 1;
            }
            b',' => {
                expect_key = open.last().is_some_and(|open| open.is_object);
                scan.at += 1;
            }
            b'"' => {
                let start = scan.at;
                let key = scan.string()?;
                if let (true, Some(open)) = (expect_key, open.last_mut()) {
                    expect_key = false;
                    if !keys.insert(open, key) {
                        return Err(NotStrict { at: start, what: "an object repeats a key" });
                    }
                }
            }
            _ => scan.at += 1,
        }
    }
    Ok(())
}

/// An object or an array that has begun.
struct Open {
    is_object: bool,
    /// Where its keys begin.
    keys: usize,
    /// Whether its keys are hashed.
    many: bool,
}

struct Scan<'t> {
    text: &'t [u8],
    at: usize,
}

/// One list for all open objects: most are small, and a list of its own for each would be most of the check's cost.
#[derive(Default)]
struct Keys<'t> {
    few: Vec<Cow<'t, [u8]>>,
    /// Of each open object with many keys, the innermost last.
    many: Vec<HashSet<Cow<'t, [u8]>>>,
}

// === impl Scan ===

impl<'t> Scan<'t> {
    fn error(&self, what: &'static str) -> NotStrict {
        NotStrict { at: self.at, what }
    }

    /// Reads a string; escapes are resolved so that `"\u0061"` and `"a"` are the same key.
    fn string(&mut self) -> Result<Cow<'t, [u8]>, NotStrict> {
        let start = self.at + 1;
        self.at = start;
        let mut plain: Option<Vec<u8>> = None;
        loop {
            match self.text.get(self.at) {
                None => return Err(self.error("a string does not end")),
                Some(b'"') => {
                    let raw = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(plain.map_or(Cow::Borrowed(raw), Cow::Owned));
                }
                Some(b'\\') => {
                    let out = plain.get_or_insert_with(|| self.text[start..self.at].to_vec());
                    self.at += 1;
                    match self.text.get(self.at) {
                        None => return Err(self.error("a string does not end")),
                        Some(b'u') => {
                            self.at += 1;
                            let c = self.unicode()?;
                            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                        }
                        Some(&escaped) => {
                            out.push(match escaped {
                                b'n' => b'\n',
                                b't' => b'\t',
                                b'r' => b'\r',
                                b'b' => 8,
                                b'f' => 12,
                                other => other,
                            });
                            self.at += 1;
                        }
                    }
                }
                Some(&byte) => {
                    if let Some(out) = &mut plain {
                        out.push(byte);
                    }
                    self.at += 1;
                }
            }
        }
    }

    fn unicode(&mut self) -> Result<char, NotStrict> {
        let first = self.hex4()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if self.text.get(self.at..self.at + 2) != Some(b"\\u") {
                    return Err(self.error("a lone surrogate"));
                }
                self.at += 2;
                match self.hex4()? {
                    second @ 0xDC00..=0xDFFF => 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00),
                    _ => return Err(self.error("a lone surrogate")),
                }
            }
            // Text of PostgreSQL cannot hold it, and in an address it is refused as well.
            0 => return Err(self.error("the character U+0000")),
            code => code,
        };
        // Only a lone low surrogate is left that is not a character.
        char::from_u32(code).ok_or_else(|| self.error("a lone surrogate"))
    }

    fn hex4(&mut self) -> Result<u32, NotStrict> {
        let digits =
            self.text.get(self.at..self.at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let value = digits
            .and_then(|digits| str::from_utf8(digits).ok())
            .and_then(|s| u32::from_str_radix(s, 16).ok());
        self.at += 4;
        value.ok_or_else(|| self.error("a broken escape"))
    }
}

// === impl Keys ===

impl<'t> Keys<'t> {
    /// False if the innermost object has the key already.
    fn insert(&mut self, open: &mut Open, key: Cow<'t, [u8]>) -> bool {
        if let Some(many) = self.many.last_mut().filter(|_| open.many) {
            return many.insert(key);
        }
        if self.few[open.keys..].contains(&key) {
            return false;
        }
        self.few.push(key);
        if self.few.len() - open.keys == FEW {
            open.many = true;
            self.many.push(self.few.drain(open.keys..).collect());
        }
        true
    }

    fn close(&mut self, closed: &Open) {
        self.few.truncate(closed.keys);
        if closed.many {
            self.many.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_meaning_only() {
        let many = (0..40).map(|n| format!("\"k{n}\":0")).collect::<Vec<_>>().join(",");
        for good in [
            "{}",
            r#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#,
            r#"["a","a"]"#,
            r#"{"a":"a","b":"a"}"#,
            r#"{"a":"\ud83d\ude00 \" \\ \n"}"#,
            &format!("{{{many}}}"),
        ] {
            assert_eq!(check(good.as_bytes()), Ok(()), "{good}");
        }
        for (bad, what) in [
            (r#"{"a":1,"a":2}"#, "an object repeats a key"),
            (r#"{"a":1,"\u0061":2}"#, "an object repeats a key"),
            (r#"[{"x":{"a":[],"b":1,"a":1}}]"#, "an object repeats a key"),
            (r#"{"a":"\ud800"}"#, "a lone surrogate"),
            (r#"{"a":"\ud800\u0041"}"#, "a lone surrogate"),
            (r#"{"a":"\udc00"}"#, "a lone surrogate"),
            (r#"{"a":"\uZZZZ"}"#, "a broken escape"),
            (r#"{"a":"b\u0000"}"#, "the character U+0000"),
            (r#"{"a"#, "a string does not end"),
            (&format!("{{{many},\"k7\":0}}"), "an object repeats a key"),
        ] {
            assert_eq!(check(bad.as_bytes()).unwrap_err().what, what, "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(check(nested(64).as_bytes()), Ok(()));
        assert!(check(nested(65).as_bytes()).is_err());
        assert!(check("[".repeat(1 << 20).as_bytes()).is_err());
    }

    #[test]
    fn never_strays_on_nonsense() {
        for text in ["", "}", "]]]]", ",", "\"", "\"\\", "\"\\u", "\"\\u00", "{\"a\"", "\u{0}", "nul", "{]"] {
            check(text.as_bytes()).ok();
        }
    }
}
