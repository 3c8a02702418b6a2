//! Bodies that are wrong in exactly one way, and odd values for every place of one.

use serde_json::{Map, Value, json};

use super::case::Case;

/// A name no schema has.
pub(crate) const UNKNOWN: &str = "nobody_knows_this";
/// The largest body, in bytes.
const LARGEST: usize = 1 << 20;

/// The texts of a case that are not JSON as `contract.md` wants it; none if the case is about something else.
pub(crate) fn broken(case: Case, body: &Value) -> Option<Vec<Vec<u8>>> {
    let text = body.to_string();
    let one = |text: String| Some(vec![text.into_bytes()]);
    match case {
        Case::TruncatedJson => Some(vec![
            Vec::new(),
            b" ".to_vec(),
            b"{".to_vec(),
            text.as_bytes()[..text.len() - 1].to_vec(),
            b"{'a': 1}".to_vec(),
        ]),
        Case::DuplicateKey => match body.as_object().and_then(|object| object.iter().next()) {
            Some((name, value)) => {
                let again = format!("{{{}:{value},{}", json!(name), &text[1..]);
                // An escape does not make it another key.
                let escaped = again.replacen(&json!(name).to_string(), &escaped(name), 1);
                Some(vec![again.into_bytes(), escaped.into_bytes()])
            }
            None => one(r#"{"a":1,"a":1}"#.to_owned()),
        },
        Case::NotANumber => {
            Some(["NaN", "Infinity", "-Infinity"].map(|odd| with_first(body, odd).into_bytes()).into())
        }
        Case::TooDeep => one(with_first(body, &("[".repeat(70) + &"]".repeat(70)))),
        Case::TrailingData => {
            Some(vec![format!("{text} {{}}").into_bytes(), format!("{text}]").into_bytes()])
        }
        Case::LoneSurrogate => Some(
            [r#""\ud800""#, r#""\udc00x""#, r#""\ud800A""#]
                .map(|odd| with_first(body, odd).into_bytes())
                .into(),
        ),
        Case::NotUtf8 => {
            let mut bytes = with_first(body, "\"#\"").into_bytes();
            bytes.iter_mut().filter(|byte| **byte == b'#').for_each(|byte| *byte = 0xFF);
            Some(vec![bytes])
        }
        _ => None,
    }
}

/// One byte more than is allowed, all of it JSON.
pub(crate) fn too_large(body: &Value) -> Vec<u8> {
    let mut bytes = body.to_string().into_bytes();
    bytes.resize((LARGEST + 1).max(bytes.len()), b' ');
    bytes
}

/// The body with one more member.
pub(crate) fn with_unknown(body: &Value) -> Option<Value> {
    let mut object = body.as_object()?.clone();
    object.insert(UNKNOWN.to_owned(), 1.into());
    Some(object.into())
}

/// The body without that member.
pub(crate) fn without(body: &Value, name: &str) -> Option<Value> {
    let mut object: Map<String, Value> = body.as_object()?.clone();
    object.remove(name)?;
    Some(object.into())
}

/// The body with odd values in the place of each of its leaves, and what was done, for people.
pub(crate) fn odd(body: &Value) -> Vec<(String, Value)> {
    let mut places = Vec::new();
    leaves(body, String::new(), &mut places);
    places.truncate(40);
    let values = [
        json!(null),
        json!(true),
        json!(""),
        json!("\u{0}"),
        json!("\u{202e}\u{feff} \r\n\t"),
        json!("'; DROP TABLE partie_keys; --"),
        json!("x".repeat(70_000)),
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(0.1),
        json!([]),
        json!({}),
    ];
    let mut out = Vec::new();
    for place in &places {
        for value in &values {
            let mut changed = body.clone();
            if let Some(leaf) = changed.pointer_mut(place) {
                *leaf = value.clone();
                let shown: String = value.to_string().chars().take(40).collect();
                out.push((format!("{place} = {shown}"), changed));
            }
        }
    }
    out
}

fn leaves(value: &Value, at: String, out: &mut Vec<String>) {
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(name, value)| leaves(value, format!("{at}/{}", escape(name)), out));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(index, value)| leaves(value, format!("{at}/{index}"), out));
        }
        _ => out.push(at),
    }
}

/// The text of the body with something else in the place of its first member.
fn with_first(body: &Value, text: &str) -> String {
    let Some((first, _)) = body.as_object().and_then(|object| object.iter().next()) else {
        return format!("{{\"a\":{text}}}");
    };
    let members = body.as_object().into_iter().flatten();
    let members: Vec<String> = members
        .map(|(name, value)| match name == first {
            true => format!("{}:{text}", json!(name)),
            false => format!("{}:{value}", json!(name)),
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A key with its first character as an escape.
fn escaped(name: &str) -> String {
    let mut units = name.encode_utf16();
    let first = units.next().map_or_else(String::new, |unit| format!("\\u{unit:04x}"));
    let plain = json!(name).to_string();
    let rest: String = plain.trim_matches('"').chars().skip(1).collect();
    format!("\"{first}{rest}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_wrong_in_one_way_only() {
        let body = json!({"name": "soup", "tags": ["hot"]});
        let duplicates = broken(Case::DuplicateKey, &body).unwrap();
        assert_eq!(duplicates[0], br#"{"name":"soup","name":"soup","tags":["hot"]}"#);
        assert_eq!(duplicates[1], br#"{"\u006eame":"soup","name":"soup","tags":["hot"]}"#);
        assert_eq!(broken(Case::NotANumber, &body).unwrap()[0], br#"{"name":NaN,"tags":["hot"]}"#);
        assert_eq!(too_large(&body).len(), (1 << 20) + 1);
        assert!(broken(Case::WrongRole, &body).is_none());
    }

    #[test]
    fn odd_values_go_everywhere() {
        let places: Vec<String> =
            odd(&json!({"a/b": {"c": 1}, "d": [true]})).into_iter().map(|(at, _)| at).collect();
        assert_eq!(places.len(), 30);
        assert!(places.iter().any(|at| at == "/a~1b/c = null") && places.iter().any(|at| at == "/d/0 = {}"));
    }
}
