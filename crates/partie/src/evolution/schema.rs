//! Whether everything one schema describes can be read by another: the rules for types.
//!
//! It knows the part of JSON Schema that types of contracts become. Readers are tolerant of members they do not know, as
//! Partie's are between services; a server is not, towards its users.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::change::Why;

/// Who reads what whom wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The server of now, what callers of before send.
    Sent,
    /// Callers and handlers of before, what the program of now writes.
    Written,
    /// Callers and handlers of now, what a program of before wrote.
    WrittenBefore,
}

/// Two documents, one of which is committed.
pub(super) struct Documents<'a> {
    pub(super) committed: &'a Value,
    pub(super) now: &'a Value,
}

/// Something a reader cannot read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Misfit {
    /// Where, in the committed document.
    pub(super) pointer: String,
    pub(super) was: String,
    pub(super) is: String,
    pub(super) why: Why,
}

/// One comparison.
struct Fit<'a> {
    reading: Reading,
    writer: &'a Value,
    reader: &'a Value,
    seen: BTreeSet<(String, String)>,
    found: Vec<Misfit>,
}

/// A schema and where it stands in its document.
#[derive(Debug, Clone)]
struct Node {
    schema: Value,
    pointer: String,
}

/// How deep a type may be nested in references before somebody is making fun of us.
const DEEPEST: usize = 64;
/// Bounds a reader may have from below, and from above.
const LOWER: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const UPPER: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// What has to stay the same if the reader states it.
const SAME: [&str; 4] = ["format", "pattern", "multipleOf", "uniqueItems"];

/// What the reader cannot read of the schemas at these pointers: the committed one, and the one of now.
pub(super) fn misfits(documents: &Documents<'_>, reading: Reading, was: &str, is: &str) -> Vec<Misfit> {
    let (writer, reader) = match reading {
        Reading::Written => (documents.now, documents.committed),
        Reading::Sent | Reading::WrittenBefore => (documents.committed, documents.now),
    };
    let mut fit = Fit { reading, writer, reader, seen: BTreeSet::new(), found: Vec::new() };
    let (from, to) = if reading == Reading::Written { (is, was) } else { (was, is) };
    if let (Some(from), Some(to)) = (node(writer, from), node(reader, to)) {
        fit.nodes(&from, &to);
    }
    fit.found
}

fn node(document: &Value, pointer: &str) -> Option<Node> {
    document.pointer(pointer).map(|schema| Node { schema: schema.clone(), pointer: pointer.to_owned() })
}

// === impl Fit ===

