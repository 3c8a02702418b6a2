//! Changes of contracts and events, one for each rule, and whom they break.

use partie_contract::{Event, EventSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Pair, breaks};

/// A change of a document.
type Change = Box<dyn FnOnce(&mut Value)>;

/// A contract with everything a rule looks at.
fn contract() -> Value {
    let order = json!({
        "type": "object",
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "total": { "$ref": "#/written/Money" },
            "status": { "$ref": "#/written/Status" },
            "note": { "type": ["string", "null"] },
            "lines": { "type": "array", "items": { "$ref": "#/written/Line" } },
            "tags": { "type": "object", "additionalProperties": { "type": "integer", "format": "int32" } },
        },
        "required": ["id", "total", "status", "lines"],
    });
    let types = json!({
        "Order": order,
        "Money": { "type": "object", "properties": { "amount": { "type": "integer", "format": "int32" } }, "required": ["amount"] },
        "Status": { "oneOf": [{ "const": "open", "type": "string" }, { "const": "closed", "type": "string" }] },
        "Mood": { "type": "string", "enum": ["good", "bad"], "x-open": true },
        "Line": { "oneOf": [
            { "type": "object", "properties": { "kind": { "const": "dish" }, "name": { "type": "string" }, "mood": { "$ref": "#/written/Mood" } }, "required": ["kind", "name"] },
            { "type": "object", "properties": { "kind": { "const": "drink" }, "litres": { "type": "number" } }, "required": ["kind", "litres"] },
        ] },
        "New": {
            "type": "object",
            "properties": {
                "name": { "type": "string", "minLength": 1, "maxLength": 80 },
                "when": { "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "null" }] },
                "how": { "enum": ["fast", "slow"], "type": "string" },
                "count": { "type": "integer", "format": "uint8", "minimum": 1 },
            },
            "required": ["name"],
        },
    });
    let read = serde_json::from_str::<Value>(&types.to_string().replace("#/written", "#/read")).unwrap();
    json!({
        "contract": "orders", "service": "orders", "version": 1,
        "operations": {
            "place": {
                "method": "POST", "path": "/api/v1/orders/{id}", "access": ["customer", "service"],
                "keyed": false, "precondition": false,
                "parameters": { "id": { "type": "string" } },
                "query": { "type": "object", "properties": { "dry": { "type": "boolean" } } },
                "body": { "$ref": "#/read/New" },
                "reply": { "status": 201, "kind": "json", "headers": ["location"],
                    "written": { "$ref": "#/written/Order" }, "read": { "$ref": "#/read/Order" } },
                "problems": { "sold-out": { "status": 409, "members": { "until": { "written": { "type": "string" }, "read": { "type": "string" } } } } },
            },
            "watch": {
                "method": "GET", "path": "/api/v1/orders", "access": "authenticated", "keyed": true, "precondition": false,
                "parameters": {}, "reply": { "status": 200, "kind": "empty", "headers": [] }, "problems": {},
            },
        },
        "written": types, "read": read,
    })
}

/// What a change breaks: pointers and reasons.
fn broken(was: &Value, change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
    let mut now = was.clone();
    change(&mut now);
    let services = ["kitchen".to_owned()];
    let pair = Pair { file: "x.json", committed: was, now: &now, services: &services, is_public: true };
    let found = breaks(&pair);
    assert!(
        found.iter().all(|one| one.whom == ["kitchen", "users of the gateway"] && one.was != one.is),
        "{found:?}"
    );
    found.into_iter().map(|one| (one.pointer, one.why)).collect()
}

/// Both faces of a type.
fn types(now: &mut Value, pointer: &str, change: impl Fn(&mut Value)) {
    for face in ["/written", "/read"] {
        change(now.pointer_mut(&format!("{face}{pointer}")).unwrap());
    }
}

#[test]
fn nothing_changed_breaks_nobody() {
    assert_eq!(broken(&contract(), |_| {}), []);
}

