//! Contracts and events over time: what is committed of them, and whether the program of now breaks it.
//!
//! Everything here is known without starting anything: contracts are tables, and services declare what they call, publish
//! and handle. [`rules`] is the one place that says which change breaks whom; `contracts write` and `contracts diff` are
//! its commands.

mod change;
mod documents;
mod rules;
mod sample;
mod schema;

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

pub use self::change::{Break, Comparison};
use self::documents::{Document, SAMPLE};
use self::rules::{Pair, text};
use crate::policies::Finding;
use crate::system::System;

/// What writing did.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The files that are new, or others now.
    pub(crate) files: Vec<String>,
    /// Samples that have to be written by hand: file and reason.
    pub(crate) by_hand: Vec<(String, String)>,
}

impl System {
    /// Compares contracts and events with what is committed in a directory that `contracts write` has written.
    ///
    /// # Errors
    /// When the directory cannot be read, or has a file that is no JSON.
    pub fn compare(&self, dir: &Path) -> io::Result<Comparison> {
        let (documents, committed) = (documents::of(self), documents::committed(dir)?);
        let mut comparison = Comparison { documents: documents.len(), ..Comparison::default() };
        for (file, was) in &committed {
            if file.ends_with(SAMPLE) {
                comparison
                    .breaks
                    .extend(self.replay(was).err().into_iter().flatten().map(|one| unreadable(file, one)));
                continue;
            }
            let was_value: Value = serde_json::from_str(was)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{file}: {error}")))?;
            let Some(document) = documents.get(file) else {
                comparison.breaks.push(gone(file, &was_value));
                continue;
            };
            let Document { value, services, is_public, .. } = document;
            let pair = Pair { file, committed: &was_value, now: value, services, is_public: *is_public };
            let breaks = rules::breaks(&pair);
            if breaks.is_empty() && *was != documents::file(value) {
                comparison.stale.push((file.clone(), "is not what the program says"));
            }
            comparison.breaks.extend(breaks);
        }
        let samples = documents
            .iter()
            .filter(|(_, document)| document.event.is_some())
            .map(|(file, _)| sample_of(file));
        let missing = documents.keys().cloned().chain(samples).filter(|file| !committed.contains_key(file));
        comparison.stale.extend(missing.map(|file| (file, "is not there")));
        comparison.stale.sort_unstable();
        Ok(comparison)
    }

    /// Reads a committed sample of an event, `events/order.placed.v1.sample.json`, as each of the services that handle the
    /// event does, and says who cannot.
    ///
    /// # Errors
    /// What cannot be read, by the service and why.
    pub fn replay(&self, sample: &str) -> Result<Vec<&'static str>, Vec<(&'static str, String)>> {
        let type_name = serde_json::from_str::<Value>(sample).ok().map(|event| text(&event["type"]));
        let (mut read, mut failed) = (Vec::new(), Vec::new());
        for declared in self.services.iter().map(|service| &service.declared) {
            for spec in declared.handles.iter().filter(|spec| type_name.as_deref() == Some(spec.type_name)) {
                match spec.read(sample) {
                    Ok(()) => read.push(declared.name),
                    Err(error) => failed.push((declared.name, error.to_string())),
                }
            }
        }
        if failed.is_empty() { Ok(read) } else { Err(failed) }
    }

    /// Writes what [`compare`](Self::compare) compares with. Samples that are there already stay: they are what was
    /// published once.
    pub(crate) fn write_documents(&self, dir: &Path) -> io::Result<Written> {
        let mut written = Written::default();
        let mut write = |file: String, text: &str| {
            let path = dir.join(&file);
            if fs::read_to_string(&path).is_ok_and(|there| there == text) {
                return Ok(());
            }
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, text)?;
            written.files.push(file);
            io::Result::Ok(())
        };
        let mut by_hand = Vec::new();
        for (file, document) in documents::of(self) {
            if let Some(spec) = document.event
                && !dir.join(sample_of(&file)).exists()
            {
                match sample::of(&spec) {
                    Ok(event) => write(sample_of(&file), &documents::file(&event))?,
                    Err(error) => by_hand.push((sample_of(&file), error.to_string())),
                }
            }
            write(file, &documents::file(&document.value))?;
        }
        written.by_hand = by_hand;
        Ok(written)
    }
}

/// Events in versions that a handler in this system cannot read.
pub(crate) fn unread(system: &System) -> Vec<Finding> {
    let declared = || system.services.iter().map(|service| &service.declared);
    let mut found = Vec::new();
    for from in declared() {
        for event in &from.publishes {
            for to in declared() {
                let handled = to.handles.iter().filter(|handled| handled.type_name == event.type_name);
                for handled in handled {
                    let reads: Vec<_> = handled.versions().map(|spec| spec.version).collect();
                    if !reads.contains(&event.version) {
                        found.push(Finding::UnreadEvent {
                            event: event.type_name,
                            version: event.version,
                            from: from.name,
                            to: to.name,
                            reads,
                        });
                    }
                }
            }
        }
    }
    found
}

/// The sample beside an event's document.
fn sample_of(file: &str) -> String {
    format!("{}{SAMPLE}", file.trim_end_matches(".json"))
}

/// A sample that a handler cannot read.
fn unreadable(file: &str, (service, reason): (&str, String)) -> Break {
    Break {
        file: file.to_owned(),
        pointer: "/data".to_owned(),
        was: "an event that was published once".to_owned(),
        is: reason,
        why: "its handler cannot read it any more, and such events wait in outbox or broker".to_owned(),
        whom: vec![service.to_owned()],
        instead: "read it as `from = ..`; once no such event is left, remove the file and its sample"
            .to_owned(),
    }
}

/// A committed document that the program does not have any more.
fn gone(file: &str, was: &Value) -> Break {
    let (is_event, whom) = (was.get("event").is_some(), was["handlers"].as_array());
    let whom = whom.into_iter().flatten().map(text).collect();
    let name = text(was.get("event").or_else(|| was.get("contract")).unwrap_or(&Value::Null));
    let (is, why) = match is_event {
        true => (
            "nobody publishes or reads it",
            "events of this version, in outboxes and brokers, cannot be read",
        ),
        false => ("nobody serves it", "its callers get 404"),
    };
    let instead = match is_event {
        true => {
            "keep it as `from = ..` of the version after it; once no such event is left, remove the file and its sample"
        }
        false => "serve it beside the new version; once nobody calls it any more, remove the file",
    };
    Break {
        file: file.to_owned(),
        pointer: "/version".to_owned(),
        was: format!("`{name}` version {}", was["version"]),
        is: is.to_owned(),
        why: why.to_owned(),
        whom,
        instead: instead.to_owned(),
    }
}

#[cfg(test)]
mod tests;
