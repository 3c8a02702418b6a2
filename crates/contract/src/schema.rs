//! Finds everything that is wrong with a body at once, by the JSON Schema of its type.

mod scan;
mod shape;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

use self::shape::Shape;
use crate::operation::SchemaFn;
use crate::problem::Violation;

/// More than this many violations help nobody.
const MOST: usize = 100;

/// The generator all documents and checks share: JSON Schema 2020-12, OpenAPI's component paths.
pub(crate) fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator()
}

/// The schema of `T`, for a table.
pub fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> schemars::Schema {
    generator.subschema_for::<T>()
}

/// How a value is compared with its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Unknown members count.
    Strict,
    /// Unknown members may come from another version.
    Tolerant,
    /// The typed parser has taken it; what is left is what only the schema states. A member may have come by another
    /// name (`serde(alias)`).
    Parsed,
}

/// A schema with everything it refers to.
pub(crate) struct Known {
    root: Value,
    definitions: Map<String, Value>,
    /// Whether it states bounds, which no parser knows.
    bounded: bool,
    /// The same for the hot path, if it can be said there.
    shape: Option<Shape>,
}

thread_local! {
    /// Schemas are made once for each thread that reads requests. Types are told apart by their functions: two types
    /// with one function have one schema.
    static KNOWN: RefCell<HashMap<usize, Rc<Known>>> = RefCell::default();
}

impl Known {
    /// The schema of that function.
    pub(crate) fn of(schema: SchemaFn) -> Rc<Self> {
        KNOWN.with_borrow_mut(|known| {
            let entry = known.entry(schema as usize).or_insert_with(|| {
                let mut generator = generator();
                let root = schema(&mut generator).to_value();
                let definitions = generator.take_definitions(true);
                let bounded = states_bounds(&root) || definitions.values().any(states_bounds);
                let shape = Shape::of(&root, &definitions);
                Rc::new(Self { root, definitions, bounded, shape })
            });
            Rc::clone(entry)
        })
    }

    /// Whether it may refuse what the typed parser takes.
    pub(crate) fn is_bounded(&self) -> bool {
        self.bounded
    }

    /// Whether a text surely is strict JSON without [`violations`](Self::violations), as far as that can be said in
    /// one pass.
    pub(crate) fn surely_takes(&self, text: &str) -> bool {
        self.shape.as_ref().is_some_and(|shape| shape.takes(text))
    }

    /// The type of a property, if it is one of JSON's.
    pub(crate) fn property_type(&self, name: &str) -> Option<&str> {
        let mut property = self.resolve(&self.root)?.get("properties")?.get(name)?;
        property = self.resolve(property)?;
        match property.get("type")? {
            Value::String(name) => Some(name),
            Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
            _ => None,
        }
    }

    /// All the ways in which a value does not fit.
    ///
    /// Only the keywords that schemars writes for Rust types are known; others are accepted, because the typed parser
    /// has the last word.
    pub(crate) fn violations(&self, value: &Value, mode: Mode) -> Vec<Violation> {
        let mut checker = Checker { definitions: &self.definitions, mode, found: Vec::new() };
        checker.check(&self.root, value, &mut String::new());
        checker.found.sort();
        checker.found.dedup();
        checker.found
    }

    fn resolve<'s>(&'s self, schema: &'s Value) -> Option<&'s Value> {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(target) => self.definitions.get(target.rsplit('/').next()?),
            None => Some(schema),
        }
    }
}

fn states_bounds(schema: &Value) -> bool {
    const BOUNDS: [&str; 7] =
        ["minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum"];
    match schema {
        Value::Object(members) => {
            let format = members.get("format").and_then(Value::as_str).unwrap_or_default();
            members.iter().any(|(name, value)| {
                (BOUNDS.contains(&name.as_str()) && !is_of_format(format, value)) || states_bounds(value)
            })
        }
        Value::Array(parts) => parts.iter().any(states_bounds),
        _ => false,
    }
}

/// Where Rust's own integers end, the parser knows.
fn is_of_format(format: &str, bound: &Value) -> bool {
    let ends: &[i64] = match format {
        "int8" => &[i8::MIN as i64, i8::MAX as i64],
        "int16" => &[i16::MIN as i64, i16::MAX as i64],
        "uint8" => &[0, u8::MAX as i64],
        "uint16" => &[0, u16::MAX as i64],
        "uint" | "uint32" | "uint64" => &[0],
        _ => &[],
    };
    bound.as_i64().is_some_and(|bound| ends.contains(&bound))
}

struct Checker<'s> {
    definitions: &'s Map<String, Value>,
    mode: Mode,
    found: Vec<Violation>,
}

// === impl Checker ===

