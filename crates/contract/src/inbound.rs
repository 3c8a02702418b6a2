//! Inbound: a request that was routed to an operation, and how its arguments are read.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::body::Response;
use crate::call::Call;
use crate::json;
use crate::operation::Operation;
use crate::platform::{FaultKind, Platform};
use crate::problem::Violation;
use crate::schema::{Known, Mode, schema_of};

/// A request at the door of its operation: routed, identified, read whole.
#[derive(Debug)]
pub struct Inbound {
    /// The context.
    pub call: Call,
    /// The row of the operation table.
    pub operation: &'static Operation,
    /// The path of the request, as it came.
    pub path: String,
    /// Path parameters, decoded.
    pub params: Params,
    /// The query string, as it came.
    pub query: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// Decoded path parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

// === impl Params ===

impl Params {
    /// Decodes raw path segments.
    ///
    /// # Errors
    /// [`FaultKind::MalformedRequest`] for a broken escape, or one that is not UTF-8.
    pub fn decode<'p>(raw: impl Iterator<Item = (&'static str, &'p str)>) -> Result<Self, Platform> {
        raw.map(|(name, raw)| Ok((name, percent_decode(raw)?))).collect::<Result<_, _>>().map(Self)
    }

    /// The parameter of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    /// All of them, in the order of the template.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

// === impl Inbound ===

impl Inbound {
    /// Reads a path parameter.
    ///
    /// # Errors
    /// [`FaultKind::MalformedRequest`] when it is not one.
    pub fn param<T: FromStr<Err: fmt::Display>>(&self, name: &'static str) -> Result<T, Platform> {
        let raw = self.params.get(name).unwrap_or_default();
        raw.parse::<T>().map_err(|error| {
            Platform::new(FaultKind::MalformedRequest).with_detail(format!("{name} in the path: {error}"))
        })
    }

    /// Reads the query. Unknown parameters are violations, unless a service asks.
    ///
    /// # Errors
    /// [`FaultKind::MalformedRequest`] for broken escapes, [`FaultKind::ValidationFailed`] for what does not fit.
    pub fn query<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, Platform> {
        let raw = self.query.as_deref().unwrap_or_default();
        check_escapes(raw)?;
        let mut unknown = Vec::new();
        let mut track = serde_path_to_error::Track::new();
        let parser = serde_urlencoded::Deserializer::new(form_urlencoded::parse(raw.as_bytes()));
        let parser = serde_path_to_error::Deserializer::new(parser, &mut track);
        let value = serde_ignored::deserialize(parser, |path| {
            unknown.push(Violation::new(format!("/{path}"), "is not known here"));
        });
        match value {
            Ok(_) if !unknown.is_empty() && !self.call.is_internal() => Err(Platform::invalid(unknown)),
            Ok(value) => refuse_if_any(out_of_bounds::<T>(raw)).map(|()| value),
            Err(error) => {
                Err(Platform::invalid(vec![Violation::new(pointer_of(&track.path()), error.to_string())]))
            }
        }
    }

    /// Reads the body. From users strictly: repeated keys, unknown fields, every violation at once.
    ///
    /// # Errors
    /// [`FaultKind::MalformedBody`] for what is not JSON, [`FaultKind::ValidationFailed`] for what does not fit.
    pub fn body<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, Platform> {
        // Nearly every body is right, and nothing is left to say about it.
        if let Ok(text) = str::from_utf8(&self.body)
            && Known::of(schema_of::<T>).surely_takes(text)
            && let Ok(value) = serde_json::from_str(text)
        {
            return Ok(value);
        }
        let strict = !self.call.is_internal();
        // A parser does not look at text that it skips.
        str::from_utf8(&self.body).map_err(malformed)?;
        json::check(&self.body).map_err(malformed)?;
        let mut unknown = false;
        let mut parser = serde_json::Deserializer::from_slice(&self.body);
        let value: Result<T, _> = serde_ignored::deserialize(&mut parser, |_| unknown = true);
        let value = value.and_then(|value| parser.end().map(|()| value));
        match value {
            Ok(value) if !(strict && unknown) => self.check_bounds::<T>().map(|()| value),
            Err(error) if !error.is_data() => Err(malformed(error)),
            other => Err(self.explain::<T>(strict, other.err())),
        }
    }

