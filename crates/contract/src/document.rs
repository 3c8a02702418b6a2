//! Contracts and events as documents to be committed: what a later program is compared with.
//!
//! Unlike OpenAPI, which is for people and their tools, a document says of every answer both how it is written and how it
//! is read, for programs of two versions meet in both roles.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::event::EventSpec;
use crate::operation::{Access, Content, Contract, Operation};

/// Where a document keeps the types as they are written, and as they are read.
const WRITTEN: &str = "/written";
const READ: &str = "/read";

/// Both faces of the types of a document.
struct Types {
    written: SchemaGenerator,
    read: SchemaGenerator,
}

/// The document of a contract: its operations, with everything callers rely on.
///
/// `$ref`s point into the document's own members `written` and `read`. Descriptions are left out; OpenAPI has them.
pub fn contract_document(contract: &Contract) -> Value {
    let mut types = Types::new();
    let operations: Map<String, Value> = contract
        .operations
        .iter()
        .map(|operation| (operation.name.to_owned(), types.operation(operation)))
        .collect();
    let mut document = json!({
        "contract": contract.name,
        "service": contract.service,
        "version": contract.version,
        "operations": operations,
    });
    types.finish(&mut document);
    without_words(&mut document);
    document
}

/// The document of an event: its data as it is written and as it is read.
pub fn event_document(event: &EventSpec) -> Value {
    let mut types = Types::new();
    let mut document = json!({
        "event": event.type_name,
        "version": event.version,
        "data": {
            "written": (event.schema)(&mut types.written).to_value(),
            "read": (event.schema)(&mut types.read).to_value(),
        },
    });
    types.finish(&mut document);
    document
}

/// A member of that name has a schema; a description is text.
fn without_words(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, value| name != "description" || !value.is_string());
            members.values_mut().for_each(without_words);
        }
        Value::Array(all) => all.iter_mut().for_each(without_words),
        _ => {}
    }
}

// === impl Types ===

impl Types {
    fn new() -> Self {
        let settings = |path: &str| {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = path.to_owned().into();
                settings.meta_schema = None;
            })
        };
        Self {
            written: settings(WRITTEN).for_serialize().into_generator(),
            read: settings(READ).into_generator(),
        }
    }

    fn operation(&mut self, operation: &Operation) -> Value {
        let parameters: Map<String, Value> = operation
            .params
            .iter()
            .map(|param| (param.name.to_owned(), (param.schema)(&mut self.read).to_value()))
            .collect();
        let mut out = json!({
            "method": operation.verb.as_str(),
            "path": operation.path,
            "access": match operation.access {
                Access::Public => json!("public"),
                Access::Authenticated => json!("authenticated"),
                Access::Roles(roles) => json!(roles),
            },
            "keyed": match (operation.keyed, operation.key_optional) {
                (false, _) => json!(false),
                (true, false) => json!(true),
                (true, true) => json!("optional"),
            },
            "precondition": operation.precondition,
            "parameters": parameters,
            "reply": self.reply(operation),
            "problems": self.problems(operation),
        });
        if let Some(query) = operation.query {
            out["query"] = query(&mut self.read).to_value();
        }
        if let Some(body) = operation.body {
            out["body"] = body(&mut self.read).to_value();
        }
        out
    }

    fn reply(&mut self, operation: &Operation) -> Value {
        let reply = operation.reply;
        let headers: Vec<&str> = reply.headers.iter().map(|(name, _)| *name).collect();
        let (kind, schema) = match reply.content {
            Content::Empty => ("empty", None),
            Content::Json(schema) => ("json", Some(schema)),
            Content::Events(schema) => ("events", Some(schema)),
        };
        let mut out = json!({ "status": reply.status, "kind": kind, "headers": headers });
        if let Some(schema) = schema {
            out["written"] = schema(&mut self.written).to_value();
            out["read"] = schema(&mut self.read).to_value();
        }
        out
    }

    fn problems(&mut self, operation: &Operation) -> Value {
        let problem = |problem: &crate::problem::ProblemKind| {
            let members = problem.members.iter().map(|(name, schema)| {
                let both = json!({
                    "written": schema(&mut self.written).to_value(),
                    "read": schema(&mut self.read).to_value(),
                });
                ((*name).to_owned(), both)
            });
            let members: Map<String, Value> = members.collect();
            (problem.code.to_owned(), json!({ "status": problem.status, "members": members }))
        };
        operation.problems.iter().map(problem).collect::<Map<_, _>>().into()
    }

    fn finish(mut self, document: &mut Value) {
        document["written"] = self.written.take_definitions(true).into();
        document["read"] = self.read.take_definitions(true).into();
    }
}
