//! OpenAPI 3.1 from operation tables.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::operation::{Access, Content, Contract, Operation, SchemaFn};
use crate::platform::FaultKind;
use crate::problem::{ProblemDetails, ProblemKind};
use crate::schema::schema_of;
use crate::wire::{EVENT_STREAM, PROBLEM_JSON};

/// The OpenAPI 3.1 document of these contracts, under that title.
pub fn openapi(title: &str, contracts: &[&'static Contract]) -> Value {
    let mut document = Document::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for contract in contracts {
        for operation in contract.operations {
            let item = paths.entry(operation.path).or_default();
            item.insert(operation.verb.as_str().to_lowercase(), document.operation(contract, operation));
        }
    }
    let tags: BTreeMap<&str, &str> = contracts.iter().rev().map(|c| (c.service, c.doc)).collect();
    let tags: Vec<Value> =
        tags.into_iter().map(|(name, doc)| json!({ "name": name, "description": doc })).collect();
    json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": env!("CARGO_PKG_VERSION") },
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": document.schemas(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" }
            }
        }
    })
}

/// Replies show what is written, bodies what is read; a type may differ between the two.
struct Document {
    written: SchemaGenerator,
    read: SchemaGenerator,
}

// === impl Document ===

impl Document {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        let mut written = settings().for_serialize().into_generator();
        schema_of::<ProblemDetails>(&mut written);
        Self { written, read: settings().into_generator() }
    }

    fn schemas(mut self) -> Map<String, Value> {
        let mut schemas = self.read.take_definitions(true);
        schemas.extend(self.written.take_definitions(true));
        schemas
    }

    fn operation(&mut self, contract: &Contract, operation: &Operation) -> Value {
        let (summary, description) = split_doc(operation.doc);
        let mut out = json!({
            "operationId": format!("{}_v{}", operation.full_name().replace('.', "_"), contract.version),
            "tags": [contract.service],
            "summary": summary,
            "parameters": self.parameters(operation),
            "responses": self.responses(operation),
        });
        if !description.is_empty() {
            out["description"] = description.into();
        }
        if let Some(body) = operation.body {
            let schema = body(&mut self.read).to_value();
            out["requestBody"] =
                json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        }
        match operation.access {
            Access::Public => out["security"] = json!([]),
            Access::Authenticated => out["security"] = json!([{ "token": [] }]),
            Access::Roles(roles) => {
                out["security"] = json!([{ "token": [] }]);
                out["x-roles"] = json!(roles);
            }
        }
        out
    }

    fn parameters(&mut self, operation: &Operation) -> Vec<Value> {
        let mut parameters: Vec<Value> = operation
            .params
            .iter()
            .map(|param| {
                let schema = (param.schema)(&mut self.read).to_value();
                json!({ "name": param.name, "in": "path", "required": true, "schema": schema })
            })
            .collect();
        if let Some(query) = operation.query {
            parameters.extend(query_parameters(query));
        }
        let mut header = |name: &str, required: bool, text: &str| {
            parameters.push(json!({
                "name": name, "in": "header", "required": required, "description": text,
                "schema": { "type": "string" }
            }));
        };
        if operation.keyed {
            header(
                "Idempotency-Key",
                !operation.key_optional,
                "1 to 255 characters; a repeat replays the answer.",
            );
        }
        if operation.precondition {
            header("If-Match", true, "The ETag that was read.");
        }
        if operation.is_stream() {
            header("Last-Event-ID", false, "Resumes after that event.");
        }
        parameters
    }

    fn responses(&mut self, operation: &Operation) -> Value {
        let mut responses = Map::new();
        let reply = operation.reply;
        let mut success = json!({ "description": "Success." });
        match reply.content {
            Content::Empty => {}
            Content::Json(schema) => {
                let schema = schema(&mut self.written).to_value();
                success["content"] = json!({ "application/json": { "schema": schema } });
            }
            Content::Events(schema) => {
                let schema = schema(&mut self.written).to_value();
                success["description"] = "Events; each `data:` is of the schema named in x-data.".into();
                success["content"] =
                    json!({ EVENT_STREAM: { "schema": { "type": "string" }, "x-data": schema } });
            }
        }
        let no_store = operation.no_store.then_some(("Cache-Control", "Always `no-store`."));
        if !reply.headers.is_empty() || no_store.is_some() {
            success["headers"] = reply
                .headers
                .iter()
                .chain(&no_store)
                .map(|(name, text)| {
                    ((*name).to_owned(), json!({ "description": text, "schema": { "type": "string" } }))
                })
                .collect::<Map<_, _>>()
                .into();
        }
        responses.insert(reply.status.to_string(), success);
        let mut by_status: BTreeMap<u16, Vec<&ProblemKind>> = BTreeMap::new();
        for problem in operation.problems {
            by_status.entry(problem.status).or_default().push(problem);
        }
        for (status, problems) in by_status {
            let response = self.problem(&problems);
            responses.insert(status.to_string(), response);
        }
        let generic: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.code()).collect();
        responses.insert(
            "default".to_owned(),
            json!({
                "description": format!("A problem of the platform: {}.", generic.join(", ")),
                "content": { PROBLEM_JSON: { "schema": { "$ref": "#/components/schemas/Problem" } } }
            }),
        );
        responses.into()
    }

    fn problem(&mut self, problems: &[&ProblemKind]) -> Value {
        let mut properties = Map::new();
        let codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
        properties.insert("code".to_owned(), json!({ "type": "string", "enum": codes }));
        for (name, schema) in problems.iter().flat_map(|problem| problem.members) {
            properties.insert((*name).to_owned(), schema(&mut self.written).to_value());
        }
        let lines: Vec<String> =
            problems.iter().map(|problem| format!("`{}`: {}", problem.code, problem.title)).collect();
        json!({
            "description": lines.join("\n"),
            "content": { PROBLEM_JSON: { "schema": {
                "allOf": [{ "$ref": "#/components/schemas/Problem" }, { "type": "object", "properties": properties }]
            } } }
        })
    }
}

/// A query's fields are parameters of their own.
fn query_parameters(query: SchemaFn) -> Vec<Value> {
    let mut generator = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true).into_generator();
    let schema = query(&mut generator).to_value();
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
    properties
        .iter()
        .map(|(name, schema)| {
            json!({ "name": name, "in": "query", "required": required.contains(&name.as_str()), "schema": schema })
        })
        .collect()
}

/// The first paragraph is the summary, without its full stop.
fn split_doc(doc: &str) -> (&str, &str) {
    let (summary, rest) = doc.split_once("\n\n").unwrap_or((doc, ""));
    (summary.trim().trim_end_matches('.'), rest.trim())
}

/// The JSON Schema of one type, with everything it refers to.
pub fn json_schema<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}
