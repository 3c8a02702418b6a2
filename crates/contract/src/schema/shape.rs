//! A schema made ready for the hot path: says of a text, in one pass and without building anything, that it is strict
//! JSON and fits.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Schemas nested deeper, recursive ones above all, are left to the thorough check.
const DEEPEST: usize = 16;

const NULL: u8 = 1;
const BOOLEAN: u8 = 2;
const OBJECT: u8 = 4;
const ARRAY: u8 = 8;
const STRING: u8 = 16;
const INTEGER: u8 = 32;
const NUMBER: u8 = 64;
const ANY: u8 = NULL | BOOLEAN | OBJECT | ARRAY | STRING | INTEGER | NUMBER;

/// What a value has to look like. It never takes what the thorough checks refuse, but gives up on some of what they
/// take: members without a schema of their own, and arrays of anything.
pub(super) struct Shape {
    types: u8,
    /// Characters of a string.
    length: Range,
    /// Entries of an array.
    entries: Range,
    number: Range,
    above: f64,
    format: Format,
    /// The strings it may be, if it may not be all.
    options: Option<Vec<String>>,
    /// Names, whether they are required, and their shapes.
    members: Vec<(String, bool, Self)>,
    element: Option<Box<Self>>,
    /// If there are any, one of them has to fit as well.
    alternatives: Vec<Self>,
}

/// Both ends belong to it.
#[derive(Clone, Copy)]
struct Range(f64, f64);

enum Format {
    Any,
    Uuid,
    DateTime,
}

// === impl Shape ===

impl Shape {
    /// The shape of a schema. `None` if it says what a shape cannot.
    pub(super) fn of(schema: &Value, definitions: &Map<String, Value>) -> Option<Self> {
        Self::at(schema, definitions, 0)
    }

    fn at(schema: &Value, definitions: &Map<String, Value>, depth: usize) -> Option<Self> {
        let nested = |schema: &Value| Self::at(schema, definitions, depth + 1);
        if depth > DEEPEST {
            return None;
        }
        let schema = match schema {
            Value::Object(schema) => schema,
            // What the thorough check takes no notice of.
            _ => return Some(Self::anything()),
        };
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let alone =
                schema.keys().all(|key| matches!(key.as_str(), "$ref" | "description" | "title" | "default"));
            let target = definitions.get(target.rsplit('/').next()?)?;
            return if alone { nested(target) } else { None };
        }
        if schema.contains_key("allOf") || (schema.contains_key("anyOf") && schema.contains_key("oneOf")) {
            return None;
        }
        let bound =
            |keyword: &str, default: f64| schema.get(keyword).and_then(Value::as_f64).unwrap_or(default);
        let range =
            |least: &str, most: &str| Range(bound(least, f64::NEG_INFINITY), bound(most, f64::INFINITY));
        let mut shape = Self {
            types: schema.get("type").map_or(Some(ANY), types)?,
            length: range("minLength", "maxLength"),
            entries: range("minItems", "maxItems"),
            number: range("minimum", "maximum"),
            above: bound("exclusiveMinimum", f64::NEG_INFINITY),
            format: match schema.get("format").and_then(Value::as_str) {
                Some("uuid") => Format::Uuid,
                Some("date-time") => Format::DateTime,
                _ => Format::Any,
            },
            ..Self::anything()
        };
        let options = match (schema.get("enum"), schema.get("const")) {
            (None, None) => None,
            (Some(Value::Array(options)), None) => Some(options.iter().collect::<Vec<_>>()),
            (None, Some(option)) => Some(vec![option]),
            _ => return None,
        };
        if let Some(options) = options {
            let texts: Option<Vec<String>> =
                options.iter().map(|option| option.as_str().map(str::to_owned)).collect();
            shape.options = Some(texts?);
            shape.types &= STRING;
        }
        let required: Vec<&str> = match schema.get("required") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if let Some(Value::Object(properties)) = schema.get("properties") {
            for (name, schema) in properties {
                shape.members.push((name.clone(), required.contains(&name.as_str()), nested(schema)?));
            }
        }
        // One bit each while reading; and what is required has to be a member.
        if shape.members.len() > 64 || required.len() > shape.members.iter().filter(|member| member.1).count()
        {
            return None;
        }
        if let Some(items) = schema.get("items") {
            shape.element = Some(Box::new(nested(items)?));
        }
        if let Some(Value::Array(options)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
            // What is read as one of them would miss bounds beside them.
            if ["minItems", "maxItems"].iter().any(|bound| schema.contains_key(*bound)) {
                return None;
            }
            shape.alternatives = options.iter().map(nested).collect::<Option<_>>()?;
        }
        Some(shape)
    }

    fn anything() -> Self {
        let all = Range(f64::NEG_INFINITY, f64::INFINITY);
        Self {
            types: ANY,
            length: all,
            entries: all,
            number: all,
            above: f64::NEG_INFINITY,
            format: Format::Any,
            options: None,
            members: Vec::new(),
            element: None,
            alternatives: Vec::new(),
        }
    }

    /// Whether this text surely fits.
    pub(super) fn takes(&self, text: &[u8]) -> bool {
        let mut parser = serde_json::Deserializer::from_slice(text);
        self.deserialize(&mut parser).is_ok()
    }

    fn takes_text(&self, text: &str) -> bool {
        let fits = |range: Range| {
            // Counting characters takes longer than knowing bytes, of which there are never fewer.
            let bytes = text.len() as f64;
            (range.0 <= 0.0 && bytes <= range.1) || range.contains(text.chars().count() as f64)
        };
        self.types & STRING != 0
            && fits(self.length)
            && match self.format {
                Format::Any => true,
                Format::Uuid => crate::id::parse_uuid(text).is_ok(),
                Format::DateTime => text.parse::<crate::Timestamp>().is_ok(),
            }
            && self.options.as_ref().is_none_or(|options| options.iter().any(|option| option == text))
            && self.one_takes(|shape| shape.takes_text(text))
    }

    fn takes_number(&self, number: f64, kind: u8) -> bool {
        self.types & kind != 0
            && self.number.contains(number)
            && number > self.above
            && self.one_takes(|shape| shape.takes_number(number, kind))
    }

    fn takes_plain(&self, kind: u8) -> bool {
        self.types & kind != 0 && self.one_takes(|shape| shape.takes_plain(kind))
    }

    fn one_takes(&self, takes: impl Fn(&Self) -> bool) -> bool {
        self.alternatives.is_empty() || self.alternatives.iter().any(takes)
    }

    /// The one shape that reads objects or arrays here: a text is read once, so alternatives cannot be tried.
    fn reader<E: Error>(&self, kind: u8) -> Result<&Self, E> {
        if self.types & kind == 0 {
            return Err(misfit());
        }
        let mut able = self.alternatives.iter().filter(|shape| shape.types & kind != 0);
        match (self.alternatives.is_empty(), able.next(), able.next()) {
            (true, ..) => Ok(self),
            (false, Some(only), None) if self.members.is_empty() && self.element.is_none() => {
                only.reader(kind)
            }
            _ => Err(misfit()),
        }
    }
}

