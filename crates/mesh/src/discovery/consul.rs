//! Consul as the registry: instances are announced to an agent, and found by blocking queries.
//!
//! It is tested against [`ConsulApi`](super::ConsulApi), which answers by Consul's documentation. No real Consul was
//! available to test it with.

mod answer;
mod config;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use partie_contract::{BoxError, BoxFuture};
use partie_runtime::monotonic;
use serde_json::json;

use self::answer::Known;
use super::consul_api::{SETTLING, WEIGHT_META};
use super::http::{Endpoint, InvalidEndpoint};
use super::{Instance, Misconfigured, Registry, RegistryError, Seen, Standing, USUAL_WEIGHT};

pub use self::config::ConsulConfig;

/// How long the agent may take to answer what it can answer at once.
const ANSWER: Duration = Duration::from_secs(10);
/// Longer answers are refused, in bytes.
const LIMIT: usize = 64 << 20;
/// Two questions about the same list are so far apart, whatever makes them come back at once.
const PACE: Duration = Duration::from_millis(50);
/// How long Consul keeps a critical instance. Those that ended without a word never come back under their id.
const FORGOTTEN: &str = "90s";

/// Consul, by way of one of its agents. An agent belongs on the machine of the instances it is told about.
pub struct ConsulRegistry {
    agent: Endpoint,
    token: Option<HeaderValue>,
    config: ConsulConfig,
}

// === impl ConsulRegistry ===

impl ConsulRegistry {
    /// The agent at [`ConsulConfig::url`]. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Misconfigured`] when that is no address, or another setting makes no sense.
    pub fn new(config: ConsulConfig) -> Result<Self, Misconfigured> {
        config.check()?;
        let url = |error: InvalidEndpoint| Misconfigured::new("url", error.to_string());
        let agent = config.url.parse().map_err(url)?;
        let token = config.token.as_ref().map(|token| HeaderValue::from_str(token.reveal())).transpose();
        let mut token = token.map_err(|_| Misconfigured::new("token", "it does not fit into a header"))?;
        if let Some(token) = &mut token {
            token.set_sensitive(true);
        }
        Ok(Self { agent, token, config })
    }

    /// Registers the instance, and ends when Consul does not have it any more.
    async fn keep(
        &self,
        service: &str,
        instance: &Instance,
        standing: &Standing,
    ) -> Result<RegistryError, BoxError> {
        let id = consul_id(service, &instance.id);
        let registered =
            self.put("/v1/agent/service/register", self.definition(service, &id, instance)).await?;
        if registered.status() != StatusCode::OK {
            return Err(refused(&registered));
        }
        standing.stands();
        let alive = if self.config.check_path.is_some() {
            self.request(Method::GET, &format!("/v1/agent/service/{}", escaped(&id)), Bytes::new())
        } else {
            self.request(
                Method::PUT,
                &format!("/v1/agent/check/pass/{}", escaped(&format!("service:{id}"))),
                Bytes::new(),
            )
        };
        let mut good = monotonic();
        loop {
            tokio::time::sleep(self.config.ttl / 3).await;
            match self.agent.exchange(alive.clone(), ANSWER.min(self.config.ttl), LIMIT).await {
                Ok(answer) if answer.status() == StatusCode::OK => good = monotonic(),
                // An agent that says so has lost its memory, or was told to forget.
                Ok(answer) if answer.status() == StatusCode::NOT_FOUND => {
                    return Ok(self.error("it has forgotten the instance"));
                }
                Ok(answer) => self.bear(good, refused(&answer))?,
                Err(failed) => self.bear(good, failed.into())?,
            }
        }
    }

    /// Passes over a failure as long as the last success is good for.
    fn bear(&self, good: std::time::Instant, failure: BoxError) -> Result<(), BoxError> {
        if monotonic().duration_since(good) < self.config.ttl { Ok(()) } else { Err(failure) }
    }

    fn definition(&self, service: &str, id: &str, instance: &Instance) -> serde_json::Value {
        let ConsulConfig { ttl, interval, .. } = &self.config;
        let millis = |duration: &Duration| format!("{}ms", duration.as_millis());
        // It is announced when it is ready, and nobody should wait for the first check to say so.
        let mut check = json!({ "DeregisterCriticalServiceAfter": FORGOTTEN, "Status": "passing" });
        match &self.config.check_path {
            None => check["TTL"] = millis(ttl).into(),
            Some(path) => {
                check["HTTP"] = format!("http://{}{path}", instance.address).into();
                check["Interval"] = millis(interval).into();
            }
        }
        // Consul's weights are whole numbers of which 1 is usual, and 0 is none.
        let weight = instance.weight.div_ceil(USUAL_WEIGHT).clamp(1, 65_535);
        json!({
            "ID": id,
            "Name": service,
            "Address": instance.address.ip().to_string(),
            "Port": instance.address.port(),
            "Meta": { WEIGHT_META: instance.weight.to_string() },
            "Weights": { "Passing": weight, "Warning": weight },
            "Check": check,
        })
    }

