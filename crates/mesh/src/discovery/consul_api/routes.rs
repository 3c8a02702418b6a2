//! The endpoints: what each path means, and what it does.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use partie_contract::{Body, FaultKind, Request, Response};

use super::definition::{CheckDefinition, Kind, ServiceDefinition, Status};
use super::fields::Fields;
use super::query::Query;
use super::refusal::Refusal;
use super::{DATACENTER, NODE, Shared, checks, gate, render};
use crate::local::{bare, check_local};
use crate::serve::Peer;

/// How long the address of an instance may take to be looked up.
const LOOK_UP: Duration = Duration::from_secs(5);

// === impl Shared ===

impl Shared {
    pub(super) async fn answer(self: &Arc<Self>, peer: &Peer, request: Request) -> Result<Response, Refusal> {
        let (head, body) = request.into_parts();
        // Programs of this machine, and nobody's browser.
        check_local(peer, &head.headers).map_err(|stranger| Refusal::forbidden(stranger.to_string()))?;
        let query = Query::parse(head.uri.query());
        query.check()?;
        let path = head.uri.path().strip_prefix("/v1/").ok_or_else(nowhere)?;
        let path: Vec<String> = path.split('/').map(decoded).collect::<Option<_>>().ok_or_else(nowhere)?;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let method = match path[..] {
            ["agent", "services" | "checks" | "self"] | ["health" | "catalog" | "status", ..] => Method::GET,
            ["agent", "service", id] if id != "register" => Method::GET,
            _ => Method::PUT,
        };
        // An unknown path is unknown with whatever method.
        let known = known(&path);
        if known && head.method != method {
            return Ok(not_allowed(&method));
        }
        let token = gate::token(&head.headers, &query);
        match path[..] {
            ["agent", "service", "register"] => {
                let definition =
                    ServiceDefinition::parse(&self.read(body).await?, self.config.least_interval)?;
                self.register(definition, token, query.is_set("replace-existing-checks")?).await
            }
            ["agent", "service", "deregister", id] => self.deregister(id, token),
            ["agent", "service", id] => {
                Ok(super::answer(render::json(&render::service(self.agent().service(id)?))))
            }
            ["agent", "services"] => {
                let agent = self.agent();
                let services: BTreeMap<_, _> = agent
                    .services()
                    .map(|service| (&service.definition.id, render::service(service)))
                    .collect();
                Ok(super::answer(render::json(&services)))
            }
            ["agent", "check", "register"] => {
                let definition = CheckDefinition::parse(&self.read(body).await?, self.config.least_interval)?;
                self.register_check(definition, token)
            }
            ["agent", "check", "deregister", id] => {
                self.owned_check(id, token)?;
                self.agent().deregister_check(id, &self.registry)?;
                Ok(done())
            }
            ["agent", "check", "update", id] => {
                let mut fields = Fields::parse(&self.read(body).await?)?;
                let status = Status::parse(&fields.text("Status")?)?;
                let output = fields.text("Output")?;
                self.owned_check(id, token)?;
                self.told(id, status, output).map(|()| done())
            }
            ["agent", "check", verb @ ("pass" | "warn" | "fail"), id] => {
                let status = match verb {
                    "pass" => Status::Passing,
                    "warn" => Status::Warning,
                    _ => Status::Critical,
                };
                self.owned_check(id, token)?;
                self.told(id, status, query.first("note").unwrap_or_default().to_owned()).map(|()| done())
            }
            ["agent", "checks"] => {
                let agent = self.agent();
                let checks: BTreeMap<_, _> = agent
                    .checks()
                    .map(|(id, check, service)| {
                        (&**id, render::check(id, check, service.map(|service| &service.definition)))
                    })
                    .collect();
                Ok(super::answer(render::json(&checks)))
            }
            ["agent", "self"] => Ok(super::answer(render::json(&about()))),
            ["health", "service", service] => self.health(service, &query).await,
            ["catalog", "services"] => self.catalog(&query).await,
            ["status", "leader"] => Ok(super::answer(Bytes::from_static(b"\"127.0.0.1:8300\""))),
            _ => Err(nowhere()),
        }
    }

    async fn read(&self, body: Body) -> Result<Bytes, Refusal> {
        body.collect(self.config.body).await.map_err(|fault| {
            let status = match fault.kind() {
                FaultKind::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                FaultKind::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
                _ => StatusCode::BAD_REQUEST,
            };
            Refusal { status, text: fault.detail().unwrap_or("the body did not come").to_owned() }
        })
    }

