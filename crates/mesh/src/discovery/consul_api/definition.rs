//! What a client registers: services and checks, read from JSON and held to the rules.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::{Map, Value};

use super::fields::Fields;
use super::go_duration;
use super::refusal::Refusal;
use crate::hop::strip_hop_by_hop;

/// Longer names and ids are refused, in bytes.
const NAME: usize = 256;
/// More checks of one registration are refused.
const CHECKS: usize = 16;
/// More pairs of `Meta`, as in Consul, and more tags are refused.
const PAIRS: usize = 64;
/// How long an HTTP check waits for an answer at most: checks wait for each other's turns.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Nobody is forgotten earlier than this after becoming critical, as in Consul.
const REAP: Duration = Duration::from_secs(60);
/// Consul's bound of a weight.
const WEIGHT: u32 = 65_535;

/// A service as it was registered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ServiceDefinition {
    pub(super) id: String,
    pub(super) name: String,
    /// As it was written, which may be a name or nothing.
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) tags: Vec<String>,
    pub(super) meta: BTreeMap<String, String>,
    pub(super) weights: Weights,
    pub(super) checks: Vec<CheckDefinition>,
}

/// Shares of the calls, relative to the others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weights {
    pub(super) passing: u32,
    pub(super) warning: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct CheckDefinition {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) service_id: String,
    pub(super) notes: String,
    pub(super) status: Status,
    pub(super) kind: Kind,
    /// How long a critical service is kept.
    pub(super) reap: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Http(Box<HttpCheck>),
    Ttl(Duration),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct HttpCheck {
    pub(super) url: Uri,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
}

/// How a check, or a service, is. Ordered from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    Passing,
    Warning,
    Critical,
}

// === impl ServiceDefinition ===

impl ServiceDefinition {
    pub(super) fn parse(body: &[u8], least_interval: Duration) -> Result<Self, Refusal> {
        let mut fields = Fields::parse(body)?;
        let name = fields.text("Name")?;
        if name.is_empty() {
            return Err(Refusal::bad("Missing service name"));
        }
        let id = Some(fields.text("ID")?).filter(|id| !id.is_empty()).unwrap_or_else(|| name.clone());
        check_name("service name", &name)?;
        check_name("service ID", &id)?;
        if !fields.text("Kind")?.is_empty() || fields.says("Proxy") || fields.says("Connect") {
            return Err(Refusal::bad("Consul Connect is not supported: no Kind, Proxy or Connect"));
        }
        let port = fields.take::<i64>("Port")?.unwrap_or_default();
        let port = u16::try_from(port).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| Refusal::bad("Invalid service port: it has to be from 1 to 65535"))?;
        let tags: Vec<String> = fields.take("Tags")?.unwrap_or_default();
        let meta: BTreeMap<String, String> = fields.take("Meta")?.unwrap_or_default();
        if tags.len() > PAIRS || meta.len() > PAIRS {
            return Err(Refusal::bad(format!("at most {PAIRS} tags and {PAIRS} pairs of Meta are accepted")));
        }
        let weights = match fields.take("Weights")? {
            None => Weights { passing: 1, warning: 1 },
            Some(weights) => Weights::parse(Fields::of(weights))?,
        };
        let mut checks = Vec::new();
        let one: Option<Map<String, Value>> = fields.take("Check")?;
        let more: Vec<Map<String, Value>> = fields.take("Checks")?.unwrap_or_default();
        if more.len() > CHECKS {
            return Err(Refusal::bad(format!("at most {CHECKS} checks of a service are accepted")));
        }
        // An empty object is how some clients say that there is no check.
        for check in one.into_iter().chain(more).filter(|check| !check.is_empty()) {
            let mut check = CheckDefinition::read(Fields::of(check), least_interval)?;
            check.service_id.clone_from(&id);
            checks.push(check);
        }
        Ok(Self { id, name, address: fields.text("Address")?, port, tags, meta, weights, checks })
    }
}

// === impl Weights ===

impl Weights {
    fn parse(mut fields: Fields) -> Result<Self, Refusal> {
        let passing = fields.take("Passing")?.unwrap_or(1);
        let warning = fields.take("Warning")?.unwrap_or(1);
        if passing == 0 || passing > WEIGHT || warning > WEIGHT {
            let text = format!("Invalid weights: Passing is from 1 and Warning from 0 to {WEIGHT}");
            return Err(Refusal::bad(text));
        }
        Ok(Self { passing, warning })
    }
}

// === impl CheckDefinition ===

impl CheckDefinition {
    /// A check on its own, of a service that is there already.
    pub(super) fn parse(body: &[u8], least_interval: Duration) -> Result<Self, Refusal> {
        let check = Self::read(Fields::parse(body)?, least_interval)?;
        if check.name.is_none() {
            return Err(Refusal::bad("Missing check name"));
        }
        if check.service_id.is_empty() {
            return Err(Refusal::bad(
                "Missing ServiceID: a check belongs to a service here, never to the node",
            ));
        }
        Ok(check)
    }