impl Range {
    fn contains(self, value: f64) -> bool {
        self.0 <= value && value <= self.1
    }
}

fn types(names: &Value) -> Option<u8> {
    let one = |name: &Value| {
        Some(match name.as_str()? {
            "null" => NULL,
            "boolean" => BOOLEAN,
            "object" => OBJECT,
            "array" => ARRAY,
            "string" => STRING,
            "integer" => INTEGER,
            "number" => NUMBER | INTEGER,
            _ => return None,
        })
    };
    match names {
        Value::Array(names) => names.iter().try_fold(0, |types, name| Some(types | one(name)?)),
        name => one(name),
    }
}

/// Nobody reads it: the thorough check says what is wrong.
fn misfit<E: Error>() -> E {
    E::custom("does not fit")
}

fn fit<E: Error>(fits: bool) -> Result<(), E> {
    if fits { Ok(()) } else { Err(misfit()) }
}

// === reading ===

impl<'de> DeserializeSeed<'de> for &Shape {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Shape {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that fits")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        fit(self.takes_plain(NULL))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        fit(self.takes_plain(BOOLEAN))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        fit(self.takes_number(number as f64, INTEGER))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        fit(self.takes_number(number as f64, INTEGER))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        fit(self.takes_number(number, NUMBER))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        fit(self.takes_text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let this = self.reader(ARRAY)?;
        let element = this.element.as_deref().ok_or_else(misfit)?;
        let mut count = 0_u32;
        while seq.next_element_seed(element)?.is_some() {
            count += 1;
        }
        fit(this.entries.contains(f64::from(count)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let this = self.reader(OBJECT)?;
        let mut seen = 0_u64;
        while let Some(index) = map.next_key_seed(Name(this))? {
            fit(seen & (1 << index) == 0)?;
            seen |= 1 << index;
            map.next_value_seed(&this.members[index].2)?;
        }
        let mut members = this.members.iter().enumerate();
        fit(members.all(|(index, (_, required, _))| !required || seen & (1 << index) != 0))
    }
}

/// Reads the name of a member: its index. Another name may be an alias of the parser's, or wrong.
struct Name<'s>(&'s Shape);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        self.0.members.iter().position(|(own, ..)| own == name).ok_or_else(misfit)
    }
}
