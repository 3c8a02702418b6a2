//! The descriptions of several programs as one (OpenAPI 3.1).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What one program says of itself, and where its addresses are here.
pub(crate) struct Part {
    /// The upstream.
    pub(crate) name: String,
    pub(crate) document: Value,
    /// The prefix it knows, and what that is here. Both without a trailing slash.
    pub(crate) ways: Vec<(String, String)>,
}

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
const COMPONENTS: &str = "#/components/";

/// Adds the parts to a description. What has one name and two meanings gets the upstream's name behind its own; what no
/// route leads to is left out.
pub(crate) fn merge(mut base: Value, parts: Vec<Part>) -> Value {
    for part in parts {
        add(&mut base, part);
    }
    base
}

fn add(base: &mut Value, part: Part) {
    let Part { name, mut document, ways } = part;
    let version = document["openapi"].as_str().unwrap_or_default();
    if !version.starts_with("3.") {
        tracing::warn!(upstream = name, version, "a description is not OpenAPI 3 and is left out");
        return;
    }
    // Names first: what refers to them is rewritten with them.
    let renamed = rename(base, &document, &name);
    refer(&mut document, &renamed);
    let common = document.get("security").cloned();

    let known: Vec<String> = operations(base).filter_map(id).collect();
    for (path, mut item) in take(&mut document, "paths") {
        let Some(here) = here(&path, &ways) else { continue };
        for method in METHODS {
            let Some(operation) = item.get_mut(method).and_then(Value::as_object_mut) else { continue };
            if let Some(security) = common.as_ref().filter(|_| !operation.contains_key("security")) {
                operation.insert("security".to_owned(), security.clone());
            }
            if let Some(security) = operation.get_mut("security") {
                secure(security, &renamed);
            }
            if let Some(id) = id(operation).filter(|id| known.contains(id)) {
                operation.insert("operationId".to_owned(), format!("{name}_{id}").into());
            }
            operation.remove("servers");
        }
        if let Some(item) = item.as_object_mut() {
            item.remove("servers");
        }
        // Whoever was first at an address stays there.
        section(base, "paths").entry(here).or_insert(item);
    }
    for (kind, members) in take(&mut document, "components") {
        let Value::Object(members) = members else { continue };
        let own = section(section_value(base, "components"), &kind);
        for (member, value) in members {
            let member = renamed.get(&(kind.clone(), member.clone())).cloned().unwrap_or(member);
            own.entry(member).or_insert(value);
        }
    }
    tags(base, &mut document);
}

/// Which members of its components need another name, and which.
fn rename(base: &Value, document: &Value, upstream: &str) -> BTreeMap<(String, String), String> {
    let mut renamed = BTreeMap::new();
    let kinds = document["components"].as_object().into_iter().flatten();
    for (kind, members) in kinds {
        for (member, value) in members.as_object().into_iter().flatten() {
            let theirs = &base["components"][kind][member];
            if !theirs.is_null() && theirs != value {
                renamed.insert((kind.clone(), member.clone()), format!("{member}_{upstream}"));
            }
        }
    }
    renamed
}

/// Lets references follow the new names.
fn refer(value: &mut Value, renamed: &BTreeMap<(String, String), String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    // A mapping of a discriminator has references as plain values.
                    Value::String(text) if key == "$ref" || text.starts_with(COMPONENTS) => {
                        if let Some(new) = followed(text, renamed) {
                            *text = new;
                        }
                    }
                    value => refer(value, renamed),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| refer(value, renamed)),
        _ => {}
    }
}

fn followed(reference: &str, renamed: &BTreeMap<(String, String), String>) -> Option<String> {
    let (kind, rest) = reference.strip_prefix(COMPONENTS)?.split_once('/')?;
    let (member, more) = rest.split_once('/').map_or((rest, None), |(member, more)| (member, Some(more)));
    let new = renamed.get(&(kind.to_owned(), member.to_owned()))?;
    Some(match more {
        Some(more) => format!("{COMPONENTS}{kind}/{new}/{more}"),
        None => format!("{COMPONENTS}{kind}/{new}"),
    })
}

/// Requirements name schemes without a reference.
fn secure(security: &mut Value, renamed: &BTreeMap<(String, String), String>) {
    for requirement in security.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let named = |name: String| {
            renamed.get(&("securitySchemes".to_owned(), name.clone())).cloned().unwrap_or(name)
        };
        *requirement =
            std::mem::take(requirement).into_iter().map(|(name, scopes)| (named(name), scopes)).collect();
    }
}