    fn read(mut fields: Fields, least_interval: Duration) -> Result<Self, Refusal> {
        let mut text = |name| fields.text(name).map(|text| Some(text).filter(|text| !text.is_empty()));
        let id = text("CheckID")?.or(text("ID")?);
        let name = text("Name")?;
        for name in id.iter().chain(&name) {
            check_name("check ID or name", name)?;
        }
        let notes = text("Notes")?.unwrap_or_default();
        let service_id = text("ServiceID")?.unwrap_or_default();
        let status = match text("Status")? {
            None => Status::Critical,
            Some(status) => Status::parse(&status)?,
        };
        let reap = duration(&mut fields, "DeregisterCriticalServiceAfter")?.map(|after| after.max(REAP));
        let kind = Kind::read(&mut fields, least_interval)?;
        Ok(Self { id, name, service_id, notes, status, kind, reap })
    }
}

// === impl Kind ===

impl Kind {
    fn read(fields: &mut Fields, least_interval: Duration) -> Result<Self, Refusal> {
        // Whoever may register a check must not be able to run a program.
        if ["Script", "ScriptArgs", "Args", "DockerContainerID", "Shell"]
            .iter()
            .any(|field| fields.says(field))
        {
            return Err(Refusal::bad("script checks are not run here: use an HTTP or a TTL check"));
        }
        let url = fields.text("HTTP")?;
        match (url.is_empty(), duration(fields, "TTL")?) {
            (true, Some(ttl)) if ttl.is_zero() => Err(Refusal::bad("TTL has to be longer than 0")),
            (true, Some(ttl)) => Ok(Self::Ttl(ttl)),
            (false, None) => {
                HttpCheck::read(&url, fields, least_interval).map(|http| Self::Http(Box::new(http)))
            }
            (false, Some(_)) => Err(Refusal::bad("a check has either HTTP or TTL")),
            (true, None) => {
                Err(Refusal::bad("a check needs HTTP and Interval, or TTL; no others are run here"))
            }
        }
    }
}

// === impl HttpCheck ===

impl HttpCheck {
    fn read(url: &str, fields: &mut Fields, least_interval: Duration) -> Result<Self, Refusal> {
        let invalid = |what: &dyn std::fmt::Display| Refusal::bad(format!("Invalid check {url:?}: {what}"));
        let url: Uri = url.parse().map_err(|error| invalid(&error))?;
        let authority = url.authority().filter(|authority| !authority.as_str().contains('@'));
        if url.scheme_str() != Some("http") || authority.is_none() {
            return Err(invalid(&"only http://HOST:PORT/PATH is checked"));
        }
        let method = match &*fields.text("Method")?.to_ascii_uppercase() {
            "" | "GET" => Method::GET,
            "HEAD" => Method::HEAD,
            _ => return Err(invalid(&"Method is GET or HEAD")),
        };
        if fields.says("Body") {
            return Err(invalid(&"a check has no Body here"));
        }
        let named: BTreeMap<String, Vec<String>> = fields.take("Header")?.unwrap_or_default();
        let mut headers = HeaderMap::new();
        for (name, value) in named.iter().flat_map(|(name, values)| values.iter().map(move |v| (name, v))) {
            let name = HeaderName::try_from(name).map_err(|error| invalid(&error))?;
            headers.append(name, HeaderValue::try_from(value).map_err(|error| invalid(&error))?);
        }
        // What frames a request is not for the client to say.
        strip_hop_by_hop(&mut headers);
        headers.remove(header::CONTENT_LENGTH);
        let interval = duration(fields, "Interval")?.filter(|interval| !interval.is_zero());
        let interval = interval.ok_or_else(|| invalid(&"Interval has to be longer than 0"))?;
        let timeout = duration(fields, "Timeout")?.filter(|timeout| !timeout.is_zero()).unwrap_or(TIMEOUT);
        Ok(Self {
            url,
            method,
            headers,
            interval: interval.max(least_interval),
            timeout: timeout.min(TIMEOUT),
        })
    }
}

// === impl Status ===

impl Status {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        match text {
            "passing" => Ok(Self::Passing),
            "warning" => Ok(Self::Warning),
            "critical" => Ok(Self::Critical),
            _ => Err(Refusal::bad(format!("Invalid check status {text:?}"))),
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Consul takes a text, or a number of nanoseconds.
fn duration(fields: &mut Fields, name: &str) -> Result<Option<Duration>, Refusal> {
    let invalid = || Refusal::bad(format!("Invalid duration of {name}"));
    match fields.take::<Value>(name)? {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => go_duration::parse(&text).map(Some).ok_or_else(invalid),
        Some(Value::Number(nanos)) => {
            nanos.as_u64().map(|n| Some(Duration::from_nanos(n))).ok_or_else(invalid)
        }
        Some(_) => Err(invalid()),
    }
}

fn check_name(what: &str, name: &str) -> Result<(), Refusal> {
    if name.len() <= NAME && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Refusal {
        status: StatusCode::BAD_REQUEST,
        text: format!("Invalid {what}: at most {NAME} bytes of text"),
    })
}