    async fn watch(&self, service: &str, seen: &Seen) -> Result<RegistryError, BoxError> {
        let wait = self.config.wait;
        let mut index = 0;
        loop {
            let asked = monotonic();
            let path = format!(
                "/v1/health/service/{}?passing=1&index={index}&wait={}ms",
                escaped(service),
                wait.as_millis()
            );
            let request = self.request(Method::GET, &path, Bytes::new());
            // Consul adds up to a sixteenth by chance.
            let answer = self.agent.exchange(request, wait + wait / 16 + ANSWER, LIMIT).await?;
            if answer.status() != StatusCode::OK {
                return Err(refused(&answer));
            }
            index = next_index(index, &answer);
            let instances = Known::parse(answer.body())?.instances(service).await;
            if answer.headers().contains_key(SETTLING) {
                seen.at_least(instances);
            } else {
                seen.list(instances);
            }
            tokio::time::sleep(PACE.saturating_sub(monotonic().duration_since(asked))).await;
        }
    }

    async fn put(&self, path: &str, body: serde_json::Value) -> Result<Response<Bytes>, BoxError> {
        let request = self.request(Method::PUT, path, body.to_string().into());
        Ok(self.agent.exchange(request, ANSWER, LIMIT).await?)
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap_or_default();
        if let Some(token) = &self.token {
            request.headers_mut().insert("x-consul-token", token.clone());
        }
        request
    }

    fn error(&self, reason: impl Into<BoxError>) -> RegistryError {
        RegistryError::new(format_args!("consul at {}", self.agent), reason)
    }
}

impl Registry for ConsulRegistry {
    fn hold<'a>(
        &'a self,
        service: &'a str,
        instance: &'a Instance,
        standing: &'a Standing,
    ) -> BoxFuture<'a, RegistryError> {
        Box::pin(async move {
            self.keep(service, instance, standing).await.unwrap_or_else(|reason| self.error(reason))
        })
    }

    fn withdraw<'a>(&'a self, service: &'a str, id: &'a str) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(async move {
            let path = format!("/v1/agent/service/deregister/{}", escaped(&consul_id(service, id)));
            match self.put(&path, serde_json::Value::Null).await {
                Ok(answer) if matches!(answer.status(), StatusCode::OK | StatusCode::NOT_FOUND) => Ok(()),
                Ok(answer) => Err(self.error(refused(&answer))),
                Err(reason) => Err(self.error(reason)),
            }
        })
    }

    fn follow<'a>(&'a self, service: &'a str, seen: &'a Seen) -> BoxFuture<'a, RegistryError> {
        Box::pin(async move { self.watch(service, seen).await.unwrap_or_else(|reason| self.error(reason)) })
    }
}

impl fmt::Debug for ConsulRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConsulRegistry({})", self.agent)
    }
}

/// What to ask with next, by Consul's rules for clients: never 0 again, which does not wait, and from the beginning when
/// the index went backwards.
fn next_index(last: u64, answer: &Response<Bytes>) -> u64 {
    let index = answer.headers().get("x-consul-index").and_then(|index| index.to_str().ok()?.parse().ok());
    match index.unwrap_or(0_u64) {
        index if index < last => 0,
        index => index.max(1),
    }
}

/// An agent's ids are unique whatever service they belong to; ours need not be.
fn consul_id(service: &str, id: &str) -> String {
    format!("{service}:{id}")
}

fn refused(answer: &Response<Bytes>) -> BoxError {
    let said: String = String::from_utf8_lossy(answer.body()).chars().take(300).collect();
    format!("{}: {said}", answer.status()).into()
}

/// A segment of a path.
fn escaped(segment: &str) -> String {
    let mut escaped = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                escaped.push(byte.into())
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_question_waits_unless_the_index_went_backwards() {
        for (last, said, next) in [
            (0, "7", 7),
            (7, "7", 7),
            (7, "9", 9),
            (7, "3", 0),
            (7, "x", 0),
            (0, "0", 1),
            (0, "-1", 1),
            (1, "1", 1),
        ] {
            let mut answer = Response::new(Bytes::new());
            answer.headers_mut().insert("x-consul-index", HeaderValue::from_str(said).unwrap());
            assert_eq!(next_index(last, &answer), next, "{said} after {last}");
        }
    }
}
