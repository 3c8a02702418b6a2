//! An example of an event, made up from its schema: committed once, and read by every later program.

use partie_contract::{EventSpec, Unreadable, event_document};
use serde_json::{Map, Value, json};

/// An id like any other.
const ID: &str = "01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a";
const TIME: &str = "2026-01-01T12:00:00.000Z";
/// Types that contain themselves end here.
const DEEPEST: usize = 16;

/// An event of that version with its envelope, as it is on the wire.
///
/// # Errors
/// When what was made up does not fit the type: what is only in its code cannot be guessed.
pub(super) fn of(spec: &EventSpec) -> Result<Value, Unreadable> {
    let document = event_document(spec);
    let event = json!({
        "specversion": "1.0",
        "id": ID,
        "source": "sample",
        "type": spec.type_name,
        "dataversion": spec.version,
        "subject": ID,
        "time": TIME,
        "sequence": 1,
        "data": value(&document, &document["data"]["written"], 0),
    });
    spec.read(&event.to_string())?;
    Ok(event)
}

fn value(document: &Value, schema: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
        return value(document, target, depth + 1);
    }
    if let Some(value) =
        schema.get("const").or_else(|| schema["examples"].get(0)).or_else(|| schema["enum"].get(0))
    {
        return value.clone();
    }
    // Of a choice the first one; nothing is a poor example.
    for choice in ["oneOf", "anyOf"] {
        if let Some(first) = schema[choice].get(0) {
            return value(document, first, depth + 1);
        }
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    let lowest = |key: &str| schema[key].as_u64().unwrap_or_default();
    match kind {
        Some("object") => {
            let members = schema["properties"].as_object().into_iter().flatten();
            let members = members.map(|(name, of)| (name.clone(), value(document, of, depth + 1)));
            members.collect::<Map<_, _>>().into()
        }
        Some("array") => {
            let one = value(document, &schema["items"], depth + 1);
            vec![one; usize::try_from(lowest("minItems").max(1)).unwrap_or(1)].into()
        }
        Some("string") => text(schema).into(),
        Some("integer" | "number") => {
            schema.get("minimum").filter(|low| low.as_f64() > Some(0.0)).cloned().unwrap_or_else(|| 1.into())
        }
        Some("boolean") => true.into(),
        _ => Value::Null,
    }
}

fn text(schema: &Value) -> String {
    match (schema["format"].as_str(), schema["pattern"].as_str()) {
        (Some("uuid"), _) => ID.to_owned(),
        (Some("date-time"), _) => TIME.to_owned(),
        (Some("date"), _) => TIME.chars().take(10).collect(),
        (Some("email"), _) => "ada@example.org".to_owned(),
        // Patterns of what everybody has; others are written by hand.
        (_, Some("^[A-Z]{3}$")) => "EUR".to_owned(),
        (_, Some(pattern)) if pattern.contains('@') => "ada@example.org".to_owned(),
        (_, Some(pattern)) if pattern.starts_with(r"^\+[0-9]") => "+4930123456".to_owned(),
        _ => {
            let least = usize::try_from(schema["minLength"].as_u64().unwrap_or_default()).unwrap_or_default();
            format!("{:x<least$}", "text")
        }
    }
}