impl Checker<'_> {
    fn check(&mut self, schema: &Value, value: &Value, at: &mut String) {
        let Value::Object(schema) = schema else { return };
        if self.found.len() >= MOST {
            return;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let name = target.rsplit('/').next().unwrap_or_default();
            if let Some(target) = self.definitions.get(name) {
                self.check(target, value, at);
            }
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(Value::Array(options)) = schema.get(keyword) {
                self.one_of(options, value, at);
            }
        }
        if let Some(Value::Array(all)) = schema.get("allOf") {
            for part in all {
                self.check(part, value, at);
            }
        }
        if let Some(expected) = schema.get("type")
            && !has_type(expected, value)
        {
            return self.report(at, format!("expected {}", type_name(expected)));
        }
        if let Some(Value::Array(options)) = schema.get("enum")
            && !options.contains(value)
        {
            let options: Vec<String> = options.iter().map(ToString::to_string).collect();
            return self.report(at, format!("expected one of {}", options.join(", ")));
        }
        if let Some(expected) = schema.get("const")
            && expected != value
        {
            return self.report(at, format!("expected {expected}"));
        }
        match value {
            Value::Object(members) => self.object(schema, members, at),
            Value::Array(items) => self.array(schema, items, at),
            Value::String(text) => self.string(schema, text, at),
            Value::Number(number) => self.number(schema, number.as_f64().unwrap_or(f64::NAN), at),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The option with the fewest complaints speaks for all.
    fn one_of(&mut self, options: &[Value], value: &Value, at: &mut String) {
        let mut best: Option<Vec<Violation>> = None;
        for option in options {
            let mut inner = Checker { definitions: self.definitions, mode: self.mode, found: Vec::new() };
            inner.check(option, value, at);
            if inner.found.is_empty() {
                return;
            }
            // "expected null" is never what the sender meant.
            let is_null = option.get("type").and_then(Value::as_str) == Some("null");
            if !is_null && best.as_ref().is_none_or(|best| inner.found.len() < best.len()) {
                best = Some(inner.found);
            }
        }
        self.found.extend(best.unwrap_or_default());
    }

    fn object(&mut self, schema: &Map<String, Value>, members: &Map<String, Value>, at: &mut String) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let is_known = |name: &String| properties.is_some_and(|known| known.contains_key(name));
        if let Some(Value::Array(required)) = schema.get("required")
            && (self.mode != Mode::Parsed || members.keys().all(is_known))
        {
            for name in required.iter().filter_map(Value::as_str).filter(|name| !members.contains_key(*name))
            {
                self.within(at, name, |checker, at| checker.report(at, "is required"));
            }
        }
        let additional = schema.get("additionalProperties");
        for (name, value) in members {
            match (properties.and_then(|known| known.get(name)), additional) {
                (Some(schema), _) => self.within(at, name, |checker, at| checker.check(schema, value, at)),
                (None, Some(schema @ Value::Object(_))) => {
                    self.within(at, name, |checker, at| checker.check(schema, value, at));
                }
                (None, None | Some(Value::Bool(false)))
                    if self.mode == Mode::Strict && properties.is_some() =>
                {
                    self.within(at, name, |checker, at| checker.report(at, "is not known here"));
                }
                _ => {}
            }
        }
    }

    fn array(&mut self, schema: &Map<String, Value>, items: &[Value], at: &mut String) {
        let len = items.len() as f64;
        if let Some(least) = bound(schema, "minItems").filter(|least| len < *least) {
            self.report(at, format!("needs at least {least} entries"));
        }
        if let Some(most) = bound(schema, "maxItems").filter(|most| len > *most) {
            return self.report(at, format!("takes at most {most} entries"));
        }
        if let Some(schema) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                self.within(at, &index.to_string(), |checker, at| checker.check(schema, item, at));
            }
        }
    }

    fn string(&mut self, schema: &Map<String, Value>, text: &str, at: &str) {
        let len = text.chars().count() as f64;
        if let Some(least) = bound(schema, "minLength").filter(|least| len < *least) {
            self.report(at, format!("needs at least {least} characters"));
        }
        if let Some(most) = bound(schema, "maxLength").filter(|most| len > *most) {
            self.report(at, format!("takes at most {most} characters"));
        }
        let fits = match schema.get("format").and_then(Value::as_str) {
            Some("uuid") => crate::id::parse_uuid(text).is_ok(),
            Some("date-time") => text.parse::<crate::Timestamp>().is_ok(),
            _ => true,
        };
        if !fits {
            let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
            self.report(at, format!("expected a {format}"));
        }
    }

    fn number(&mut self, schema: &Map<String, Value>, number: f64, at: &str) {
        if let Some(least) = bound(schema, "minimum").filter(|least| number < *least) {
            self.report(at, format!("must be at least {least}"));
        }
        if let Some(most) = bound(schema, "maximum").filter(|most| number > *most) {
            self.report(at, format!("must be at most {most}"));
        }
        if let Some(limit) = bound(schema, "exclusiveMinimum").filter(|limit| number <= *limit) {
            self.report(at, format!("must be more than {limit}"));
        }
    }

    fn within(&mut self, at: &mut String, name: &str, check: impl FnOnce(&mut Self, &mut String)) {
        let length = at.len();
        at.push('/');
        // RFC 6901 section 3
        at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        check(self, at);
        at.truncate(length);
    }

    fn report(&mut self, at: &str, detail: impl Into<String>) {
        self.found.push(Violation::new(at, detail));
    }
}

fn bound(schema: &Map<String, Value>, keyword: &str) -> Option<f64> {
    schema.get(keyword)?.as_f64()
}

fn has_type(expected: &Value, value: &Value) -> bool {
    let is = |name: &str| match (name, value) {
        ("null", Value::Null)
        | ("boolean", Value::Bool(_))
        | ("object", Value::Object(_))
        | ("array", Value::Array(_))
        | ("string", Value::String(_))
        | ("number", Value::Number(_)) => true,
        ("integer", Value::Number(number)) => number.is_i64() || number.is_u64(),
        _ => false,
    };
    match expected {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

fn type_name(expected: &Value) -> String {
    match expected {
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
