//! What a schema says: its alternatives, its kind, its bounds, and its name for people.

use serde_json::{Map, Value};

/// A schema and where it stands in its document.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) schema: Value,
    pub(super) pointer: String,
}

/// How deep a type may be nested in references before somebody is making fun of us.
const DEEPEST: usize = 64;
pub(super) fn node(document: &Value, pointer: &str) -> Option<Node> {
    document.pointer(pointer).map(|schema| Node { schema: schema.clone(), pointer: pointer.to_owned() })
}

/// Follows references.
pub(super) fn resolved(document: &Value, node: &Node) -> Node {
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
pub(super) fn expanded(document: &Value, node: &Node, depth: usize) -> Vec<Node> {
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
pub(super) fn within(node: &Node, at: &str) -> Node {
    let schema = node.schema.pointer(&format!("/{at}")).cloned().unwrap_or(Value::Bool(true));
    Node { schema, pointer: format!("{}/{at}", node.pointer) }
}

pub(super) fn kind(schema: &Value) -> Option<&str> {
    match schema["type"].as_str() {
        None if schema["properties"].is_object() => Some("object"),
        kind => kind,
    }
}

pub(super) fn is_anything(schema: &Value) -> bool {
    kind(schema).is_none() && schema.get("const").is_none()
}

/// Whether values of one kind can be values of the other, apart from what is inside of them.
pub(super) fn accepts(from: &Value, to: &Value) -> bool {
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
pub(super) fn is_counterpart(from: &Value, to: &Value) -> bool {
    let tags = |schema: &Value| -> Vec<(String, Value)> {
        let members = schema["properties"].as_object().into_iter().flatten();
        members.filter_map(|(name, of)| Some((name.clone(), of.get("const")?.clone()))).collect()
    };
    match (tags(from), tags(to)) {
        (from, to) if !from.is_empty() || !to.is_empty() => from == to,
        _ => from["required"] == to["required"],
    }
}

pub(super) fn requires(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
}

/// A bound, be it written down or that of an integer's format.
pub(super) fn bound(schema: &Value, key: &str) -> Option<f64> {
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
pub(super) fn range(schema: &Value) -> Option<(f64, f64)> {
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
pub(super) fn name(schema: &Value) -> String {
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

pub(super) fn names(nodes: &[Node]) -> String {
    nodes.iter().map(|node| name(&node.schema)).collect::<Vec<_>>().join(", ")
}

/// A name as a part of a JSON Pointer (RFC 6901).
pub(in crate::evolution) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
