//! The client's face of a contract: calls go out over a channel, answers come back as the same types.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, header};
use serde::Serialize;
use serde_json::Map;

use crate::body::{Body, Request, Response};
use crate::call::Call;
use crate::fault::{Fault, Outcome};
use crate::operation::{Contract, Operation};
use crate::platform::Platform;
use crate::problem::{Problem, ProblemDetails};
use crate::reply::Reply;
use crate::routes::BoxFuture;
use crate::wire::PROBLEM_JSON;

/// How large a problem a client reads, in bytes.
const LARGEST_PROBLEM: usize = 64 << 10;

/// Carries requests to a service, wherever it runs. The mesh implements it.
pub trait Transport: Send + Sync + 'static {
    /// Sends one request of an operation and gives back the answer, whatever its status.
    ///
    /// # Errors
    /// Within the future: a platform fault when there is no answer.
    fn send(
        &self,
        call: Call,
        operation: &'static Operation,
        request: Request,
    ) -> BoxFuture<'static, Result<Response, Platform>>;
}

/// A way to one service. Cheap to clone.
#[derive(Clone)]
pub struct Channel(Arc<dyn Transport>);

/// A typed client, made by the macro.
pub trait Client: Clone + Send + Sync + 'static {
    /// The contract it speaks.
    const CONTRACT: &'static Contract;

    /// A client over that channel.
    fn over(channel: Channel) -> Self;
}

/// A request in the making.
#[derive(Debug)]
pub struct Outbound {
    operation: &'static Operation,
    path: String,
    /// What is left of the path template.
    rest: &'static str,
    query: String,
    body: Result<Vec<u8>, Platform>,
}

// === impl Channel ===

impl Channel {
    /// A channel over that transport.
    pub fn new(transport: impl Transport) -> Self {
        Self(Arc::new(transport))
    }

    /// Calls the operation.
    ///
    /// # Errors
    /// The contract's problem, or a platform fault.
    pub async fn call<T: Reply, E: Problem>(&self, cx: &Call, outbound: Outbound) -> Outcome<T, E> {
        let operation = outbound.operation;
        let mut request = outbound.into_request()?;
        cx.write_headers(operation, request.headers_mut())?;
        let response = self.0.send(cx.clone(), operation, request).await?;
        if response.status().is_success() {
            return Ok(T::from_response(response).await?);
        }
        Err(fault_from(response).await)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Channel")
    }
}

/// The contract's own problem if the code is one of its, else a fault of the platform.
async fn fault_from<E: Problem>(response: Response) -> Fault<E> {
    let (parts, body) = response.into_parts();
    let is_problem = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM_JSON.as_bytes()));
    let retry_after =
        parts.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut details = ProblemDetails {
        type_uri: String::new(),
        title: String::new(),
        status: parts.status.as_u16(),
        detail: None,
        instance: None,
        code: String::new(),
        errors: Vec::new(),
        request_id: None,
        members: Map::new(),
    };
    if is_problem {
        match body.collect(LARGEST_PROBLEM).await {
            Ok(bytes) => {
                if let Ok(read) = serde_json::from_slice::<ProblemDetails>(&bytes) {
                    details = ProblemDetails { status: details.status, ..read };
                }
            }
            Err(fault) => return Fault::Platform(fault.from_upstream()),
        }
    }
    let known = E::KINDS.iter().any(|kind| kind.code == details.code);
    match known.then(|| E::decode(&details.code, details.members.clone())).flatten() {
        Some(error) => Fault::Domain(error),
        None => Fault::Platform(Platform::from_details(details, retry_after.map(Duration::from_secs))),
    }
}

// === impl Outbound ===

impl Outbound {
    /// A request of that operation.
    pub fn new(operation: &'static Operation) -> Self {
        Self {
            operation,
            path: String::new(),
            rest: operation.path,
            query: String::new(),
            body: Ok(Vec::new()),
        }
    }

    /// Fills the next place of the path template. The value becomes one segment, whatever it contains.
    #[must_use]
    pub fn param(mut self, value: impl fmt::Display) -> Self {
        if let Some((before, rest)) = self.rest.split_once('{') {
            self.path.push_str(before);
            encode_segment(&value.to_string(), &mut self.path);
            self.rest = rest.split_once('}').map_or("", |(_, rest)| rest);
        }
        self
    }

    /// Sets the query. Absent options leave no trace.
    #[must_use]
    pub fn query(mut self, query: &impl Serialize) -> Self {
        match serde_urlencoded::to_string(query) {
            Ok(query) => self.query = query,
            Err(error) => self.body = Err(Platform::internal(error)),
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).map_err(Platform::internal);
        self
    }

    fn into_request(mut self) -> Result<Request, Platform> {
        self.path.push_str(self.rest);
        if !self.query.is_empty() {
            self.path.push('?');
            self.path.push_str(&self.query);
        }
        let body = self.body?;
        let mut request = Request::new(Body::empty());
        *request.method_mut() = self.operation.verb.method();
        *request.uri_mut() = self.path.parse().map_err(Platform::internal)?;
        if !body.is_empty() {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = body.into();
        }
        Ok(request)
    }
}

/// Everything but unreserved characters is escaped (RFC 3986 section 2.3), so that no value can add a segment.
fn encode_segment(value: &str, out: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                out.push('%');
                for digit in [byte >> 4, byte & 15] {
                    out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_segment() {
        for (value, segment) in [
            ("abc", "abc"),
            ("a/b", "a%2Fb"),
            ("../x", "..%2Fx"),
            ("a?b#c d", "a%3Fb%23c%20d"),
            ("é", "%C3%A9"),
        ] {
            let mut out = String::new();
            encode_segment(value, &mut out);
            assert_eq!(out, segment);
        }
    }
}
