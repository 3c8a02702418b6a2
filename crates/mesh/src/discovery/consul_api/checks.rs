//! The checks at work: HTTP checks ask, TTL checks wait, and critical services are forgotten in the end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use partie_runtime::Backoff;

use super::Shared;
use super::agent::Agent;
use super::definition::{HttpCheck, Kind, Status};
use super::refusal::Refusal;
use crate::discovery::http::{AbortOnDrop, Endpoint};
use crate::local::{bare, names_this_machine};

/// How soon a check is made again that has never passed: most register a moment before they listen.
const FIRST: Duration = Duration::from_millis(100);

// === impl Shared ===

impl Shared {
    /// Runs a check that was just registered.
    pub(super) fn begin(self: &Arc<Self>, id: &Arc<str>) {
        let mut agent = self.agent();
        let Ok(check) = agent.check(id) else { return };
        let (shared, serial) = (Arc::downgrade(self), check.serial);
        let task = match check.definition.kind.clone() {
            Kind::Http(http) => {
                let Ok(service) = agent.service(&check.definition.service_id) else { return };
                let Ok(endpoint) = target(&http, &service.definition.address, &service.ips) else { return };
                self.spawn(ask(shared, Arc::clone(id), serial, *http, endpoint))
            }
            Kind::Ttl(ttl) => self.spawn(expire(shared, Arc::clone(id), serial, ttl)),
        };
        let reaper = (check.status == Status::Critical).then(|| self.reaper(id, &agent)).flatten();
        if let Some(check) = agent.check_mut(id) {
            check.task = Some(task);
            check.reaper = reaper;
        }
    }

    /// Takes what a TTL check was told, which begins its time anew.
    pub(super) fn told(self: &Arc<Self>, id: &str, status: Status, output: String) -> Result<(), Refusal> {
        let mut agent = self.agent();
        let Kind::Ttl(ttl) = agent.check(id)?.definition.kind else {
            return Err(Refusal::bad(format!("CheckID {id:?} does not have associated TTL")));
        };
        let serial = agent.begin_anew(id);
        self.report(&mut agent, id, serial, status, output);
        if let Some(check) = agent.check_mut(id) {
            check.task = Some(self.spawn(expire(Arc::downgrade(self), id.into(), serial, ttl)));
        }
        Ok(())
    }

    fn report(self: &Arc<Self>, agent: &mut Agent, id: &str, serial: u64, status: Status, output: String) {
        if agent.is(id, serial) && agent.report(id, status, output, &self.registry) {
            let reaper = (status == Status::Critical).then(|| self.reaper(id, agent)).flatten();
            if let Some(check) = agent.check_mut(id) {
                check.reaper = reaper;
            }
        }
    }

    fn reaper(self: &Arc<Self>, id: &str, agent: &Agent) -> Option<AbortOnDrop> {
        let check = agent.check(id).ok()?;
        let (after, service) = (check.definition.reap?, check.definition.service_id.clone());
        let (shared, id): (_, Arc<str>) = (Arc::downgrade(self), id.into());
        Some(self.spawn(async move {
            tokio::time::sleep(after).await;
            let Some(shared) = shared.upgrade() else { return };
            let mut agent = shared.agent();
            // It may have recovered while this waited for the lock.
            if agent.check(&id).is_ok_and(|check| check.status == Status::Critical)
                && agent.deregister(&service, &shared.registry).is_ok()
            {
                tracing::info!(%service, check = %id, ?after, "a service that stayed critical is forgotten");
            }
        }))
    }

    /// On the runtime the API was started on: the one that serves a request may end with its listener.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortOnDrop {
        AbortOnDrop(self.runtime.spawn(task).abort_handle())
    }
}

/// Where a check asks: at the instance, or on this machine. It is known from now on, whatever a name will mean later.
pub(super) fn target(check: &HttpCheck, address: &str, ips: &[IpAddr]) -> Result<Endpoint, Refusal> {
    let refused = || {
        let text = "a check's host has to be the address of its instance, or a loopback address";
        Refusal::bad(format!("Invalid check \"{}\": {text}", check.url))
    };
    let authority = check.url.authority().ok_or_else(refused)?;
    let host = bare(authority.host());
    let targets = match host.parse::<IpAddr>() {
        Ok(ip) if ips.contains(&ip) || names_this_machine(host) => vec![ip],
        Ok(_) => return Err(refused()),
        Err(_) if host.eq_ignore_ascii_case(address) && !address.is_empty() => ips.to_vec(),
        Err(_) if names_this_machine(host) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Err(_) => return Err(refused()),
    };
    Ok(Endpoint::resolved(authority.clone(), targets))
}

async fn ask(shared: Weak<Shared>, id: Arc<str>, serial: u64, check: HttpCheck, endpoint: Endpoint) {
    let (mut failures, mut passed) = (0, false);
    loop {
        let Some(turns) = shared.upgrade().map(|shared| Arc::clone(&shared.turns)) else { return };
        let Ok(turn) = turns.acquire_owned().await else { return };
        let (status, output) = ask_once(&check, &endpoint).await;
        drop(turn);
        passed |= status != Status::Critical;
        failures += 1;
        let wait = {
            let Some(shared) = shared.upgrade() else { return };
            shared.report(&mut shared.agent(), &id, serial, status, output);
            let soon = Backoff::new(FIRST, check.interval).after(failures, &shared.ids);
            if passed { check.interval } else { soon }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Consul's rules: 2xx passes, 429 warns, anything else is critical. What the answer says is nobody's business here.
async fn ask_once(check: &HttpCheck, endpoint: &Endpoint) -> (Status, String) {
    let HttpCheck { url, method, headers, timeout, .. } = check;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::new(Full::<Bytes>::default());
    *request.method_mut() = method.clone();
    *request.uri_mut() = path.parse().unwrap_or_default();
    request.headers_mut().clone_from(headers);
    request
        .headers_mut()
        .entry(header::USER_AGENT)
        .or_insert(header::HeaderValue::from_static("partie-registry"));
    request.headers_mut().entry(header::ACCEPT).or_insert(header::HeaderValue::from_static("*/*"));
    match endpoint.open(request, *timeout).await {
        Ok(answer) => {
            let status = match answer.status() {
                good if good.is_success() => Status::Passing,
                StatusCode::TOO_MANY_REQUESTS => Status::Warning,
                _ => Status::Critical,
            };
            (status, format!("HTTP {method} {url}: {}", answer.status()))
        }
        Err(failed) => (Status::Critical, format!("HTTP {method} {url}: {failed}")),
    }
}

async fn expire(shared: Weak<Shared>, id: Arc<str>, serial: u64, ttl: Duration) {
    tokio::time::sleep(ttl).await;
    let Some(shared) = shared.upgrade() else { return };
    let mut agent = shared.agent();
    let last = agent.check(&id).map(|check| check.output.clone()).unwrap_or_default();
    let last = last.strip_prefix(EXPIRED).unwrap_or(&last);
    shared.report(&mut agent, &id, serial, Status::Critical, format!("{EXPIRED}{last}"));
}

const EXPIRED: &str = "TTL expired (last output before timeout follows): ";
