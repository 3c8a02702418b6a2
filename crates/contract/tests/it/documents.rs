//! The table and the OpenAPI document say what the trait says.

use std::collections::HashSet;
use std::time::Duration;

use partie_contract::{Access, Contract, Verb, openapi};
use serde_json::{Value, json};

use crate::kitchen::KITCHEN;

mod waiters {
    use partie_contract::{Call, NoContent, Outcome, contract};

    /// A second contract of the kitchen, with a method of the same name, as the tutorials would have it.
    #[contract(service = "kitchen", prefix = "/api/seed", compat)]
    pub(super) trait FrontDesk {
        #[post("/", public, keyed)]
        async fn find(&self, cx: &Call) -> Outcome<NoContent>;
    }
}

const CONTRACTS: [&Contract; 2] = [&KITCHEN, &waiters::FRONT_DESK];

#[test]
fn the_table_says_what_the_trait_says() {
    let operation = |name: &str| KITCHEN.operations.iter().find(|operation| operation.name == name).unwrap();
    assert_eq!((KITCHEN.service, KITCHEN.name, KITCHEN.version), ("kitchen", "kitchen", 1));
    assert_eq!(KITCHEN.doc, "A kitchen with one operation of every shape.");
    assert_eq!(operation("find").doc, "Find dishes.\n\nIn the order of their names.");
    assert_eq!(operation("remove").verb, Verb::Delete);
    assert_eq!(operation("remove").access, Access::Roles(&["cook", "chef"]));
    assert_eq!(operation("dish").access, Access::Public);
    assert_eq!(operation("cook").access, Access::Authenticated);
    assert_eq!(operation("cook").timeout, Some(Duration::from_secs(2)));
    assert_eq!(operation("echo").path, "/api/v1/echo/{first}/and/{second}");
    let names: Vec<&str> = operation("echo").params.iter().map(|param| param.name).collect();
    assert_eq!(names, ["first", "second"]);
    assert!(operation("add").keyed && !operation("add").key_optional && operation("add").is_retry_safe());
    assert!(operation("replace").precondition && operation("notes").is_stream());
    assert!(operation("me").no_store && !operation("add").no_store);
    assert_eq!(operation("add").reply.status, 201);
    assert_eq!(operation("add").problems.len(), 3);

    let desk = &waiters::FRONT_DESK.operations[0];
    assert_eq!(
        (desk.path, desk.version, desk.full_name().as_str()),
        ("/api/seed", 0, "kitchen.front_desk.find")
    );
    assert!(desk.keyed && desk.key_optional && !desk.is_retry_safe());
    assert_eq!(operation("find").full_name(), "kitchen.find");
}

#[test]
fn the_document_has_every_operation() {
    let document = openapi("Kitchen", &CONTRACTS);
    let mut ids = HashSet::new();
    for operation in CONTRACTS.iter().flat_map(|contract| contract.operations) {
        let entry = &document["paths"][operation.path][operation.verb.as_str().to_lowercase()];
        assert!(entry.is_object(), "{operation:?}");
        assert!(ids.insert(entry["operationId"].as_str().unwrap().to_owned()), "{operation:?}");
        assert_eq!(entry["requestBody"].is_object(), operation.body.is_some(), "{operation:?}");
        let success = &entry["responses"][operation.reply.status.to_string()];
        assert!(success.is_object(), "{operation:?}");
        assert_eq!(success["headers"]["Cache-Control"].is_object(), operation.no_store, "{operation:?}");
        for problem in operation.problems {
            let schema = &entry["responses"][problem.status.to_string()]["content"]["application/problem+json"]
                ["schema"];
            let codes = &schema["allOf"][1]["properties"]["code"]["enum"];
            assert!(codes.as_array().unwrap().contains(&json!(problem.code)), "{operation:?} {codes}");
        }
        let headers = parameters(entry, "header");
        assert_eq!(headers.contains(&"Idempotency-Key".to_owned()), operation.keyed, "{operation:?}");
        assert_eq!(headers.contains(&"If-Match".to_owned()), operation.precondition, "{operation:?}");
    }
    let paths = document["paths"].as_object().unwrap().values();
    assert_eq!(paths.map(|item| item.as_object().unwrap().len()).sum::<usize>(), ids.len());
    assert_eq!(parameters(&document["paths"]["/api/v1/dishes"]["get"], "query"), ["after", "limit", "name"]);
}

#[test]
fn the_document_refers_to_nothing_missing() {
    fn check(document: &Value, part: &Value) {
        match part {
            Value::Object(members) => {
                if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                    assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
                }
                members.values().for_each(|part| check(document, part));
            }
            Value::Array(parts) => parts.iter().for_each(|part| check(document, part)),
            _ => {}
        }
    }
    let document = openapi("Kitchen", &CONTRACTS);
    check(&document, &document);
}

fn parameters(entry: &Value, place: &str) -> Vec<String> {
    let parameters = entry["parameters"].as_array().unwrap();
    let names = parameters.iter().filter(|parameter| parameter["in"] == place);
    let mut names: Vec<String> =
        names.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}