#[test]
fn what_adds_or_widens_breaks_nobody() {
    let place = "/operations/place";
    let at = |pointer: &str| format!("{place}{pointer}");
    let set = |pointer: String, value: Value| move |now: &mut Value| put(now, &pointer, value);
    let changes: Vec<(&str, Change)> = vec![
        ("an operation", Box::new(set("/operations/more".into(), json!({ "method": "GET", "path": "/x" })))),
        (
            "another name of an operation",
            Box::new(|now| {
                let place = now["operations"].as_object_mut().unwrap().remove("place").unwrap();
                now["operations"]["put_in"] = place;
            }),
        ),
        ("an optional key", Box::new(set(at("/keyed"), json!("optional")))),
        ("a role", Box::new(set(at("/access"), json!(["customer", "service", "admin"])))),
        ("anybody", Box::new(set("/operations/watch/access".into(), json!("public")))),
        ("a header", Box::new(set(at("/reply/headers"), json!(["etag", "location"])))),
        ("a problem", Box::new(set(at("/problems/late"), json!({ "status": 410, "members": {} })))),
        ("one problem less", Box::new(set(at("/problems"), json!({})))),
        (
            "a member of a problem",
            Box::new(set(at("/problems/sold-out/members/more"), json!({ "written": {}, "read": {} }))),
        ),
        (
            "a parameter of the query",
            Box::new(set(at("/query/properties/slow"), json!({ "type": "boolean" }))),
        ),
        (
            "a query",
            Box::new(set("/operations/watch/query".into(), json!({ "type": "object", "properties": {} }))),
        ),
        (
            "a member of the body",
            Box::new(|now| types(now, "/New/properties", |all| all["why"] = json!({ "type": "string" }))),
        ),
        (
            "an optional member of the answer",
            Box::new(|now| types(now, "/Order/properties", |all| all["why"] = json!({ "type": "string" }))),
        ),
        (
            "a member of the answer, with a default",
            Box::new(|now| {
                types(now, "/Order/properties", |all| all["why"] = json!({ "type": "string" }));
                now["written"]["Order"]["required"].as_array_mut().unwrap().push("why".into());
            }),
        ),
        (
            "bounds of the body",
            Box::new(|now| {
                types(now, "/New/properties", |all| {
                    all["name"] = json!({ "type": "string", "maxLength": 90 });
                    all["count"] = json!({ "type": "integer", "format": "uint16" });
                })
            }),
        ),
        (
            "a value of the body",
            Box::new(|now| {
                types(now, "/New/properties/how", |how| how["enum"] = json!(["fast", "slow", "lazy"]))
            }),
        ),
        (
            "no value of the body is needed",
            Box::new(|now| types(now, "/New", |new| new["required"] = json!([]))),
        ),
        (
            "a value of an open enumeration",
            Box::new(|now| types(now, "/Mood", |mood| mood["enum"] = json!(["good", "bad", "so-so"]))),
        ),
        (
            "one value less in answers",
            Box::new(|now| {
                types(now, "/Status/oneOf", |all| drop(all.as_array_mut().unwrap().pop()));
                // Readers still know it.
                now["read"]["Status"] = contract()["read"]["Status"].clone();
            }),
        ),
        (
            "an enumeration said otherwise",
            Box::new(|now| {
                types(now, "/Status", |status| {
                    *status = json!({ "type": "string", "enum": ["closed", "open"] });
                })
            }),
        ),
        ("words", Box::new(|now| types(now, "/Order", |order| order["title"] = "An order".into()))),
        (
            "another name of a type",
            Box::new(|now| {
                for face in ["written", "read"] {
                    let money = now[face].as_object_mut().unwrap().remove("Money").unwrap();
                    now[face]["Amount"] = money;
                    now[face]["Order"]["properties"]["total"] = json!({ "$ref": format!("#/{face}/Amount") });
                }
            }),
        ),
    ];
    for (what, change) in changes {
        assert_eq!(broken(&contract(), change), [], "{what}");
    }
}

