//! Compact JWS (RFC 7515): takes a token apart, strictly, and checks its signature.
//!
//! Written on `ring` directly. A JWT library would bring a choice of algorithms, which here is the attack and not the
//! feature, and would leave the rules that matter (`crit`, `typ`, `kid`, repeated members, the clock) to us anyway.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::keys::Key;

/// The longest token, in bytes. Header fields larger than that are refused by most servers as well.
pub(crate) const LONGEST: usize = 8 * 1024;
/// The type of access tokens (RFC 9068 section 2.1).
pub(crate) const TYPE: &str = "at+jwt";

/// A token in its parts. Nothing of it is proven before [`check`](Self::check).
pub(crate) struct Parts<'t> {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    /// The text the signature is over.
    signed: &'t str,
    signature: Vec<u8>,
}

// === impl Parts ===

impl<'t> Parts<'t> {
    /// Takes a token apart. Of the header only what says how to check the signature is ever looked at: what points to
    /// keys elsewhere (`jku`, `x5u`, `jwk`, `x5c`) is not followed.
    pub(crate) fn of(token: &'t str) -> Result<Self, &'static str> {
        if token.len() > LONGEST {
            return Err("the token is longer than 8 KiB");
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("a token has three parts");
        };
        let header =
            object(&decode(header)?).ok_or("the token's header is not a JSON object of distinct members")?;
        // We know no extensions; one that must be understood is not (RFC 7515 section 4.1.11).
        if header.contains_key("crit") {
            return Err("the token has a critical header that is not understood");
        }
        let claims = object(&decode(payload)?)
            .ok_or("the token's claims are not a JSON object of distinct members")?;
        // The signature is over the text before it, so there is no second way to write a signed token but in the
        // signature itself, whose last character the strict decoder keeps unambiguous.
        let signed = &token[..token.len() - signature.len() - 1];
        Ok(Self { header, claims, signed, signature: decode(signature)? })
    }

    /// `alg`: what the token says it is signed with.
    pub(crate) fn alg(&self) -> &str {
        self.text("alg")
    }

    /// `kid`: the name of the key it says it is signed with.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// `typ` without `application/`; a token that does not say it is a `JWT`.
    pub(crate) fn kind(&self) -> &str {
        match self.header.get("typ") {
            None => "JWT",
            Some(kind) => {
                let kind = kind.as_str().unwrap_or_default();
                kind.strip_prefix("application/").unwrap_or(kind)
            }
        }
    }

    /// `iss`: whose token it says it is. That says only whose keys have to prove it.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// A claim that nobody has proven.
    pub(crate) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// The claims, if the key proves them. Its algorithm is the one the token has to name.
    pub(crate) fn check(self, key: &Key) -> Result<Map<String, Value>, &'static str> {
        if self.alg() == key.alg() && key.verify(self.signed.as_bytes(), &self.signature) {
            Ok(self.claims)
        } else {
            Err("the token's signature is wrong")
        }
    }

    fn text(&self, name: &str) -> &str {
        self.header.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Strict base64url: no padding, no spaces, no stray bits at the end.
fn decode(part: &str) -> Result<Vec<u8>, &'static str> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| "a part of the token is not base64url")
}

fn object(json: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(json).ok()? {
        Distinct(Value::Object(members)) => Some(members),
        Distinct(_) => None,
    }
}

/// JSON without repeated members: of two, two parsers may believe different ones.
struct Distinct(Value);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(DistinctVisitor).map(Self)
    }
}

struct DistinctVisitor;

impl<'de> Visitor<'de> for DistinctVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Distinct(value))) = map.next_entry::<String, Distinct>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is repeated"));
            }
        }
        Ok(Value::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Distinct(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}