impl Fit<'_> {
    fn nodes(&mut self, writer: &Node, reader: &Node) {
        let (writer, reader) = (resolved(self.writer, writer), resolved(self.reader, reader));
        if !self.seen.insert((writer.pointer.clone(), reader.pointer.clone())) {
            return;
        }
        let (written, read) = (expanded(self.writer, &writer, 0), expanded(self.reader, &reader, 0));
        // An enumeration with a place for what it does not know.
        let is_open = reader.schema["x-open"] == true;
        let mut strangers = Vec::new();
        for from in &written {
            let all = || read.iter().filter(|to| accepts(&from.schema, &to.schema));
            match all().find(|to| is_counterpart(&from.schema, &to.schema)).or_else(|| all().next()) {
                Some(to) => self.values(from, to),
                None if is_open && from.schema.get("const").is_some() => {}
                None => strangers.push(name(&from.schema)),
            }
        }
        if !strangers.is_empty() {
            self.found(&writer, &reader, "", Why::Values(strangers), names(&written), names(&read));
        }
    }

    /// Two that are of one kind.
    fn values(&mut self, writer: &Node, reader: &Node) {
        let (from, to) = (&writer.schema, &reader.schema);
        if to.get("const").is_some() || from.get("const").is_some() || is_anything(to) {
            return;
        }
        for (keys, is_lower) in [(LOWER, true), (UPPER, false)] {
            for key in keys {
                let (has, wants) = (bound(from, key), bound(to, key));
                let Some(wanted) = wants else { continue };
                let fits = has.is_some_and(|has| if is_lower { has >= wanted } else { has <= wanted });
                if !fits {
                    let text = |bound: Option<f64>| bound.map_or("none".to_owned(), |it| it.to_string());
                    self.found(writer, reader, key, Why::Bound(key), text(has), text(wants));
                }
            }
        }
        for key in SAME {
            let stated = |schema: &Value| {
                schema.get(key).filter(|_| key != "format" || range(schema).is_none()).cloned()
            };
            let (has, wants) = (stated(from), stated(to));
            if wants.is_some() && has != wants {
                let text = |value: Option<Value>| value.map_or("none".to_owned(), |it| it.to_string());
                self.found(writer, reader, key, Why::Bound(key), text(has), text(wants));
            }
        }
        match kind(to) {
            Some("object") => self.objects(writer, reader),
            Some("array") => self.arrays(writer, reader),
            _ => {}
        }
    }

    fn objects(&mut self, writer: &Node, reader: &Node) {
        let (none, (from, to)) = (Map::new(), (&writer.schema, &reader.schema));
        let members = |schema: &Value| schema["properties"].as_object().unwrap_or(&none).clone();
        let (has, wants) = (members(from), members(to));
        let takes_others = !matches!(to.get("additionalProperties"), None | Some(Value::Bool(false)));
        for (name, schema) in &has {
            let at = format!("properties/{}", escaped(name));
            match wants.contains_key(name) {
                true => self.nodes(&within(writer, &at), &within(reader, &at)),
                false if self.reading == Reading::Sent && !takes_others => {
                    let was = self::name(schema);
                    self.found(writer, reader, &at, Why::Removed, was, "gone".to_owned());
                }
                false => {}
            }
        }
        for (name, schema) in &wants {
            let at = format!("properties/{}", escaped(name));
            let (always, needed) = (requires(from, name), requires(to, name));
            match has.contains_key(name) {
                false if self.reading == Reading::Written => {
                    self.found(writer, reader, &at, Why::Removed, "gone".to_owned(), self::name(schema));
                }
                false if needed => {
                    let is = format!("{}, required", self::name(schema));
                    self.found(writer, reader, &at, Why::Required, "not there".to_owned(), is);
                }
                true if needed && !always => {
                    let why = if self.reading == Reading::Written { Why::Optional } else { Why::Required };
                    self.found(writer, reader, &at, why, "optional".to_owned(), "required".to_owned());
                }
                _ => {}
            }
        }
        if [from, to].iter().all(|schema| schema["additionalProperties"].is_object()) {
            let at = "additionalProperties";
            self.nodes(&within(writer, at), &within(reader, at));
        }
    }

    fn arrays(&mut self, writer: &Node, reader: &Node) {
        let has = |key: &str| [writer, reader].iter().all(|node| node.schema.get(key).is_some());
        if has("items") {
            self.nodes(&within(writer, "items"), &within(reader, "items"));
        }
        if has("prefixItems") {
            let count = |node: &Node| node.schema["prefixItems"].as_array().map_or(0, Vec::len);
            for number in 0..count(writer).min(count(reader)) {
                let at = format!("prefixItems/{number}");
                self.nodes(&within(writer, &at), &within(reader, &at));
            }
        }
    }

    /// Notes what does not fit, from the committed document's side.
    fn found(&mut self, writer: &Node, reader: &Node, at: &str, why: Why, has: String, wants: String) {
        let (node, was, is) = match self.reading {
            Reading::Written => (reader, wants, has),
            Reading::Sent | Reading::WrittenBefore => (writer, has, wants),
        };
        let slash = if at.is_empty() { "" } else { "/" };
        self.found.push(Misfit { pointer: format!("{}{slash}{at}", node.pointer), was, is, why });
    }
}

// === schemas ===

/// Follows references.
fn resolved(document: &Value, node: &Node) -> Node {
    let mut at = node.clone();
    for _ in 0..DEEPEST {
        let Some(reference) = at.schema["$ref"].as_str() else { break };
        let pointer = reference.trim_start_matches('#').to_owned();
        let Some(schema) = document.pointer(&pointer) else { break };
        at = Node { schema: schema.clone(), pointer };
    }
    at
}

/// The alternatives of a schema, each of one type or one value.
fn expanded(document: &Value, node: &Node, depth: usize) -> Vec<Node> {
    let node = resolved(document, node);
    let Some(object) = node.schema.as_object().filter(|_| depth < DEEPEST) else { return vec![node] };
    if let Some(all) = object.get("allOf").and_then(Value::as_array) {
        let merged = all.iter().fold(without(object, "allOf"), |merged, one| {
            let one = Node { schema: one.clone(), pointer: node.pointer.clone() };
            merge(merged, &resolved(document, &one).schema)
        });
        return expanded(document, &Node { schema: merged, ..node }, depth + 1);
    }
    for key in ["oneOf", "anyOf"] {
        let Some(alternatives) = object.get(key).and_then(Value::as_array) else { continue };
        let common = without(object, key);
        let each = alternatives.iter().enumerate().flat_map(|(number, one)| {
            let pointer = format!("{}/{key}/{number}", node.pointer);
            let one = resolved(document, &Node { schema: one.clone(), pointer });
            let schema = if common["properties"].is_object() {
                merge(common.clone(), &one.schema)
            } else {
                one.schema
            };
            expanded(document, &Node { schema, pointer: one.pointer }, depth + 1)
        });
        return each.collect();
    }
    if let Some(values) = object.get("enum").and_then(Value::as_array) {
        let each = values.iter().map(|value| Node {
            schema: serde_json::json!({ "const": value }),
            pointer: node.pointer.clone(),
        });
        return each.collect();
    }
    if let Some(types) = object.get("type").and_then(Value::as_array) {
        let each = types.iter().map(|one| {
            // The rest of the schema is about the other types.
            let mut schema = if one == "null" { Value::Object(Map::new()) } else { node.schema.clone() };
            schema["type"] = one.clone();
            Node { schema, pointer: node.pointer.clone() }
        });
        return each.collect();
    }
    vec![node]
}

