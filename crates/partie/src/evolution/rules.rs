//! The rules: which changes of a contract or an event break those who know it as it was committed.
//!
//! What callers send has to be understood by the new server. What is written, answers and events, has to be understood
//! by readers of before; and what was written before by readers of now, since programs of two versions run side by side
//! and events wait in outboxes and brokers. What adds something optional, an operation or a problem breaks nobody.

use serde_json::Value;

use super::change::{Break, Why};
use super::schema::{Documents, Misfit, Reading, escaped, misfits};

/// A committed document, and what the program says now, with those who use it.
pub(super) struct Pair<'a> {
    pub(super) file: &'a str,
    pub(super) committed: &'a Value,
    pub(super) now: &'a Value,
    /// The services that call the contract, or handle the event.
    pub(super) services: &'a [String],
    /// Whether people call it too, who take longer to change.
    pub(super) is_public: bool,
}

/// What breaks somebody in this file.
pub(super) fn breaks(pair: &Pair<'_>) -> Vec<Break> {
    match pair.committed.get("event") {
        Some(_) => pair.event(),
        None => pair.contract(),
    }
}

// === impl Pair ===

impl Pair<'_> {
    fn event(&self) -> Vec<Break> {
        let version = self.committed["version"].as_u64().unwrap_or(1);
        let next = format!(
            "leave it, and publish the change as version {} with `from = ..` beside it; first its handlers learn to \
             read that, then it is published",
            version + 1
        );
        let mut found = Vec::new();
        let written = ["/data/written", "/data/read"];
        let late = "handlers that run now cannot read it";
        self.schemas(Reading::Written, [written[0]; 2], late, &next, &mut found);
        let early =
            "events that were published before, and wait in outbox or broker, cannot be read any more";
        self.schemas(Reading::WrittenBefore, written, early, &next, &mut found);
        found
    }

    fn contract(&self) -> Vec<Break> {
        let mut found = Vec::new();
        // Paths are what callers know; a name is ours, and an operation may get another one.
        let mut now = self.now.clone();
        let committed = self.committed["operations"].as_object().into_iter().flatten();
        for (name, was) in committed.clone() {
            let is_same = |is: &&Value| ["method", "path"].iter().all(|key| is[*key] == was[*key]);
            let renamed = self.now["operations"].as_object().and_then(|all| all.values().find(is_same));
            if let Some(renamed) = renamed.filter(|_| now["operations"].get(name).is_none()) {
                now["operations"][name] = renamed.clone();
            }
        }
        let pair = Pair { now: &now, ..*self };
        for (name, was) in committed {
            let at = format!("/operations/{}", escaped(name));
            match now["operations"].get(name) {
                Some(is) => pair.operation(&at, was, is, &mut found),
                None => {
                    let was = format!("{} {}", text(&was["method"]), text(&was["path"]));
                    let why = "its callers get 404 or 405".to_owned();
                    found.push(self.one(at, was, "gone".to_owned(), why, &self.next()));
                }
            }
        }
        found
    }

    fn operation(&self, at: &str, was: &Value, is: &Value, found: &mut Vec<Break>) {
        let next = self.next();
        let mut plain = |key: &str, why: &str| {
            if was.pointer(key) != is.pointer(key) {
                let text = |of: &Value| of.pointer(key).map_or_else(|| "nothing".to_owned(), text);
                found.push(self.one(format!("{at}{key}"), text(was), text(is), why.into(), &next));
            }
        };
        plain("/method", "its callers get 404 or 405");
        plain("/path", "its callers get 404 or 405");
        plain("/reply/status", "callers look at the status");
        plain("/reply/kind", "callers expect the other kind of answer");
        match (&was["keyed"], &is["keyed"]) {
            (Value::Bool(false), Value::Bool(true)) | (Value::String(_), Value::Bool(true)) => {
                plain("/keyed", "callers that send no key are refused with 400");
            }
            (Value::Bool(true) | Value::String(_), Value::Bool(false)) => {
                plain("/keyed", "callers send it again with their key, and it would be done twice");
            }
            _ => {}
        }
        if is["precondition"] == true {
            plain("/precondition", "callers that send no `If-Match` are refused with 428");
        }
        let lost = lost_access(&was["access"], &is["access"]);
        if !lost.is_empty() {
            plain("/access", &format!("{lost} may not call it any more"));
        }
        for header in was["reply"]["headers"].as_array().into_iter().flatten() {
            let still = is["reply"]["headers"].as_array().is_some_and(|all| all.contains(header));
            if !still {
                let at = format!("{at}/reply/headers");
                found.push(self.one(at, text(header), "gone".into(), "callers look for it".into(), &next));
            }
        }
        self.arguments(at, was, is, found);
        self.answers(at, is, found);
        self.problems(at, was, is, found);
    }

    /// What callers send.
    fn arguments(&self, at: &str, was: &Value, is: &Value, found: &mut Vec<Break>) {
        let next = self.next();
        let refused = "what they send today is refused with 422";
        for name in was["parameters"].as_object().into_iter().flatten().map(|(name, _)| escaped(name)) {
            let at = format!("{at}/parameters/{name}");
            let both = [&*at; 2];
            self.schemas(Reading::Sent, both, "what they send today is refused with 400", &next, found);
        }
        for key in ["query", "body"] {
            let at = format!("{at}/{key}");
            let both = [&*at; 2];
            match (was.get(key), is.get(key)) {
                (Some(_), Some(_)) => self.schemas(Reading::Sent, both, refused, &next, found),
                (Some(_), None) => {
                    let why = "what they send today is not read any more".into();
                    found.push(self.one(both[0].into(), key.into(), "gone".into(), why, &next));
                }
                (None, Some(schema)) if key == "body" || schema["required"].is_array() => {
                    let why = "callers send none".into();
                    found.push(self.one(both[0].into(), "nothing".into(), format!("a {key}"), why, &next));
                }
                _ => {}
            }
        }
    }

    /// What callers are answered.
    fn answers(&self, at: &str, is: &Value, found: &mut Vec<Break>) {
        let [written, read] = ["written", "read"].map(|face| format!("{at}/reply/{face}"));
        if is["reply"].get("written").is_some() {
            let late = "callers that run now cannot read the new answer";
            self.schemas(Reading::Written, [&written; 2], late, &self.next(), found);
            let early = "a new caller cannot read the answer of a server that still runs";
            let default = "give it `#[serde(default)]`, or make it an `Option`";
            self.schemas(Reading::WrittenBefore, [&written, &read], early, default, found);
        }
    }

    fn problems(&self, at: &str, was: &Value, is: &Value, found: &mut Vec<Break>) {
        let next = self.next();
        for (code, before) in was["problems"].as_object().into_iter().flatten() {
            // A problem that does not happen any more is nobody's.
            let Some(now) = is["problems"].get(code) else { continue };
            let at = format!("{at}/problems/{}", escaped(code));
            if before["status"] != now["status"] {
                let (was, is) = (text(&before["status"]), text(&now["status"]));
                found.push(self.one(
                    format!("{at}/status"),
                    was,
                    is,
                    "callers look at the status".into(),
                    &next,
                ));
            }
            for member in before["members"].as_object().into_iter().flatten().map(|(name, _)| name) {
                let at = format!("{at}/members/{}", escaped(member));
                let why =
                    "callers that run now cannot read the problem, and take it for a fault of the platform";
                match now["members"].get(member) {
                    None => found.push(self.one(at, member.clone(), "gone".into(), why.into(), &next)),
                    Some(_) => {
                        self.schemas(Reading::Written, [&format!("{at}/written"); 2], why, &next, found);
                    }
                }
            }
        }
    }

    /// Compares the committed schema at a place with that of now at the same or another place.
    fn schemas(&self, reading: Reading, at: [&str; 2], why: &str, instead: &str, found: &mut Vec<Break>) {
        let documents = Documents { committed: self.committed, now: self.now };
        for Misfit { pointer, was, is, why: how } in misfits(&documents, reading, at[0], at[1]) {
            // Types are shared by operations, and one change may break several directions: once is enough.
            if found.iter().any(|known| known.pointer == pointer) {
                continue;
            }
            let how = match how {
                Why::Required => "it has to be there".to_owned(),
                Why::Removed => "it is gone".to_owned(),
                Why::Optional => "it may be missing".to_owned(),
                Why::Values(values) => format!("`{}` is not known there", values.join("`, `")),
                Why::Bound(key) => format!("the {key} does not fit"),
            };
            found.push(self.one(pointer, was, is, format!("{how}, and {why}"), instead));
        }
    }

    fn one(&self, pointer: String, was: String, is: String, why: String, instead: &str) -> Break {
        let mut whom = self.services.to_vec();
        if self.is_public {
            whom.push("users of the gateway".to_owned());
        }
        Break { file: self.file.to_owned(), pointer, was, is, why, whom, instead: instead.to_owned() }
    }

    /// The way out of most of it.
    fn next(&self) -> String {
        let version = self.committed["version"].as_u64().unwrap_or(0) + 1;
        let name = text(&self.committed["contract"]);
        format!("leave it, and serve the change as version {version} of `{name}` beside it")
    }
}

/// A value for people: text without quotes.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Who could call, and cannot any more.
fn lost_access(was: &Value, is: &Value) -> String {
    let roles =
        |access: &Value| -> Vec<String> { access.as_array().into_iter().flatten().map(text).collect() };
    match (was.as_str(), is.as_str()) {
        (_, Some("public")) => String::new(),
        (Some("public"), _) => "callers without a token".to_owned(),
        (_, Some(_)) => String::new(),
        (Some(_), None) => format!("callers without the role {}", roles(is).join(" or ")),
        (None, None) => {
            let lost: Vec<_> = roles(was).into_iter().filter(|role| !roles(is).contains(role)).collect();
            lost.join(", ")
        }
    }
}

#[cfg(test)]
mod tests;
