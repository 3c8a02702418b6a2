//! The cases that take more than one changed request.

use std::time::Duration;

use partie_contract::{FaultKind, Verb};
use serde_json::Value;

use super::{Found, Walk};
use crate::call::fresh_key;
use crate::conformance::ask::Ask;
use crate::conformance::bodies::{self, UNKNOWN};
use crate::conformance::example::Example;
use crate::conformance::{expect, table};

/// How long the first event of a stream may take.
const FIRST_EVENT: Duration = Duration::from_secs(5);

impl Walk<'_, '_> {
    /// Something nobody knows: named to users, passed over for services, which may be of another version.
    pub(super) async fn unknown(&self, example: &Example, ask: Ask) -> Found {
        let answer = ask.send().await?;
        Ok(match example.is_by_service(self.operation) {
            true => expect::success(&answer, self.operation),
            false => expect::violation(&answer, Some(&format!("/{UNKNOWN}"))),
        })
    }

    pub(super) async fn wrong_method(&self, ask: Ask) -> Found {
        let all = [Verb::Put, Verb::Patch, Verb::Delete, Verb::Post, Verb::Get];
        let free = all.into_iter().find(|verb| !self.row.methods.contains(verb)).map(Verb::as_str);
        let mut wrong = Vec::new();
        for method in free.into_iter().chain(["PURGE"]) {
            let answer = Ask { method, ..ask.clone() }.send().await?;
            wrong.extend(expect::problem(&answer, FaultKind::MethodNotAllowed));
            let allow: Vec<&str> = answer.header("allow").unwrap_or_default().split(", ").collect();
            let missing = self.row.methods.iter().filter(|verb| !allow.contains(&verb.as_str()));
            wrong.extend(missing.map(|verb| format!("Allow does not name {}: {allow:?}", verb.as_str())));
        }
        Ok(wrong)
    }

    /// The address with something else in the place of its last parameter; after it if there is none.
    fn with_last_param(&self, ask: &Ask, index: Option<usize>, text: &str) -> Ask {
        let Some(index) = index else { return Ask { path: format!("{}{text}", ask.path), ..ask.clone() } };
        let template = self.operation.path.split('/');
        let wanted = format!("{{{}}}", self.operation.params[index].name);
        let segments: Vec<&str> = template
            .zip(ask.path.split('/'))
            .map(|(slot, own)| if slot == wanted { text } else { own })
            .collect();
        Ask { path: segments.join("/"), ..ask.clone() }
    }

    pub(super) fn bad_escapes(&self, ask: &Ask) -> Vec<Ask> {
        let last = self.params.len().checked_sub(1);
        ["%zz", "%", "%2", "%ff", "%00", "a%2Fb", "%2e%2e"]
            .map(|text| self.with_last_param(ask, last, text))
            .into_iter()
            // Behind a name two escaped dots are a name.
            .filter(|ask| last.is_some() || !ask.path.ends_with("%2e%2e"))
            .collect()
    }

    pub(super) fn bad_params(&self, ask: &Ask) -> Vec<Ask> {
        let strict = (0..self.params.len()).filter(|index| is_strict(&self.params[*index]));
        strict
            .flat_map(|index| {
                ["x", "-", "0190b6c3", "%20", "1.5", "%F0%9F%8D%95"]
                    .map(|text| self.with_last_param(ask, Some(index), text))
            })
            .collect()
    }

    pub(super) async fn missing_fields(&self, body: &Value, ask: &Ask) -> Found {
        let mut wrong = Vec::new();
        for name in self.body.as_ref().map(table::required).unwrap_or_default() {
            let Some(body) = bodies::without(body, name) else {
                return Err(format!("the example has no {name}, which the schema requires"));
            };
            let answer = ask.clone().with_body(body.to_string()).send().await?;
            wrong
                .extend(expect::violation(&answer, None).into_iter().map(|w| format!("without {name}: {w}")));
        }
        Ok(wrong)
    }

    /// The same key for another body, or for another thing at another address.
    pub(super) async fn reused_key(&self, body: &Value, ask: &Ask) -> Found {
        let first = ask.send().await?;
        let wrong = expect::success(&first, self.operation);
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        let other = match bodies::with_unknown(body).filter(|_| self.operation.body.is_some()) {
            Some(other) => ask.clone().with_body(other.to_string()),
            None => Ask { key: ask.key.clone(), token: ask.token.clone(), ..self.fresh().await?.1 },
        };
        if (&other.path, &other.body) == (&ask.path, &ask.body) {
            return Err("two examples are the same request, so no key can be reused".to_owned());
        }
        refused([other], FaultKind::IdempotencyKeyReused).await
    }

    /// Whatever stands anywhere: a success, or a refusal that can be read.
    pub(super) async fn odd_values(&self, example: &Example, ask: Ask) -> Found {
        let mut asks: Vec<(String, Ask)> = Vec::new();
        if let Some(body) = &example.body {
            let odd = bodies::odd(body).into_iter();
            asks.extend(odd.map(|(what, body)| (what, ask.clone().with_body(body.to_string()))));
        }
        let long = "9".repeat(4000);
        let values = [
            "",
            "0",
            "-1",
            "18446744073709551616",
            "%20",
            "%27%22%3B--",
            "%E2%80%AE",
            "null",
            "1e309",
            &long,
        ];
        for name in self.query.as_ref().map(table::members).unwrap_or_default() {
            let pairs = values.map(|value| format!("{name}={value}"));
            asks.extend(
                pairs.map(|pair| {
                    (pair.clone(), Ask { query: String::new(), ..ask.clone() }.with_query(&pair))
                }),
            );
        }
        for index in 0..self.params.len() {
            let values = values.iter().filter(|value| !value.is_empty());
            asks.extend(
                values.map(|value| ((*value).to_owned(), self.with_last_param(&ask, Some(index), value))),
            );
        }
        let mut wrong = Vec::new();
        for (what, mut ask) in asks {
            ask.key = ask.key.map(|_| fresh_key());
            let found = match ask.send().await {
                Ok(answer) if answer.status < 400 => continue,
                Ok(answer) => expect::well_formed(&answer),
                Err(error) => vec![error],
            };
            let what: String = what.chars().take(80).collect();
            wrong.extend(found.into_iter().map(|found| format!("{what}: {found}")));
        }
        Ok(wrong)
    }
}

/// Whether not every text is a value of this schema.
pub(super) fn is_strict(schema: &Value) -> bool {
    let format = schema.get("format").and_then(Value::as_str);
    format == Some("uuid") || table::is_type(schema, "integer") || table::is_type(schema, "number")
}

/// Every one of the requests is refused in that way.
pub(super) async fn refused(asks: impl IntoIterator<Item = Ask>, kind: FaultKind) -> Found {
    let mut wrong = Vec::new();
    for ask in asks {
        let answer = ask.send().await?;
        wrong.extend(expect::problem(&answer, kind));
    }
    Ok(wrong)
}

pub(super) async fn first_event(ask: &Ask) -> Found {
    let mut open = ask.open().await?;
    match tokio::time::timeout(FIRST_EVENT, open.event()).await {
        Ok(Ok(Some(event))) if serde_json::from_str::<Value>(&event.data).is_ok() => Ok(Vec::new()),
        Ok(Ok(Some(event))) => Err(format!("the first event is not JSON: {event:?}")),
        Ok(Ok(None)) => Err("the stream ended without an event".to_owned()),
        Ok(Err(error)) => Err(format!("the stream broke off: {error}")),
        Err(_) => Err(format!("no event within {FIRST_EVENT:?}")),
    }
}