    async fn register(
        self: &Arc<Self>,
        definition: ServiceDefinition,
        token: Option<&str>,
        replace_checks: bool,
    ) -> Result<Response, Refusal> {
        self.reserved.check(&definition.name, token)?;
        let ips = look_up(&definition.address).await?;
        for check in &definition.checks {
            if let Kind::Http(http) = &check.kind {
                checks::target(http, &definition.address, &ips)?;
            }
        }
        let fresh = {
            let mut agent = self.agent();
            // An id is taken over with whatever it was the id of.
            if let Ok(before) = agent.service(&definition.id) {
                self.reserved.check(&before.definition.name, token)?;
            }
            agent.register(definition, ips, replace_checks, &self.registry)?
        };
        fresh.iter().for_each(|id| self.begin(id));
        Ok(done())
    }

    fn deregister(&self, id: &str, token: Option<&str>) -> Result<Response, Refusal> {
        let mut agent = self.agent();
        self.reserved.check(&agent.service(id)?.definition.name, token)?;
        agent.deregister(id, &self.registry)?;
        Ok(done())
    }

    fn register_check(
        self: &Arc<Self>,
        definition: CheckDefinition,
        token: Option<&str>,
    ) -> Result<Response, Refusal> {
        let id: Arc<str> = definition.id.as_ref().or(definition.name.as_ref()).map_or("", |id| id).into();
        let fresh = {
            let mut agent = self.agent();
            let service = agent.service(&definition.service_id)?;
            self.reserved.check(&service.definition.name, token)?;
            if let Kind::Http(http) = &definition.kind {
                checks::target(http, &service.definition.address, &service.ips)?;
            }
            agent.register_check(&id, definition, &self.registry)?
        };
        if fresh {
            self.begin(&id);
        }
        Ok(done())
    }

    /// What a check says decides about its service, so it is as reserved as that.
    fn owned_check(&self, id: &str, token: Option<&str>) -> Result<(), Refusal> {
        let agent = self.agent();
        let service = agent.service(&agent.check(id)?.definition.service_id)?;
        self.reserved.check(&service.definition.name, token)
    }
}

fn known(path: &[&str]) -> bool {
    matches!(
        path,
        ["agent", "services" | "checks" | "self"]
            | ["agent", "service", _]
            | ["agent", "service", "deregister", _]
            | ["agent", "check", "register"]
            | ["agent", "check", "deregister" | "update" | "pass" | "warn" | "fail", _]
            | ["health", "service", _]
            | ["catalog", "services"]
            | ["status", "leader"]
    )
}

/// What an address means, IPv4 first. None is this machine, as for Consul, whose agents have an address.
async fn look_up(address: &str) -> Result<Arc<[IpAddr]>, Refusal> {
    let invalid = |why: String| Refusal::bad(format!("Invalid service address {address:?}: {why}"));
    if address.is_empty() || address.eq_ignore_ascii_case("localhost") {
        return Ok([IpAddr::from(Ipv4Addr::LOCALHOST)].into());
    }
    let mut ips: Vec<IpAddr> = match bare(address).parse() {
        Ok(ip) => vec![ip],
        Err(_) => {
            let looked_up = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((address, 0))).await;
            let looked_up = looked_up.map_err(|_| invalid("it could not be looked up in time".into()))?;
            looked_up.map_err(|error| invalid(error.to_string()))?.map(|found| found.ip()).collect()
        }
    };
    ips.sort_by_key(IpAddr::is_ipv6);
    if ips.is_empty() || ips.iter().any(|ip| ip.is_unspecified() || ip.is_multicast()) {
        return Err(invalid("nobody can be called there".into()));
    }
    Ok(ips.into())
}

/// The little that clients look at.
fn about() -> serde_json::Value {
    let version = concat!(env!("CARGO_PKG_VERSION"), "+partie");
    serde_json::json!({
        "Config": { "Datacenter": DATACENTER, "NodeName": NODE, "Server": true, "Version": version },
        "Member": { "Name": NODE, "Addr": "127.0.0.1", "Status": 1, "Tags": { "role": "consul", "dc": DATACENTER } },
        "Meta": {},
    })
}

fn done() -> Response {
    Response::default()
}

fn nowhere() -> Refusal {
    let text = "there is no such endpoint: this is the part of Consul's API that discovery needs";
    Refusal { status: StatusCode::NOT_FOUND, text: text.into() }
}

fn not_allowed(method: &Method) -> Response {
    let refusal =
        Refusal { status: StatusCode::METHOD_NOT_ALLOWED, text: format!("only {method} is allowed") };
    let mut answer = Response::from(refusal);
    if let Ok(method) = HeaderValue::from_str(method.as_str()) {
        answer.headers_mut().insert(header::ALLOW, method);
    }
    answer
}

/// A segment of a path as it was meant.
fn decoded(segment: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(segment.len()), segment.as_bytes());
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(*high)? << 4 | digit(*low)?);
                after
            }
            (b'%', _) => return None,
            _ => {
                bytes.push(*first);
                after
            }
        };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_once() {
        assert_eq!(decoded("service%3Aa%2Fb").as_deref(), Some("service:a/b"));
        assert_eq!(decoded("%2525+").as_deref(), Some("%25+"));
        for bad in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