#[test]
fn what_takes_away_or_narrows_breaks_somebody() {
    let set = |pointer: &str, value: Value| {
        let pointer = pointer.to_owned();
        move |now: &mut Value| put(now, &pointer, value)
    };
    let remove = |pointer: &str, name: &'static str| {
        let pointer = pointer.to_owned();
        move |now: &mut Value| drop(now.pointer_mut(&pointer).unwrap().as_object_mut().unwrap().remove(name))
    };
    let changes: Vec<(Change, &str, &str)> = vec![
        // Operations.
        (Box::new(remove("/operations", "watch")), "/operations/watch", "404"),
        (Box::new(set("/operations/place/method", json!("PUT"))), "/operations/place/method", "404 or 405"),
        (Box::new(set("/operations/place/path", json!("/api/v1/x"))), "/operations/place/path", "404"),
        (Box::new(set("/operations/place/keyed", json!(true))), "/operations/place/keyed", "400"),
        (Box::new(set("/operations/watch/keyed", json!(false))), "/operations/watch/keyed", "done twice"),
        (
            Box::new(set("/operations/place/precondition", json!(true))),
            "/operations/place/precondition",
            "428",
        ),
        (
            Box::new(set("/operations/place/access", json!(["service"]))),
            "/operations/place/access",
            "customer may not",
        ),
        (
            Box::new(set("/operations/watch/access", json!(["cook"]))),
            "/operations/watch/access",
            "without the role cook",
        ),
        // What is sent.
        (
            Box::new(set("/operations/place/parameters/id", json!({ "type": "integer" }))),
            "/operations/place/parameters/id",
            "`string` is not known",
        ),
        (
            Box::new(set("/operations/place/query/required", json!(["dry"]))),
            "/operations/place/query/properties/dry",
            "422",
        ),
        (
            Box::new(remove("/operations/place/query/properties", "dry")),
            "/operations/place/query/properties/dry",
            "it is gone",
        ),
        (Box::new(remove("/operations/place", "body")), "/operations/place/body", "not read any more"),
        (
            Box::new(set("/operations/watch/body", json!({ "type": "object" }))),
            "/operations/watch/body",
            "callers send none",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/New", |new| {
                    new["properties"]["why"] = json!({ "type": "string" });
                    new["required"] = json!(["name", "why"]);
                })
            }),
            "/read/New/properties/why",
            "it has to be there",
        ),
        (
            Box::new(|now: &mut Value| types(now, "/New", |new| new["required"] = json!(["name", "how"]))),
            "/read/New/properties/how",
            "it has to be there",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/New/properties", |all| drop(all.as_object_mut().unwrap().remove("how")))
            }),
            "/read/New/properties/how",
            "it is gone, and what they send today is refused with 422",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/New/properties/name", |name| name["maxLength"] = 40.into())
            }),
            "/read/New/properties/name/maxLength",
            "the maxLength does not fit",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/New/properties/name", |name| name["pattern"] = "^a".into())
            }),
            "/read/New/properties/name/pattern",
            "the pattern",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/New/properties/count", |count| count["format"] = "int8".into())
            }),
            "/read/New/properties/count/maximum",
            "the maximum",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/New/properties/when", |when| {
                    *when = json!({ "type": "string", "format": "date-time" })
                })
            }),
            "/read/New/properties/when",
            "`null` is not known",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/New/properties/how", |how| how["enum"] = json!(["fast"]))
            }),
            "/read/New/properties/how",
            "`slow` is not known",
        ),
        // What is answered.
        (
            Box::new(set("/operations/place/reply/status", json!(200))),
            "/operations/place/reply/status",
            "the status",
        ),
        (
            Box::new(set("/operations/watch/reply/kind", json!("events"))),
            "/operations/watch/reply/kind",
            "the other kind",
        ),
        (
            Box::new(set("/operations/place/reply/headers", json!([]))),
            "/operations/place/reply/headers",
            "look for it",
        ),
        (
            Box::new(set("/operations/place/problems/sold-out/status", json!(410))),
            "/operations/place/problems/sold-out/status",
            "the status",
        ),
        (
            Box::new(remove("/operations/place/problems/sold-out/members", "until")),
            "/operations/place/problems/sold-out/members/until",
            "fault of the platform",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/Order/properties", |all| drop(all.as_object_mut().unwrap().remove("note")))
            }),
            "/written/Order/properties/note",
            "it is gone",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/Order", |order| order["required"] = json!(["id", "total", "status"]))
            }),
            "/written/Order/properties/lines",
            "it may be missing",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/Money/properties/amount", |amount| *amount = json!({ "type": "string" }))
            }),
            "/written/Money/properties/amount",
            "`string` is not known",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/Money/properties/amount", |amount| amount["format"] = "int64".into())
            }),
            "/written/Money/properties/amount/minimum",
            "the minimum",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/Order/properties/tags/additionalProperties", |tag| {
                    *tag = json!({ "type": "boolean" })
                })
            }),
            "/written/Order/properties/tags/additionalProperties",
            "`boolean`",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/Status/oneOf", |all| {
                    all.as_array_mut().unwrap().push(json!({ "const": "lost" }))
                })
            }),
            "/written/Status",
            "`lost` is not known there, and callers that run now",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/Order/properties/id", |id| {
                    *id = json!({ "type": ["string", "null"], "format": "uuid" })
                })
            }),
            "/written/Order/properties/id",
            "`null` is not known",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/Line/oneOf/1/properties", |drink| {
                    drop(drink.as_object_mut().unwrap().remove("litres"))
                })
            }),
            "/written/Line/oneOf/1/properties/litres",
            "it is gone",
        ),
        (
            Box::new(|now: &mut Value| {
                types(now, "/Order", |order| {
                    order["properties"]["why"] = json!({ "type": "string" });
                    order["required"].as_array_mut().unwrap().push("why".into());
                })
            }),
            "/written/Order/properties/why",
            "a new caller cannot read the answer of a server that still runs",
        ),
    ];
    for (change, pointer, why) in changes {
        let found = broken(&contract(), change);
        assert!(
            found.iter().any(|(at, text)| at == pointer && text.contains(why)),
            "{pointer}, {why}: {found:#?}"
        );
    }
}

