//! What an answer has to look like.

use partie_contract::{Content, FaultKind, Operation};
use serde_json::Value;

use crate::plain::Answer;

/// Everything that is wrong with an answer that had to be this problem.
pub(crate) fn problem(answer: &Answer, kind: FaultKind) -> Vec<String> {
    let code = answer.code().unwrap_or_default();
    if (answer.status, code.as_str()) != (kind.status(), kind.code()) {
        return vec![format!("expected {} {}, got {}", kind.status(), kind.code(), shown(answer))];
    }
    let mut wrong = well_formed(answer);
    let missing = |name: &str| answer.header(name).is_none().then(|| format!("there is no {name} header"));
    match kind {
        FaultKind::Unauthenticated => wrong.extend(missing("www-authenticate")),
        FaultKind::MethodNotAllowed => wrong.extend(missing("allow")),
        _ => {}
    }
    wrong
}

/// The same, with a violation at that place.
pub(crate) fn violation(answer: &Answer, pointer: Option<&str>) -> Vec<String> {
    let mut wrong = problem(answer, FaultKind::ValidationFailed);
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let errors = body.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
    let pointers: Vec<&str> = errors.iter().filter_map(|error| error.get("pointer")?.as_str()).collect();
    let found = pointer.map_or(!pointers.is_empty(), |pointer| pointers.contains(&pointer));
    if wrong.is_empty() && !found {
        wrong.push(format!(
            "expected a violation at {:?}, found {pointers:?}",
            pointer.unwrap_or("any place")
        ));
    }
    wrong
}

/// Everything that is wrong with a refusal, whatever it says.
pub(crate) fn well_formed(answer: &Answer) -> Vec<String> {
    let mut wrong = Vec::new();
    if answer.status >= 500 {
        wrong.push(format!("nothing a client sends earns {}", shown(answer)));
    }
    let kind = answer.header("content-type").unwrap_or("none");
    if kind != "application/problem+json" {
        wrong.push(format!("the content type of {} is {kind}", shown(answer)));
        return wrong;
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    for name in ["type", "title", "code", "instance", "request_id"] {
        if text(name).is_empty() {
            wrong.push(format!("the problem has no {name}: {}", shown(answer)));
        }
    }
    if body.get("status").and_then(Value::as_u64) != Some(answer.status.into()) {
        wrong.push(format!("the problem names another status: {}", shown(answer)));
    }
    if answer.header("x-request-id") != Some(text("request_id")) {
        wrong.push("X-Request-Id is not the problem's request_id".to_owned());
    }
    wrong
}

/// Everything that is wrong with an answer that had to be the operation's success.
pub(crate) fn success(answer: &Answer, operation: &Operation) -> Vec<String> {
    let reply = operation.reply;
    if answer.status != reply.status {
        return vec![format!("expected {}, got {}", reply.status, shown(answer))];
    }
    let mut wrong = Vec::new();
    let kind = answer.header("content-type").unwrap_or_default();
    match reply.content {
        Content::Empty if !answer.body.is_empty() => {
            wrong.push(format!("the table says no body, there is {}", shown(answer)));
        }
        Content::Json(_) if kind != "application/json" => {
            wrong.push(format!("the content type is {kind:?}, not application/json"));
        }
        Content::Json(_) if serde_json::from_slice::<Value>(&answer.body).is_err() => {
            wrong.push(format!("the body is not JSON: {}", shown(answer)));
        }
        Content::Events(_) if kind != "text/event-stream" => {
            wrong.push(format!("the content type is {kind:?}, not text/event-stream"));
        }
        Content::Empty | Content::Json(_) | Content::Events(_) => {}
    }
    let located = reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("location"));
    let names: &[&str] = if located { &["x-request-id", "location"] } else { &["x-request-id"] };
    wrong.extend(
        names
            .iter()
            .filter(|name| answer.header(name).is_none())
            .map(|name| format!("there is no {name} header")),
    );
    wrong
}

/// The same for the answer to `HEAD`, which has no body.
pub(crate) fn success_head(answer: &Answer, operation: &Operation) -> Vec<String> {
    let expected = operation.reply.status;
    let wrong = answer.status != expected;
    wrong.then(|| format!("expected {expected}, got {}", shown(answer))).into_iter().collect()
}

/// Everything in which a replay is not the first answer.
pub(crate) fn replay(first: &Answer, second: &Answer) -> Vec<String> {
    let mut wrong = Vec::new();
    if first.header("idempotency-replayed").is_some() {
        wrong.push("the first answer already says it is a replay".to_owned());
    }
    if second.header("idempotency-replayed") != Some("true") {
        wrong.push(format!(
            "answered {} without having recorded its key: the second answer is {} and no replay",
            first.status,
            shown(second)
        ));
        return wrong;
    }
    if (first.status, &first.body) != (second.status, &second.body) {
        wrong.push(format!("the first answer was {}, its replay is {}", shown(first), shown(second)));
    }
    for name in ["location", "etag", "link", "content-type"] {
        if first.header(name) != second.header(name) {
            let (first, second) = (first.header(name), second.header(name));
            wrong.push(format!("{name} was {first:?}, in the replay it is {second:?}"));
        }
    }
    wrong
}

/// An answer in one line.
pub(crate) fn shown(answer: &Answer) -> String {
    let body: String = answer.text().chars().take(300).collect();
    format!("{} {body}", answer.status).trim_end().to_owned()
}
