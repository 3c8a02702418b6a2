//! A schema made ready for the hot path: says of a text, in one pass and without building anything, that it is strict
//! JSON and fits.

use serde_json::{Map, Value};

use super::scan::Scan;

/// Schemas nested deeper, recursive ones above all, are left to the thorough check.
const DEEPEST: usize = 16;

pub(super) const NULL: u8 = 1;
pub(super) const BOOLEAN: u8 = 2;
pub(super) const OBJECT: u8 = 4;
pub(super) const ARRAY: u8 = 8;
pub(super) const STRING: u8 = 16;
pub(super) const INTEGER: u8 = 32;
pub(super) const NUMBER: u8 = 64;
const ANY: u8 = NULL | BOOLEAN | OBJECT | ARRAY | STRING | INTEGER | NUMBER;

/// What a value has to look like. It never takes what the thorough checks refuse, but gives up on some of what they
/// take: members without a schema of their own, and arrays of anything.
pub(super) struct Shape {
    types: u8,
    /// Characters of a string.
    length: Range,
    /// Entries of an array.
    pub(super) entries: Range,
    number: Range,
    above: f64,
    format: Format,
    /// The strings it may be, if it may not be all.
    options: Option<Vec<String>>,
    /// The names of its members; apart from their shapes, since they are searched.
    names: Vec<String>,
    pub(super) members: Vec<Self>,
    /// A bit for each member that has to be there.
    pub(super) required: u64,
    pub(super) element: Option<Box<Self>>,
    /// If there are any, one of them has to fit as well.
    alternatives: Vec<Self>,
}

/// Both ends belong to it.
#[derive(Clone, Copy)]
pub(super) struct Range(f64, f64);

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
                shape.names.push(name.clone());
                shape.members.push(nested(schema)?);
            }
        }
        // One bit each while reading; and what is required has to be a member.
        if shape.members.len() > 64 {
            return None;
        }
        for name in required {
            shape.required |= 1 << shape.member(name.as_bytes())?;
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
            names: Vec::new(),
            members: Vec::new(),
            required: 0,
            element: None,
            alternatives: Vec::new(),
        }
    }

    /// Whether this text surely fits.
    pub(super) fn takes(&self, text: &str) -> bool {
        Scan::takes(text, self)
    }

    /// The index of the member of that name.
    pub(super) fn member(&self, name: &[u8]) -> Option<usize> {
        self.names.iter().position(|own| own.as_bytes() == name)
    }

    pub(super) fn takes_text(&self, text: &str) -> bool {
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

    pub(super) fn takes_number(&self, number: f64, kind: u8) -> bool {
        self.types & kind != 0
            && self.number.contains(number)
            && number > self.above
            && self.one_takes(|shape| shape.takes_number(number, kind))
    }

    pub(super) fn takes_plain(&self, kind: u8) -> bool {
        self.types & kind != 0 && self.one_takes(|shape| shape.takes_plain(kind))
    }

    fn one_takes(&self, takes: impl Fn(&Self) -> bool) -> bool {
        self.alternatives.is_empty() || self.alternatives.iter().any(takes)
    }

    /// The one shape that reads objects or arrays here: a text is read once, so alternatives cannot be tried.
    pub(super) fn reader(&self, kind: u8) -> Option<&Self> {
        if self.types & kind == 0 {
            return None;
        }
        if self.alternatives.is_empty() {
            return Some(self);
        }
        let mut able = self.alternatives.iter().filter(|shape| shape.types & kind != 0);
        match (able.next(), able.next()) {
            (Some(only), None) if self.members.is_empty() && self.element.is_none() => only.reader(kind),
            _ => None,
        }
    }
}

impl Range {
    pub(super) fn contains(self, value: f64) -> bool {
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
