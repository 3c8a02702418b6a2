//! The client's face of a contract: calls go out over a channel, answers come back as the same types.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;

use crate::body::{Body, Request, Response};
use crate::call::Call;
use crate::fault::{Fault, Outcome};
use crate::operation::{Contract, Operation};
use crate::platform::{FaultKind, Platform};
use crate::problem::{Problem, ProblemDetails};
use crate::reply::Reply;
use crate::routes::{Answer, BoxFuture};
use crate::wire::PROBLEM_JSON;

/// How large an answer a client reads, in bytes.
const LARGEST_ANSWER: usize = 16 << 20;
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
    body: Vec<u8>,
    /// The first thing that cannot be sent.
    broken: Option<Platform>,
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
        Outcome::read(self.exchange(cx, outbound).await)
    }

    /// Sends the request and reads the answer, whatever it says. Only a stream's body is left to come.
    ///
    /// # Errors
    /// A platform fault when there is no answer.
    pub async fn exchange(&self, cx: &Call, outbound: Outbound) -> Result<Response, Platform> {
        let operation = outbound.operation;
        let mut request = outbound.into_request()?;
        cx.write_headers(operation, request.headers_mut())?;
        let (head, body) = self.0.send(cx.clone(), operation, request).await?.into_parts();
        let limit = match head.status.is_success() {
            true if operation.is_stream() => return Ok(Response::from_parts(head, body)),
            true => LARGEST_ANSWER,
            false if is_problem(&head.headers) => LARGEST_PROBLEM,
            // Somebody's error page: its status says all we use.
            false => return Ok(Response::from_parts(head, Body::empty())),
        };
        let whole = body.collect(limit).await.map_err(Platform::from_upstream)?;
        Ok(Response::from_parts(head, whole.into()))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Channel")
    }
}

/// The contract's own problem if the code is one of its, else a fault of the platform.
pub(crate) fn fault_from<E: Problem>(response: Response) -> Fault<E> {
    let (head, body) = response.into_parts();
    let retry_after =
        head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = body.into_whole().filter(|_| is_problem(&head.headers)).unwrap_or_default();
    let mut details = serde_json::from_slice(&body).unwrap_or_else(|_| ProblemDetails::bare());
    details.status = head.status.as_u16();
    let known = E::KINDS.iter().any(|kind| kind.code == details.code);
    match known.then(|| E::decode(&details.code, details.members.clone())).flatten() {
        Some(error) => Fault::Domain(error),
        None => Fault::Platform(Platform::from_details(details, retry_after.map(Duration::from_secs))),
    }
}

fn is_problem(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM_JSON.as_bytes()))
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
            body: Vec::new(),
            broken: None,
        }
    }

    /// Fills the next place of the path template. The value becomes one segment, whatever it contains; an empty one, `.`
    /// and `..` cannot, and fail the call with [`FaultKind::MalformedRequest`].
    #[must_use]
    pub fn param(mut self, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        if matches!(value.as_str(), "" | "." | "..") {
            // RFC 3986 section 5.2.4: somebody on the way would resolve them away.
            let detail = format!("`{value}` cannot be a part of the address");
            self.broken.get_or_insert_with(|| Platform::new(FaultKind::MalformedRequest).with_detail(detail));
        }
        if let Some((before, rest)) = self.rest.split_once('{') {
            self.path.push_str(before);
            encode_segment(&value, &mut self.path);
            self.rest = rest.split_once('}').map_or("", |(_, rest)| rest);
        }
        self
    }

    /// Sets the query. Absent options leave no trace.
    #[must_use]
    pub fn query(mut self, query: &impl Serialize) -> Self {
        match serde_urlencoded::to_string(query) {
            Ok(query) => self.query = query,
            Err(error) => self.broken = Some(Platform::internal(error)),
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => self.body = body,
            Err(error) => self.broken = Some(Platform::internal(error)),
        }
        self
    }

    fn into_request(mut self) -> Result<Request, Platform> {
        if let Some(fault) = self.broken {
            return Err(fault);
        }
        self.path.push_str(self.rest);
        if !self.query.is_empty() {
            self.path.push('?');
            self.path.push_str(&self.query);
        }
        let mut request = Request::new(Body::empty());
        *request.method_mut() = self.operation.verb.method();
        *request.uri_mut() = self.path.parse().map_err(Platform::internal)?;
        if !self.body.is_empty() {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = self.body.into();
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
