//! etcd's JSON gateway: what is needed of it, at the first member that answers.
//!
//! Keys and values are in base64, 64-bit numbers are texts, and what is zero is left out.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use partie_contract::BoxError;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::discovery::Misconfigured;
use crate::discovery::http::{Endpoint, InvalidEndpoint, Lines};

/// How long one member may take.
const ANSWER: Duration = Duration::from_secs(5);
/// Longer answers are refused, in bytes.
const LIMIT: usize = 64 << 20;

/// The members of a cluster.
pub(super) struct Gateway {
    members: Vec<Endpoint>,
    /// Which is tried first: the one that answered last.
    first: AtomicUsize,
}

#[derive(Clone, Copy)]
pub(super) struct Lease(i64);

/// A watch on the keys of a prefix.
pub(super) struct Watch(Lines);

pub(super) enum Watched {
    /// Changes, or none: a sign of life.
    Events(Vec<Event>),
    /// The revision to begin with is not kept any more.
    Compacted,
}

#[derive(Debug, Deserialize)]
pub(super) struct KeyValue {
    #[serde(deserialize_with = "base64")]
    pub(super) key: Vec<u8>,
    #[serde(default, deserialize_with = "base64")]
    pub(super) value: Vec<u8>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Event {
    /// Left out when it is `PUT`.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    pub(super) kv: KeyValue,
}

#[derive(Debug, Deserialize)]
struct Header {
    #[serde(default)]
    revision: Number,
}

#[derive(Debug, Deserialize)]
struct Granted {
    #[serde(rename = "ID")]
    id: Number,
}

#[derive(Debug, Deserialize)]
struct Range {
    header: Header,
    #[serde(default)]
    kvs: Vec<KeyValue>,
    #[serde(default)]
    count: Number,
}

/// What streams say.
#[derive(Debug, Deserialize)]
struct Streamed<T> {
    result: Option<T>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Renewed {
    #[serde(default, rename = "TTL")]
    ttl: Number,
}

#[derive(Debug, Deserialize)]
struct WatchAnswer {
    #[serde(default)]
    canceled: bool,
    #[serde(default)]
    cancel_reason: String,
    #[serde(default)]
    compact_revision: Number,
    #[serde(default)]
    events: Vec<Event>,
}

/// A 64-bit number, as the text it should be or as the number it is in some versions.
#[derive(Debug, Clone, Copy, Default)]
struct Number(i64);

// === impl Gateway ===

impl Gateway {
    pub(super) fn new(endpoints: &[String]) -> Result<Self, Misconfigured> {
        let invalid = |error: InvalidEndpoint| Misconfigured::new("endpoints", error.to_string());
        let members = endpoints.iter().map(|endpoint| endpoint.parse()).collect::<Result<_, _>>();
        Ok(Self { members: members.map_err(invalid)?, first: AtomicUsize::new(0) })
    }

    pub(super) async fn grant(&self, ttl: Duration) -> Result<Lease, BoxError> {
        let granted: Granted =
            self.call("/v3/lease/grant", &json!({ "TTL": ttl.as_secs().to_string() })).await?;
        Ok(Lease(granted.id.0))
    }

    /// Renews a lease. Says whether there is such a lease.
    pub(super) async fn renew(&self, Lease(id): Lease) -> Result<bool, BoxError> {
        let renewed: Streamed<Renewed> =
            self.call("/v3/lease/keepalive", &json!({ "ID": id.to_string() })).await?;
        match renewed {
            Streamed { result: Some(renewed), .. } => Ok(renewed.ttl.0 > 0),
            Streamed { error, .. } => Err(format!("it does not renew a lease: {error:?}").into()),
        }
    }

    pub(super) async fn put(&self, key: &str, value: &[u8], Lease(id): Lease) -> Result<(), BoxError> {
        let body = json!({ "key": text(key), "value": text(value), "lease": id.to_string() });
        self.call::<Value>("/v3/kv/put", &body).await.map(drop)
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), BoxError> {
        self.call::<Value>("/v3/kv/deleterange", &json!({ "key": text(key) })).await.map(drop)
    }