#[test]
fn one_change_of_a_type_is_told_once() {
    let found = broken(&contract(), |now| {
        types(now, "/Money/properties", |all| drop(all.as_object_mut().unwrap().remove("amount")));
        types(now, "/Money", |money| money["required"] = json!([]));
    });
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn an_event_is_read_by_handlers_of_before_and_its_past_by_those_of_now() {
    let face = json!({ "type": "object", "properties": { "n": { "type": "integer", "format": "uint32" } }, "required": ["n"] });
    let event = json!({
        "event": "order.placed", "version": 3, "data": { "written": face, "read": face },
        "written": {}, "read": {},
    });
    let both = |now: &mut Value, change: &dyn Fn(&mut Value)| {
        ["/data/written", "/data/read"].iter().for_each(|at| change(now.pointer_mut(at).unwrap()));
    };
    let add = |now: &mut Value| both(now, &|face| face["properties"]["more"] = json!({ "type": "string" }));
    assert_eq!(broken(&event, add), []);
    let found = broken(&event, |now| both(now, &|face| face["properties"] = json!({})));
    assert!(found[0].1.contains("it is gone, and handlers that run now cannot read it"), "{found:?}");
    let found = broken(&event, |now| {
        add(now);
        both(now, &|face| face["required"] = json!(["n", "more"]));
    });
    assert_eq!(found.len(), 1);
    assert!(
        found[0].0 == "/data/written/properties/more" && found[0].1.contains("wait in outbox or broker"),
        "{found:?}"
    );

    let mut now = event.clone();
    both(&mut now, &|face| face["properties"] = json!({}));
    let pair = Pair {
        file: "events/order.placed.v3.json",
        committed: &event,
        now: &now,
        services: &[],
        is_public: false,
    };
    let text = breaks(&pair)[0].to_string();
    assert!(
        text.starts_with(
            "events/order.placed.v3.json#/data/written/properties/n\n  was: integer (uint32)\n  is: gone\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("breaks whoever uses it") && text.contains("as version 4 with `from = ..` beside it"),
        "{text}"
    );
}

/// How it went, with a place for what later programs say.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-open" = true))]
enum Open {
    Well,
    #[serde(other)]
    Other,
}

/// The same, later.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-open" = true))]
enum OpenLater {
    Well,
    Badly,
    #[serde(other)]
    Other,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event("race.ended", version = 1, subject = "race")]
struct Ended {
    race: String,
    how: Open,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event("race.ended", version = 1, subject = "race")]
struct EndedLater {
    race: String,
    how: OpenLater,
}

#[test]
fn an_open_enumeration_may_grow_and_its_readers_bear_it() {
    let was = partie_contract::event_document(&EventSpec::of::<Ended>());
    let is = partie_contract::event_document(&EventSpec::of::<EndedLater>());
    assert_eq!(broken(&was, |now| *now = is.clone()), []);
    assert_eq!(serde_json::from_str::<Open>("\"badly\"").unwrap(), Open::Other);
    // Closed, it would break them.
    let closed =
        serde_json::from_str::<Value>(&was.to_string().replace("\"x-open\":true", "\"x\":1")).unwrap();
    assert_eq!(broken(&closed, |now| *now = is).len(), 1);
}

/// Sets a value, whether it is there or not.
fn put(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[name] = value;
}