    /// What only the schema states of a body the parser took: bounds, and that a list is no object, although serde
    /// reads structs from both.
    fn check_bounds<T: JsonSchema>(&self) -> Result<(), Platform> {
        let known = Known::of(schema_of::<T>);
        if !known.is_bounded() && !self.body.contains(&b'[') {
            return Ok(());
        }
        let value = serde_json::from_slice(&self.body).map_err(malformed)?;
        refuse_if_any(known.violations(&value, Mode::Parsed))
    }

    /// An operation without a body takes nothing or an empty object.
    ///
    /// # Errors
    /// As [`body`](Self::body).
    pub fn no_body(&self) -> Result<(), Platform> {
        // Without `properties` a schema says nothing about members, and an unknown one could not be named.
        #[derive(serde::Deserialize, JsonSchema)]
        #[schemars(extend("properties" = {}))]
        struct Nothing {}
        if self.body.is_empty() { Ok(()) } else { self.body::<Nothing>().map(|_| ()) }
    }

    /// The answer to a request whose arguments cannot be bound.
    pub fn refuse(self, fault: Platform) -> Response {
        fault.into_response(Some(self.path), Some(self.call.request_id()))
    }

    /// The slow path: the body is JSON but not a `T`. Says everything that is wrong with it.
    fn explain<T: DeserializeOwned + JsonSchema>(
        &self,
        strict: bool,
        error: Option<serde_json::Error>,
    ) -> Platform {
        let value: serde_json::Value = match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => return malformed(error),
        };
        let mode = if strict { Mode::Strict } else { Mode::Tolerant };
        let mut found = Known::of(schema_of::<T>).violations(&value, mode);
        if found.is_empty() {
            // A rule that no schema states: ask the parser where it stopped.
            let parsed: Result<T, _> = serde_path_to_error::deserialize(&value);
            let (pointer, detail) = match parsed {
                Err(error) => (pointer_of(error.path()), error.inner().to_string()),
                Ok(_) => {
                    (String::new(), error.map_or_else(|| "unknown field".into(), |error| error.to_string()))
                }
            };
            found.push(Violation::new(pointer, detail));
        }
        Platform::invalid(found)
    }
}

/// What only the schema states of a query the parser took.
fn out_of_bounds<T: JsonSchema>(query: &str) -> Vec<Violation> {
    let known = Known::of(schema_of::<T>);
    if !known.is_bounded() {
        return Vec::new();
    }
    let mut members = serde_json::Map::new();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        let value = match known.property_type(&name) {
            Some("string") => Some(text.into_owned().into()),
            Some("integer" | "number") => serde_json::from_str(&text).ok(),
            _ => None,
        };
        members.extend(value.map(|value| (name.into_owned(), value)));
    }
    known.violations(&members.into(), Mode::Parsed)
}

fn refuse_if_any(found: Vec<Violation>) -> Result<(), Platform> {
    if found.is_empty() { Ok(()) } else { Err(Platform::invalid(found)) }
}

fn malformed(error: impl fmt::Display) -> Platform {
    Platform::new(FaultKind::MalformedBody).with_detail(error.to_string())
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |at, segment| match segment {
        Segment::Seq { index } => format!("{at}/{index}"),
        Segment::Map { key } => format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => at,
    })
}

// === escapes ===

/// Decodes `%XX`, refusing what RFC 3986 does not allow.
pub(crate) fn percent_decode(raw: &str) -> Result<String, Platform> {
    if !raw.contains('%') {
        return Ok(raw.to_owned());
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match (digit(bytes.next()), digit(bytes.next())) {
            (Some(high), Some(low)) => out.push((high << 4 | low) as u8),
            _ => return Err(bad_escape()),
        }
    }
    let text = String::from_utf8(out).map_err(|_| bad_escape())?;
    if text.contains('\0') { Err(bad_escape()) } else { Ok(text) }
}

fn check_escapes(query: &str) -> Result<(), Platform> {
    query.split(['&', '=']).try_for_each(|part| percent_decode(part).map(|_| ()))
}

fn bad_escape() -> Platform {
    Platform::new(FaultKind::MalformedRequest).with_detail("the address has a broken percent escape")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_strictly() {
        for (raw, plain) in [("abc", "abc"), ("a%20b", "a b"), ("%C3%A9", "\u{e9}"), ("%2F", "/")] {
            assert_eq!(percent_decode(raw).unwrap(), plain);
        }
        for bad in ["%", "%2", "%zz", "%ff", "a%00b", "%+1"] {
            assert_eq!(percent_decode(bad).unwrap_err().kind(), FaultKind::MalformedRequest, "{bad}");
        }
    }
}