/// Where an address of the program is here, by the longest prefix it has.
fn here(path: &str, ways: &[(String, String)]) -> Option<String> {
    let rest =
        |prefix: &str| path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let fit = ways.iter().filter(|(theirs, _)| rest(theirs).is_some());
    let (theirs, ours) = fit.max_by_key(|(theirs, _)| theirs.len())?;
    let here = format!("{ours}{}", rest(theirs)?);
    Some(if here.is_empty() { "/".to_owned() } else { here })
}

fn tags(base: &mut Value, document: &mut Value) {
    let Some(Value::Array(theirs)) = document.get_mut("tags").map(Value::take) else { return };
    let own = section_value(base, "tags");
    if !own.is_array() {
        *own = json!([]);
    }
    let Some(own) = own.as_array_mut() else { return };
    for tag in theirs {
        if own.iter().all(|known| known["name"] != tag["name"]) {
            own.push(tag);
        }
    }
}

fn operations(document: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    let items = document["paths"].as_object().into_iter().flatten();
    items.flat_map(|(_, item)| METHODS.iter().filter_map(move |method| item.get(method)?.as_object()))
}

fn id(operation: &Map<String, Value>) -> Option<String> {
    operation.get("operationId")?.as_str().map(str::to_owned)
}

/// The members of an object in a document, taken out of it.
fn take(document: &mut Value, name: &str) -> Map<String, Value> {
    match document.get_mut(name).map(Value::take) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn section_value<'v>(document: &'v mut Value, name: &str) -> &'v mut Value {
    if !document.is_object() {
        *document = json!({});
    }
    &mut document[name]
}

/// An object in a document, made if it is not there.
fn section<'v>(document: &'v mut Value, name: &str) -> &'v mut Map<String, Value> {
    let value = section_value(document, name);
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!("it is an object by now"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, ways: &[(&str, &str)], document: Value) -> Part {
        let ways = ways.iter().map(|(theirs, ours)| ((*theirs).to_owned(), (*ours).to_owned())).collect();
        Part { name: name.into(), document, ways }
    }

    #[test]
    fn addresses_are_where_routes_have_them_and_names_stay_apart() {
        let base = json!({
            "openapi": "3.1.0",
            "paths": { "/orders": { "get": { "operationId": "list" } } },
            "components": { "schemas": { "Item": { "type": "string" } } },
        });
        let menu = json!({
            "openapi": "3.0.3",
            "security": [{ "key": [] }],
            "tags": [{ "name": "menu" }],
            "paths": {
                "/api/items/{id}": { "get": {
                    "operationId": "list",
                    "responses": { "200": { "content": { "application/json": {
                        "schema": { "$ref": "#/components/schemas/Item" }
                    } } } },
                } },
                "/internal": { "get": {} },
            },
            "components": {
                "schemas": { "Item": { "type": "object" }, "Other": { "$ref": "#/components/schemas/Item/properties/a" } },
                "securitySchemes": { "key": { "type": "apiKey" } },
            },
        });
        let old = json!({ "swagger": "2.0", "paths": { "/api/x": {} } });
        let merged =
            merge(base, vec![part("menu", &[("/api", "/menu")], menu), part("old", &[("", "")], old)]);
        let operation = &merged["paths"]["/menu/items/{id}"]["get"];
        assert_eq!(operation["operationId"], "menu_list");
        assert_eq!(operation["security"], json!([{ "key": [] }]));
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(schema, "#/components/schemas/Item_menu");
        assert_eq!(merged["components"]["schemas"]["Item_menu"]["type"], "object");
        assert_eq!(
            merged["components"]["schemas"]["Other"]["$ref"],
            "#/components/schemas/Item_menu/properties/a"
        );
        assert_eq!(merged["components"]["schemas"]["Item"]["type"], "string");
        assert_eq!(merged["components"]["securitySchemes"]["key"]["type"], "apiKey");
        assert_eq!(merged["tags"], json!([{ "name": "menu" }]));
        let paths: Vec<&String> = merged["paths"].as_object().unwrap().keys().collect();
        assert_eq!(paths, ["/menu/items/{id}", "/orders"]);
    }

    #[test]
    fn prefixes_are_whole_segments() {
        let ways = [("/api".to_owned(), String::new()), ("/api/v2".to_owned(), "/new".to_owned())];
        assert_eq!(here("/api/items", &ways).as_deref(), Some("/items"));
        assert_eq!(here("/api", &ways).as_deref(), Some("/"));
        assert_eq!(here("/api/v2/items", &ways).as_deref(), Some("/new/items"));
        assert_eq!(here("/apis", &ways), None);
    }
}
