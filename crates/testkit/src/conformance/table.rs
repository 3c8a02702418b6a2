//! What the walk reads off the operation tables.

use std::collections::BTreeSet;

use partie_contract::{Contract, Operation, SchemaFn, Verb};
use schemars::SchemaGenerator;
use serde_json::Value;

/// An operation with what its surroundings add.
pub(crate) struct Row {
    /// Unique within the system.
    pub(crate) name: String,
    pub(crate) operation: &'static Operation,
    /// Whether its contract keeps the manners of the tutorials.
    pub(crate) compat: bool,
    /// The methods of its address.
    pub(crate) methods: BTreeSet<Verb>,
}

/// All operations, in order of declaration.
pub(crate) fn operations(contracts: &[&'static Contract]) -> Vec<Row> {
    let all = || contracts.iter().flat_map(|contract| contract.operations);
    let mut names = BTreeSet::new();
    let mut rows = Vec::new();
    for contract in contracts {
        for operation in contract.operations {
            let plain = operation.full_name();
            let name =
                if names.insert(plain.clone()) { plain } else { format!("{plain}@{}", operation.version) };
            let place = nameless(operation.path);
            let methods =
                all().filter(|other| nameless(other.path) == place).map(|other| other.verb).collect();
            rows.push(Row { name, operation, compat: contract.compat, methods });
        }
    }
    rows
}

/// The schema itself, not a reference to it.
pub(crate) fn resolved(schema: SchemaFn) -> Value {
    let mut generator = SchemaGenerator::default();
    let mut found = schema(&mut generator).to_value();
    let definitions = generator.take_definitions(true);
    // A reference may lead to a reference; a circle of them would be no schema.
    for _ in 0..8 {
        let target = found.get("$ref").and_then(Value::as_str).and_then(|target| target.rsplit('/').next());
        match target.and_then(|name| definitions.get(name)) {
            Some(target) => found = target.clone(),
            None => break,
        }
    }
    found
}

/// Whether a schema is of that type and nothing else.
pub(crate) fn is_type(schema: &Value, name: &str) -> bool {
    schema.get("type").and_then(Value::as_str) == Some(name)
}

/// Members that have to be there.
pub(crate) fn required(schema: &Value) -> Vec<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The names of all members.
pub(crate) fn members(schema: &Value) -> Vec<&str> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect()
}

/// `/orders/{id}` as `/orders/{}`.
fn nameless(template: &str) -> String {
    let mut parts = template.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| path + "{}" + part.split_once('}').map_or("", |(_, rest)| rest))
}
