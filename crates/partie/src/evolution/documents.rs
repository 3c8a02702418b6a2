//! The documents of a system: a file for every contract and for every version of every event, and who uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use partie_contract::{Access, Contract, EventSpec, Operation, contract_document, event_document};
use serde_json::{Value, json};

use crate::service::Declared;
use crate::system::System;

/// Below the directory that is committed.
const CONTRACTS: &str = "contracts";
const EVENTS: &str = "events";
/// What the name of a sample ends in.
pub(super) const SAMPLE: &str = ".sample.json";

/// A document of the program.
pub(super) struct Document {
    pub(super) value: Value,
    /// The services that call the contract, or handle the event.
    pub(super) services: Vec<String>,
    pub(super) is_public: bool,
    /// What the document is about, if it is an event.
    pub(super) event: Option<EventSpec>,
}

/// An event in one version: who publishes it and who handles it.
struct Known {
    spec: EventSpec,
    publishers: BTreeSet<&'static str>,
    handlers: BTreeSet<&'static str>,
}

/// All documents of a system, by the names of their files.
pub(super) fn of(system: &System) -> BTreeMap<String, Document> {
    let contracts = system.contracts().into_iter().map(|contract| contract_of(system, contract));
    let events = events(system).into_iter().map(|((type_name, version), known)| {
        let mut value = event_document(&known.spec);
        value["publishers"] = json!(known.publishers);
        value["handlers"] = json!(known.handlers);
        let services = known.handlers.iter().map(|service| (*service).to_owned()).collect();
        let document = Document { value, services, is_public: false, event: Some(known.spec) };
        (format!("{EVENTS}/{type_name}.v{version}.json"), document)
    });
    contracts.chain(events).collect()
}

fn contract_of(system: &System, contract: &'static Contract) -> (String, Document) {
    let Contract { service, name, version, .. } = contract;
    let file = match service == name {
        true => format!("{CONTRACTS}/{service}.v{version}.json"),
        false => format!("{CONTRACTS}/{service}.{name}.v{version}.json"),
    };
    let calls = |declared: &&Declared| {
        declared.uses.iter().any(|used| (used.service, used.name, used.version) == (service, name, *version))
    };
    let declared = system.services.iter().map(|service| &service.declared);
    let services = declared.filter(calls).map(|declared| declared.name.to_owned()).collect();
    let for_services = |operation: &Operation| matches!(operation.access, Access::Roles(["service"]));
    let is_public = system.has_gateway && !contract.operations.iter().all(for_services);
    (file, Document { value: contract_document(contract), services, is_public, event: None })
}

fn events(system: &System) -> BTreeMap<(&'static str, u16), Known> {
    let mut all = BTreeMap::<_, Known>::new();
    for service in &system.services {
        let declared = &service.declared;
        for spec in declared.publishes.iter().chain(&declared.handles) {
            for version in spec.versions() {
                let new = || Known { spec: version, publishers: BTreeSet::new(), handlers: BTreeSet::new() };
                all.entry((version.type_name, version.version)).or_insert_with(new);
            }
        }
        for spec in &declared.publishes {
            all.entry((spec.type_name, spec.version))
                .and_modify(|known| known.publishers.extend([declared.name]));
        }
        for version in declared.handles.iter().flat_map(EventSpec::versions) {
            let at = (version.type_name, version.version);
            all.entry(at).and_modify(|known| known.handlers.extend([declared.name]));
        }
    }
    all
}

/// The committed files, by their names below the directory. A directory that is not there has none.
pub(super) fn committed(dir: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for below in [CONTRACTS, EVENTS] {
        let entries = match fs::read_dir(dir.join(below)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            if let Some(name) =
                path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".json"))
            {
                files.insert(format!("{below}/{name}"), fs::read_to_string(&path)?);
            }
        }
    }
    Ok(files)
}

/// A document as a file.
pub(super) fn file(value: &Value) -> String {
    format!("{value:#}\n")
}