fn without(object: &Map<String, Value>, key: &str) -> Value {
    object.iter().filter(|(own, _)| *own != key).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// One schema that says what both say.
fn merge(mut into: Value, from: &Value) -> Value {
    for (key, value) in from.as_object().into_iter().flatten() {
        match (&mut into[key.as_str()], value) {
            (Value::Object(own), Value::Object(more)) => own.extend(more.clone()),
            (Value::Array(own), Value::Array(more)) => own.extend(more.iter().cloned()),
            (own, value) => *own = value.clone(),
        }
    }
    into
}

/// The schema at a place inside.
fn within(node: &Node, at: &str) -> Node {
    let schema = node.schema.pointer(&format!("/{at}")).cloned().unwrap_or(Value::Bool(true));
    Node { schema, pointer: format!("{}/{at}", node.pointer) }
}

fn kind(schema: &Value) -> Option<&str> {
    match schema["type"].as_str() {
        None if schema["properties"].is_object() => Some("object"),
        kind => kind,
    }
}

fn is_anything(schema: &Value) -> bool {
    kind(schema).is_none() && schema.get("const").is_none()
}

/// Whether values of one kind can be values of the other, apart from what is inside of them.
fn accepts(from: &Value, to: &Value) -> bool {
    match (from.get("const"), to.get("const")) {
        _ if is_anything(to) => true,
        (Some(from), Some(to)) => from == to,
        (None, Some(_)) => false,
        (Some(value), None) => kind(to).is_some_and(|kind| is_of(value, kind)),
        (None, None) => match (kind(from), kind(to)) {
            (Some("integer"), Some("number")) => true,
            (from, to) => from == to,
        },
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}

/// Whether these are the same alternative: of objects, those with the same tag, or the same one member.
fn is_counterpart(from: &Value, to: &Value) -> bool {
    let tags = |schema: &Value| -> Vec<(String, Value)> {
        let members = schema["properties"].as_object().into_iter().flatten();
        members.filter_map(|(name, of)| Some((name.clone(), of.get("const")?.clone()))).collect()
    };
    match (tags(from), tags(to)) {
        (from, to) if !from.is_empty() || !to.is_empty() => from == to,
        _ => from["required"] == to["required"],
    }
}

fn requires(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
}

/// A bound, be it written down or that of an integer's format.
fn bound(schema: &Value, key: &str) -> Option<f64> {
    let of_format = range(schema).and_then(|(lowest, highest)| match key {
        "minimum" => Some(lowest),
        "maximum" => Some(highest),
        _ => None,
    });
    let stated = schema[key].as_f64();
    match key {
        "minimum" => stated.into_iter().chain(of_format).reduce(f64::max),
        "maximum" => stated.into_iter().chain(of_format).reduce(f64::min),
        _ => stated,
    }
}

/// What an integer of that format can be.
fn range(schema: &Value) -> Option<(f64, f64)> {
    Some(match schema["format"].as_str()? {
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "uint8" => (0.0, u8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "uint16" => (0.0, u16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "uint32" => (0.0, u32::MAX.into()),
        "int64" | "int" => (-(2f64.powi(63)), 2f64.powi(63)),
        "uint64" | "uint" => (0.0, 2f64.powi(64)),
        _ => return None,
    })
}

/// A schema in a few words.
fn name(schema: &Value) -> String {
    let last = |reference: &str| reference.rsplit('/').next().unwrap_or_default().to_owned();
    if let Some(value) = schema.get("const") {
        return value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    }
    match (schema["$ref"].as_str(), kind(schema), schema["format"].as_str()) {
        (Some(reference), ..) => last(reference),
        (None, Some(kind), Some(format)) if kind != "null" => format!("{kind} ({format})"),
        (None, Some(kind), _) => kind.to_owned(),
        _ => ["anyOf", "oneOf"].iter().find_map(|key| schema[*key].as_array()).map_or_else(
            || "anything".to_owned(),
            |all| all.iter().map(name).collect::<Vec<_>>().join(" or "),
        ),
    }
}

fn names(nodes: &[Node]) -> String {
    nodes.iter().map(|node| name(&node.schema)).collect::<Vec<_>>().join(", ")
}

/// A name as a part of a JSON Pointer (RFC 6901).
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
