//! Whether everything one schema describes can be read by another: the rules for types.
//!
//! It knows the part of JSON Schema that types of contracts become. Readers are tolerant of members they do not know, as
//! Partie's are between services; a server is not, towards its users.

mod node;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

pub(super) use self::node::escaped;
use self::node::{
    Node, accepts, bound, expanded, is_anything, is_counterpart, kind, name, names, node, range, requires,
    resolved, within,
};
use super::change::Why;

/// Who reads what whom wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The server of now, what callers of before send.
    Sent,
    /// Callers and handlers of before, what the program of now writes.
    Written,
    /// Callers and handlers of now, what a program of before wrote.
    WrittenBefore,
}

/// Two documents, one of which is committed.
pub(super) struct Documents<'a> {
    pub(super) committed: &'a Value,
    pub(super) now: &'a Value,
}

/// Something a reader cannot read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Misfit {
    /// Where, in the committed document.
    pub(super) pointer: String,
    pub(super) was: String,
    pub(super) is: String,
    pub(super) why: Why,
}

/// One comparison.
struct Fit<'a> {
    reading: Reading,
    writer: &'a Value,
    reader: &'a Value,
    seen: BTreeSet<(String, String)>,
    found: Vec<Misfit>,
}

/// Bounds a reader may have from below, and from above.
const LOWER: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const UPPER: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// What has to stay the same if the reader states it.
const SAME: [&str; 4] = ["format", "pattern", "multipleOf", "uniqueItems"];

/// What the reader cannot read of the schemas at these pointers: the committed one, and the one of now.
pub(super) fn misfits(documents: &Documents<'_>, reading: Reading, was: &str, is: &str) -> Vec<Misfit> {
    let (writer, reader) = match reading {
        Reading::Written => (documents.now, documents.committed),
        Reading::Sent | Reading::WrittenBefore => (documents.committed, documents.now),
    };
    let mut fit = Fit { reading, writer, reader, seen: BTreeSet::new(), found: Vec::new() };
    let (from, to) = if reading == Reading::Written { (is, was) } else { (was, is) };
    if let (Some(from), Some(to)) = (node(writer, from), node(reader, to)) {
        fit.nodes(&from, &to);
    }
    fit.found
}

// === impl Fit ===

impl Fit<'_> {
    fn nodes(&mut self, writer: &Node, reader: &Node) {
        let (writer, reader) = (resolved(self.writer, writer), resolved(self.reader, reader));
        if !self.seen.insert((writer.pointer.clone(), reader.pointer.clone())) {
            return;
        }
        let (written, read) = (expanded(self.writer, &writer, 0), expanded(self.reader, &reader, 0));
        // An enumeration with a place for what it does not know.
        let is_open = reader.schema["x-open"] == true;
        let mut strangers = Vec::new();
        for from in &written {
            let all = || read.iter().filter(|to| accepts(&from.schema, &to.schema));
            match all().find(|to| is_counterpart(&from.schema, &to.schema)).or_else(|| all().next()) {
                Some(to) => self.values(from, to),
                None if is_open && from.schema.get("const").is_some() => {}
                None => strangers.push(name(&from.schema)),
            }
        }
        if !strangers.is_empty() {
            self.found(&writer, &reader, "", Why::Values(strangers), names(&written), names(&read));
        }
    }

    /// Two that are of one kind.
    fn values(&mut self, writer: &Node, reader: &Node) {
        let (from, to) = (&writer.schema, &reader.schema);
        if to.get("const").is_some() || from.get("const").is_some() || is_anything(to) {
            return;
        }
        for (keys, is_lower) in [(LOWER, true), (UPPER, false)] {
            for key in keys {
                let (has, wants) = (bound(from, key), bound(to, key));
                let Some(wanted) = wants else { continue };
                let fits = has.is_some_and(|has| if is_lower { has >= wanted } else { has <= wanted });
                if !fits {
                    let text =
                        |bound: Option<f64>| bound.map_or_else(|| "none".to_owned(), |it| it.to_string());
                    self.found(writer, reader, key, Why::Bound(key), text(has), text(wants));
                }
            }
        }
        for key in SAME {
            let stated = |schema: &Value| {
                schema.get(key).filter(|_| key != "format" || range(schema).is_none()).cloned()
            };
            let (has, wants) = (stated(from), stated(to));
            if wants.is_some() && has != wants {
                let text =
                    |value: Option<Value>| value.map_or_else(|| "none".to_owned(), |it| it.to_string());
                self.found(writer, reader, key, Why::Bound(key), text(has), text(wants));
            }
        }
        match kind(to) {
            Some("object") => self.objects(writer, reader),
            Some("array") => self.arrays(writer, reader),
            _ => {}
        }
    }

    fn objects(&mut self, writer: &Node, reader: &Node) {
        let (none, (from, to)) = (Map::new(), (&writer.schema, &reader.schema));
        let members = |schema: &Value| schema["properties"].as_object().unwrap_or(&none).clone();
        let (has, wants) = (members(from), members(to));
        let takes_others = !matches!(to.get("additionalProperties"), None | Some(Value::Bool(false)));
        for (name, schema) in &has {
            let at = format!("properties/{}", escaped(name));
            match wants.contains_key(name) {
                true => self.nodes(&within(writer, &at), &within(reader, &at)),
                false if self.reading == Reading::Sent && !takes_others => {
                    let was = node::name(schema);
                    self.found(writer, reader, &at, Why::Removed, was, "gone".to_owned());
                }
                false => {}
            }
        }
        for (name, schema) in &wants {
            let at = format!("properties/{}", escaped(name));
            let (always, needed) = (requires(from, name), requires(to, name));
            match has.contains_key(name) {
                false if self.reading == Reading::Written => {
                    self.found(writer, reader, &at, Why::Removed, "gone".to_owned(), node::name(schema));
                }
                false if needed => {
                    let is = format!("{}, required", node::name(schema));
                    self.found(writer, reader, &at, Why::Required, "not there".to_owned(), is);
                }
                true if needed && !always => {
                    let why = if self.reading == Reading::Written { Why::Optional } else { Why::Required };
                    self.found(writer, reader, &at, why, "optional".to_owned(), "required".to_owned());
                }
                _ => {}
            }
        }
        if [from, to].iter().all(|schema| schema["additionalProperties"].is_object()) {
            let at = "additionalProperties";
            self.nodes(&within(writer, at), &within(reader, at));
        }
    }

    fn arrays(&mut self, writer: &Node, reader: &Node) {
        let has = |key: &str| [writer, reader].iter().all(|node| node.schema.get(key).is_some());
        if has("items") {
            self.nodes(&within(writer, "items"), &within(reader, "items"));
        }
        if has("prefixItems") {
            let count = |node: &Node| node.schema["prefixItems"].as_array().map_or(0, Vec::len);
            for number in 0..count(writer).min(count(reader)) {
                let at = format!("prefixItems/{number}");
                self.nodes(&within(writer, &at), &within(reader, &at));
            }
        }
    }

    /// Notes what does not fit, from the committed document's side.
    fn found(&mut self, writer: &Node, reader: &Node, at: &str, why: Why, has: String, wants: String) {
        let (node, was, is) = match self.reading {
            Reading::Written => (reader, wants, has),
            Reading::Sent | Reading::WrittenBefore => (writer, has, wants),
        };
        let slash = if at.is_empty() { "" } else { "/" };
        self.found.push(Misfit { pointer: format!("{}{slash}{at}", node.pointer), was, is, why });
    }
}