    pub(super) async fn exists(&self, key: &str) -> Result<bool, BoxError> {
        let range: Range =
            self.call("/v3/kv/range", &json!({ "key": text(key), "count_only": true })).await?;
        Ok(range.count.0 > 0)
    }

    /// All keys with a prefix, and the revision they are of.
    pub(super) async fn range(&self, prefix: &str) -> Result<(Vec<KeyValue>, u64), BoxError> {
        let body = json!({ "key": text(prefix), "range_end": text(end(prefix)) });
        let range: Range = self.call("/v3/kv/range", &body).await?;
        Ok((range.kvs, u64::try_from(range.header.revision.0)?))
    }

    /// Everything that happens to keys with a prefix from that revision on.
    pub(super) async fn watch(&self, prefix: &str, revision: u64) -> Result<Watch, BoxError> {
        let body = json!({ "create_request": {
            "key": text(prefix),
            "range_end": text(end(prefix)),
            "start_revision": revision.to_string(),
        } });
        // The member that answered the list: another one may not be so far yet.
        let member = &self.members[self.first.load(Ordering::Relaxed) % self.members.len()];
        let answer = member.open(request("/v3/watch", &body), ANSWER).await?;
        match answer.status() {
            StatusCode::OK => Ok(Watch(answer.into_body())),
            status => Err(format!("{member} does not watch: {status}").into()),
        }
    }

    /// Asks one member after the other until one can answer.
    async fn call<T: DeserializeOwned>(&self, path: &'static str, body: &Value) -> Result<T, BoxError> {
        let (first, count) = (self.first.load(Ordering::Relaxed), self.members.len());
        let mut failure: BoxError = "it has no members".into();
        for n in (first..first + count).map(|n| n % count) {
            let member = &self.members[n];
            match member.exchange(request(path, body), ANSWER, LIMIT).await {
                Ok(answer) if answer.status() == StatusCode::OK => {
                    self.first.store(n, Ordering::Relaxed);
                    let read = serde_json::from_slice(answer.body());
                    return read
                        .map_err(|error| format!("{member} does not speak as etcd does: {error}").into());
                }
                Ok(answer) => {
                    let said: String = String::from_utf8_lossy(answer.body()).chars().take(300).collect();
                    failure = format!("{member}: {}: {said}", answer.status()).into();
                    // What the request is to blame for, the next member would say as well.
                    if answer.status().is_client_error() {
                        return Err(failure);
                    }
                }
                Err(failed) => failure = failed.into(),
            }
        }
        Err(failure)
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("etcd at ")?;
        for (n, member) in self.members.iter().enumerate() {
            write!(f, "{}{member}", if n > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

// === impl Watch ===

impl Watch {
    /// What comes next. The future may be dropped.
    pub(super) async fn next(&mut self) -> Result<Watched, BoxError> {
        let line = self.0.next().await?.ok_or("it has ended a watch")?;
        let answer: Streamed<WatchAnswer> = serde_json::from_slice(&line)
            .map_err(|error| format!("it does not speak as etcd does: {error}"))?;
        match answer {
            Streamed { result: Some(answer), .. } if answer.compact_revision.0 > 0 => Ok(Watched::Compacted),
            Streamed { result: Some(answer), .. } if answer.canceled => {
                Err(format!("it has ended a watch: {}", answer.cancel_reason).into())
            }
            Streamed { result: Some(answer), .. } => Ok(Watched::Events(answer.events)),
            Streamed { error, .. } => Err(format!("it has ended a watch: {error:?}").into()),
        }
    }
}

// === impl Event ===

impl Event {
    pub(super) fn is_put(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == "PUT")
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => text.parse().map(Self).map_err(D::Error::custom),
            Value::Number(number) => number.as_i64().map(Self).ok_or_else(|| D::Error::custom("too large")),
            other => Err(D::Error::custom(format!("{other} instead of a number"))),
        }
    }
}

fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    BASE64_STANDARD.decode(text).map_err(D::Error::custom)
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// The first key after all that begin with a prefix, which ends with a slash.
fn end(prefix: &str) -> String {
    debug_assert!(prefix.ends_with('/'));
    format!("{}0", prefix.strip_suffix('/').unwrap_or(prefix))
}

fn request(path: &'static str, body: &Value) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body.to_string().into()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(path);
    request
}
