//! What a schema refuses, and what it leaves to the parser.

use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is read")]
struct Basket {
    #[schemars(length(min = 1, max = 2))]
    items: Vec<Line>,
    note: Option<String>,
    when: crate::Timestamp,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is read")]
struct Line {
    #[schemars(range(min = 1, max = 99))]
    quantity: u32,
    kind: Kind,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Dish,
    Drink,
}

fn found(value: &Value) -> Vec<String> {
    Known::of(schema_of::<Basket>)
        .violations(value, Mode::Strict)
        .into_iter()
        .map(|v| format!("{} {}", v.pointer, v.detail))
        .collect()
}

#[test]
fn a_good_body_has_no_violations() {
    let good = json!({"items":[{"quantity":1,"kind":"dish"}],"note":null,"when":"2026-01-01T00:00:00Z"});
    assert_eq!(found(&good), Vec::<String>::new());
}

#[test]
fn everything_wrong_is_found_at_once() {
    let bad = json!({"items":[{"quantity":0,"kind":"dish"},{"quantity":"2","kind":"soup","x~/y":1}],
        "note":7,"when":"soon","extra":true});
    assert_eq!(
        found(&bad),
        [
            "/extra is not known here",
            "/items/0/quantity must be at least 1",
            "/items/1/kind expected one of \"dish\", \"drink\"",
            "/items/1/quantity expected integer",
            "/items/1/x~0~1y is not known here",
            "/note expected string or null",
            "/when expected a date-time",
        ]
    );
    assert_eq!(found(&json!({"items":[]})), ["/items needs at least 1 entries", "/when is required"]);
    assert_eq!(found(&json!([])), [" expected object"]);
}

#[test]
fn tolerance_only_concerns_unknown_members() {
    let value = json!({"items":[],"when":"2026-01-01T00:00:00Z","extra":true});
    assert_eq!(Known::of(schema_of::<Basket>).violations(&value, Mode::Tolerant).len(), 1);
}

#[test]
fn what_the_parser_took_is_checked_for_bounds_alone() {
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct Renamed {
        #[serde(alias = "old")]
        new: u8,
        #[schemars(length(max = 2))]
        text: Option<String>,
        #[serde(flatten)]
        choice: Choice,
    }
    #[derive(Deserialize, JsonSchema)]
    #[serde(tag = "kind")]
    #[expect(dead_code, reason = "only its schema is read")]
    enum Choice {
        A { a: u8 },
        B { b: u8 },
    }
    let known = Known::of(schema_of::<Renamed>);
    let found = |value: &Value| {
        known.violations(value, Mode::Parsed).into_iter().map(|v| v.pointer).collect::<Vec<_>>()
    };
    assert_eq!(found(&json!({"old": 1, "kind": "B", "b": 2, "later": true})), Vec::<String>::new());
    assert_eq!(found(&json!({"new": 1, "kind": "A", "a": 2, "text": "long"})), ["/text"]);
    assert!(known.is_bounded());
    assert!(!Known::of(schema_of::<Choice>).is_bounded());
    assert_eq!(Known::of(schema_of::<Basket>).property_type("note"), Some("string"));
}

/// Every kind of member a contract has; `next` makes it recursive.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is read")]
struct Order {
    basket: Basket,
    #[serde(default)]
    reserve: Option<Line>,
    #[schemars(length(max = 3))]
    tags: Vec<String>,
    #[schemars(range(min = 0.5))]
    weight: f64,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is read")]
struct Recursive {
    next: Option<Box<Self>>,
}

#[test]
fn what_is_surely_taken_has_no_violations() {
    let good = json!({"basket":{"items":[{"quantity":1,"kind":"dish"}],"note":"x","when":"2026-01-01T00:00:00Z"},
        "reserve":{"quantity":99,"kind":"drink"},"tags":["a"],"weight":0.5});
    let known = Known::of(schema_of::<Order>);
    assert!(known.surely_takes(&good.to_string()), "the hot path reads what is usual");
    // Each place takes the wrong type, the wrong size, null, or is missing.
    let places = [
        "/basket",
        "/basket/items",
        "/basket/items/0",
        "/basket/items/0/quantity",
        "/basket/items/0/kind",
        "/basket/note",
        "/basket/when",
        "/reserve",
        "/reserve/quantity",
        "/tags",
        "/tags/0",
        "/weight",
    ];
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(100),
        json!(-1),
        json!(0.25),
        json!("soon"),
        json!("dish"),
        json!([]),
        json!([1, 2, 3]),
        json!({}),
        json!({"quantity": 1}),
    ];
    let mut texts = Vec::new();
    for place in places {
        for value in &values {
            let mut changed = good.clone();
            *changed.pointer_mut(place).unwrap() = value.clone();
            texts.push(changed);
        }
        let (parent, name) = place.rsplit_once('/').unwrap();
        let mut changed = good.clone();
        if let Some(Value::Object(members)) = changed.pointer_mut(parent) {
            members.remove(name);
            texts.push(changed.clone());
        }
        if let Some(Value::Object(members)) = changed.pointer_mut(parent) {
            members.insert("extra".to_owned(), json!(1));
            texts.push(changed);
        }
    }
    let mut taken = 0;
    for value in texts {
        let violations = known.violations(&value, Mode::Parsed);
        if known.surely_takes(&value.to_string()) {
            assert_eq!(violations, [], "{value}");
            taken += 1;
        }
    }
    assert!(taken > 10, "{taken}");
    for text in [
        r#"{"a":1}"#,
        r#"{"quantity":1,"kind":"dish","quantity":1}"#,
        r#"{"quantity":1,"kind":"dish\ud800"}"#,
    ] {
        assert!(!Known::of(schema_of::<Line>).surely_takes(text), "{text}");
    }
    assert!(!Known::of(schema_of::<Value>).surely_takes("[1]"), "left to the thorough check");
    assert!(!Known::of(schema_of::<Recursive>).surely_takes("{}"), "left to the thorough check");
}

fn surely(text: &str) -> bool {
    Known::of(schema_of::<Order>).surely_takes(text)
}

#[test]
fn what_is_surely_taken_is_strict_json_whatever_happened_to_it() {
    const GOOD: &str = r#"{"basket":{"items":[{"quantity":10,"kind":"dish"},{"kind":"drink","quantity":9}],
        "note":"\u00e4 \"and\" a long \ud83d\ude00 note","when":"2026-01-01T00:00:00Z"},"reserve":null,
        "tags":["a","\u20ac","\n"],"weight":-12.5e-1,"weight":0.50}"#;
    let good = GOOD.replace("-12.5e-1,\"weight\":", "");
    assert!(surely(&good), "{good}");
    assert!(!surely(GOOD), "one member twice");
    let known = Known::of(schema_of::<Order>);
    let mut taken = 0;
    let mut check = |text: &[u8]| {
        let Ok(text) = str::from_utf8(text) else { return };
        if surely(text) {
            crate::json::check(text.as_bytes()).unwrap();
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(known.violations(&value, Mode::Strict), [], "{text}");
            taken += 1;
        }
    };
    for at in 0..good.len() {
        let (before, after) = good.as_bytes().split_at(at);
        check(before);
        check(&[before, &after[1..]].concat());
        for byte in *b"\0\n \"\\{}[]:,-+.019eEutn\x7f" {
            check(&[before, &[byte], after].concat());
            check(&[before, &[byte], &after[1..]].concat());
        }
    }
    assert!(taken > 500, "{taken}");
}

#[test]
fn numbers_are_what_the_parser_makes_of_them() {
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct Numbers {
        #[schemars(range(min = -90, max = 90))]
        degrees: Option<f64>,
        #[schemars(range(min = 1, max = 99))]
        count: Option<u32>,
    }
    let known = Known::of(schema_of::<Numbers>);
    for number in [
        "0",
        "-0",
        "-0.0",
        "7",
        "90",
        "91",
        "-90",
        "-90.1",
        "90.0",
        "90.000000000000001",
        "90.00000000000000000000000001",
        "89.9999999999999999999",
        "0.1",
        "1e1",
        "1E+1",
        "1e-400",
        "1e400",
        "9e1",
        "9.1e1",
        "123456789012345678",
        "123456789012345678901234567890",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "--1",
        "1.5.5",
        "0x1",
        "NaN",
    ] {
        for member in ["degrees", "count"] {
            let text = format!("{{\"{member}\":{number}}}");
            let fits = serde_json::from_str::<Value>(&text)
                .is_ok_and(|value| known.violations(&value, Mode::Strict).is_empty());
            assert_eq!(known.surely_takes(&text), fits, "{text}");
        }
    }
}
