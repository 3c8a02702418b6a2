//! The road of every request that comes from outside, as a list of steps.

use std::time::Duration;

use http::{HeaderMap, Method, header};
use partie_contract::{
    Access, BoxFuture, Deadline, FaultKind, Identity, Operation, Platform, Request, Response, grpc, wire,
};
use partie_identity::API_KEY_PREFIX;
use partie_mesh::{ClientAddress, KeepHost, Moving, Patience, Peer, Target};

use super::Edge;
use crate::answer::{document, options};
use crate::client::Client;
use crate::config::{Page, RouteAccess};
use crate::cors::{self, Cors};
use crate::log::{Entry, Squeeze};
use crate::own::Own;
use crate::path::{self, Oddities, Reading};
use crate::rates::Rates;
use crate::routes::{Resource, method_not_allowed};
use crate::rules::{Found, Known, Rule};
use crate::table::Table;
use crate::{body, compress, headers, identity};

/// The longest time a read may wait for news (`Prefer: wait=N`).
const LONGEST_WAIT: u64 = 30;
/// What the server as a whole takes (`OPTIONS *`).
const EVERYTHING: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

// === impl Edge ===

impl Edge {
    pub(super) async fn road<'t>(
        &self,
        table: &'t Table,
        peer: Peer,
        request: &mut Request,
        entry: &mut Entry<'t>,
    ) -> Result<Response, Platform> {
        let path = request.uri().path();
        // The server as a whole, which is no address.
        if path == "*" && entry.method == Method::OPTIONS {
            return Ok(options(EVERYTHING));
        }

        // An address that could be read in two ways is only for routes that allow it.
        let reading = path::read(path)?;
        if reading.oddities.is_empty() {
            // The gateway's own addresses ask nobody.
            if let Some(own) = Own::find(path).filter(|own| table.shows(own.page())) {
                return Box::pin(self.own(own, table, path, entry)).await;
            }

            // gRPC has addresses of its own, and judges its calls itself.
            if let Some(target) = table.routes.grpc(path) {
                return self.grpc(target, table, peer, request, entry).await;
            }

            // The operation, by the tables of the contracts.
            if let Some(resource) = table.routes.at(path) {
                return self.operation(resource, table, peer, request, entry).await;
            }
        }

        // What the configuration says of all other addresses.
        let rule = find(table, request, reading)?;
        self.rule(rule, table, peer, request, entry).await
    }

    async fn operation<'t>(
        &self,
        resource: &'t Resource,
        table: &'t Table,
        peer: Peer,
        request: &mut Request,
        entry: &mut Entry<'t>,
    ) -> Result<Response, Platform> {
        // What pages of other origins may do, asked before or along with the request.
        if let Some(answer) = greet(table.cors.as_ref(), request, entry) {
            return Ok(answer);
        }
        if entry.method == Method::OPTIONS {
            return Ok(options(resource.allow()));
        }
        let route = resource.route(&entry.method)?;
        entry.route = route.operation.path;
        entry.active = Some(route.metrics.begun(entry.since));

        // How much it has sent already, which is cheaper to find out than who it is.
        let rates = table.rates.as_ref();
        self.count_address(
            rates,
            || Client::of(&peer, request.headers(), &table.config.trusted_proxies),
            entry,
        )?;

        // Who calls. Only a verified token says so.
        let who = identity::identify(request.headers(), route.compat, &self.verifier).await?;
        let who = who.or_else(|| identity::demo(route, &entry.method, &peer, self.demo.as_ref()));
        identity::authorise(route.operation.access, who.as_deref())?;
        self.count_user(rates, who.as_deref(), entry)?;

        // What it may send.
        let deadline = deadline(table, route.operation, request.headers());
        squeeze(table.compression().is_some(), request, false, entry);
        let sent = std::mem::take(request.body_mut());
        *request.body_mut() = body::limit(sent, table.config.body).await?;

        // What goes on: nothing the client could have made up, and what every request has.
        // Where nobody proves who they are, where they are is all there is to count them by.
        let is_open = route.operation.access == Access::Public && !route.operation.verb.is_read();
        let client =
            is_open.then(|| Client::of(&peer, request.headers(), &table.config.trusted_proxies).address);
        headers::outbound(request.headers_mut(), who.as_deref(), &entry.request_id);
        if let Some(address) = client {
            headers::client(request.headers_mut(), address);
            request.extensions_mut().insert(ClientAddress(address));
        }
        if let Some(who) = who.as_deref().filter(|_| route.compat) {
            headers::authorize(request.headers_mut(), who);
        }
        if entry.method == Method::HEAD {
            *request.method_mut() = Method::GET;
        }

        // The mesh does the rest, until the deadline.
        route.target.forward(peer, Some(route.operation), std::mem::take(request), deadline).await
    }

    async fn rule<'t>(
        &self,
        rule: &'t Rule,
        table: &'t Table,
        peer: Peer,
        request: &mut Request,
        entry: &mut Entry<'t>,
    ) -> Result<Response, Platform> {
        if let Some(answer) = greet(rule.cors.as_ref(), request, entry) {
            return Ok(answer);
        }
        entry.route = &rule.name;
        entry.active = Some(rule.metrics.begun(entry.since));
        let is_grpc = grpc::is_call(request.headers());

        // How much it has sent already, who it is, and whether that is enough.
        let client = Client::of(&peer, request.headers(), &table.config.trusted_proxies);
        let rates = if rule.own_rates { &rule.rates } else { &table.rates }.as_ref();
        self.count_address(rates, || &client, entry)?;
        let who = match rule.access {
            RouteAccess::Public => None,
            _ => identity::identify(request.headers(), false, &self.verifier).await?,
        };
        rule.authorise(who.as_deref())?;
        self.count_user(rates, who.as_deref(), entry)?;

        // Which of several upstreams.
        let address = rule.choice.wants_address().then_some(client.address);
        let known = Known { address, who: who.as_deref(), headers: request.headers() };
        let target = rule.choice.pick(&known, &self.ids);
        let target = target.ok_or_else(|| Platform::new(FaultKind::UpstreamUnavailable))?;

        // What it may send, and until when it is answered.
        let time = if is_grpc { grpc_timeout(table, request.headers())? } else { Some(rule.timeout) };
        squeeze(rule.compresses && table.compression().is_some() && !is_grpc, request, true, entry);
        if !is_grpc || rule.limits_grpc {
            let sent = std::mem::take(request.body_mut());
            *request.body_mut() = body::limit(sent, rule.body).await?;
        }

        // What goes on: the same bytes, but for the prefix; nothing the client could have made up; what we know of it.
        if let Some(uri) = rule.rewritten(request.uri()) {
            *request.uri_mut() = uri;
        }
        let forwarded = client.forwarded(&peer, request.headers(), table.config.tls.is_some());
        let host = if rule.keep_host { request.headers().get(header::HOST).cloned() } else { None };
        headers::outbound(request.headers_mut(), who.as_deref(), &entry.request_id);
        forwarded.write(request.headers_mut());
        if let Some(host) = host {
            request.headers_mut().insert(header::HOST, host);
            request.extensions_mut().insert(KeepHost);
        }

        let answer = match time {
            None => unhurried(table, target, peer, std::mem::take(request)).await?,
            Some(time) => {
                let deadline = Deadline::after(time);
                if is_grpc {
                    grpc::write_timeout(deadline.remaining(), request.headers_mut());
                } else {
                    // A large answer may take longer than that, as long as it comes.
                    request.extensions_mut().insert(Moving(time));
                }
                target.forward(peer, None, std::mem::take(request), deadline).await?
            }
        };
        entry.as_it_is = true;
        Ok(answer)
    }

    async fn grpc<'t>(
        &self,
        target: &Target,
        table: &'t Table,
        peer: Peer,
        request: &mut Request,
        entry: &mut Entry<'t>,
    ) -> Result<Response, Platform> {
        entry.route = "grpc";
        let rates = table.rates.as_ref();
        let client = || Client::of(&peer, request.headers(), &table.config.trusted_proxies);
        self.count_address(rates, client, entry)?;
        let who = identity::identify(request.headers(), false, &self.verifier).await?;
        self.count_user(rates, who.as_deref(), entry)?;
        let limit = grpc_timeout(table, request.headers())?;
        headers::outbound(request.headers_mut(), who.as_deref(), &entry.request_id);
        match limit {
            None => unhurried(table, target, peer, std::mem::take(request)).await,
            Some(limit) => target.forward(peer, None, std::mem::take(request), Deadline::after(limit)).await,
        }
    }

    async fn own(
        &self,
        own: Own,
        table: &Table,
        path: &str,
        entry: &mut Entry<'_>,
    ) -> Result<Response, Platform> {
        entry.route = "own";
        match entry.method {
            Method::GET | Method::HEAD if own.page() == Page::Openapi => {
                Ok(document("application/json", self.pages.description.whole(table, &self.mesh).await))
            }
            Method::GET | Method::HEAD => Ok(self.pages.show(own, path, entry.request_id())),
            Method::OPTIONS => Ok(options(Own::ALLOW)),
            _ => Err(method_not_allowed(Own::ALLOW.to_owned())),
        }
    }

    /// Counts the request for the client's address.
    fn count_address<'t, C: std::borrow::Borrow<Client>>(
        &self,
        rates: Option<&'t Rates>,
        client: impl FnOnce() -> C,
        entry: &mut Entry<'t>,
    ) -> Result<(), Platform> {
        let Some((rates, limit)) = rates.and_then(|rates| Some((rates, rates.address.as_ref()?))) else {
            return Ok(());
        };
        entry.take(rates.take(limit, &self.buckets, client().borrow().bits()))
    }

    /// Counts the request for the user, and for the program that acts for it.
    fn count_user<'t>(
        &self,
        rates: Option<&'t Rates>,
        who: Option<&Identity>,
        entry: &mut Entry<'t>,
    ) -> Result<(), Platform> {
        let Some((rates, who)) = rates.zip(who) else { return Ok(()) };
        if let Some(limit) = &rates.user {
            entry.take(rates.take(limit, &self.buckets, &who.subject))?;
        }
        if let Some((limit, program)) = rates.key.as_ref().zip(program(who)) {
            entry.take(rates.take(limit, &self.buckets, program))?;
        }
        Ok(())
    }
}

/// How long a call of gRPC may take, if its sender says.
fn grpc_timeout(table: &Table, headers: &HeaderMap) -> Result<Option<Duration>, Platform> {
    Ok(grpc::timeout(headers)?.map(|wish| wish.min(table.config.longest_timeout)))
}

/// Who says nothing may have a stream, which lives as long as something moves.
///
/// Boxed, for it is rare, and every request carries the room for it.
fn unhurried<'c>(
    table: &Table,
    target: &'c Target,
    peer: Peer,
    request: Request,
) -> BoxFuture<'c, Result<Response, Platform>> {
    let (head, idle) = (table.config.longest_timeout, table.config.limits.tunnel_idle);
    Box::pin(target.forward_unhurried(peer, request, Patience { head, idle }))
}

/// The program that acts for the user: its API key, or what the token says.
fn program(who: &Identity) -> Option<&str> {
    let key = || who.token.starts_with(API_KEY_PREFIX).then_some(&*who.token);
    who.client.as_deref().or_else(key)
}

/// The route of the configuration for a request.
fn find<'t>(table: &'t Table, request: &Request, reading: Reading) -> Result<&'t Rule, Platform> {
    let (path, headers) = (request.uri().path(), request.headers());
    // A preflight is for the route of the request that is to follow.
    let asked = cors::preflight(request.method(), headers);
    let method = asked.as_ref().unwrap_or_else(|| request.method());
    let rule = match table.rules.find(path, method, headers) {
        Found::Rule(rule) => rule,
        other => {
            Oddities::default().permit(reading.oddities)?;
            return Err(match other {
                Found::Method(others) => method_not_allowed(allow(&others)),
                _ => Platform::new(FaultKind::NotFound),
            });
        }
    };
    rule.allowed.permit(reading.oddities)?;
    if !reading.plain {
        // Whoever tidies it up has to come to the same place: else the rules of this one would not hold there.
        let tidied = path::tidied(path);
        let same = match table.rules.find(&tidied, method, headers) {
            Found::Rule(other) => std::ptr::eq(rule, other),
            _ => false,
        };
        if !same || table.routes.at(&tidied).is_some() {
            return Err(path::malformed(
                "the address leads to different places, depending on how it is read",
            ));
        }
    }
    Ok(rule)
}

/// The value of `Allow` for addresses that only these routes are for.
fn allow(rules: &[&Rule]) -> String {
    let mut methods: Vec<&str> =
        rules.iter().flat_map(|rule| rule.methods.iter().map(Method::as_str)).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.dedup();
    methods.join(", ")
}

/// What pages of other origins may do: the answer to a preflight, or what is said with the answer to come.
fn greet<'t>(cors: Option<&'t Cors>, request: &Request, entry: &mut Entry<'t>) -> Option<Response> {
    let cors = cors?;
    let headers = request.headers();
    entry.cors = Some((cors, headers.get(header::ORIGIN).cloned()));
    cors::preflight(&entry.method, headers).map(|_| cors.preflight(headers))
}

/// Whether the answer may be compressed.
fn squeeze(may: bool, request: &Request, weakens: bool, entry: &mut Entry<'_>) {
    if may {
        entry.squeeze = Some(Squeeze { accepted: compress::is_accepted(request.headers()), weakens });
    }
}

/// What the operation says or the default, within the cap; and the wait the client asks for, on reads.
fn deadline(table: &Table, operation: &Operation, headers: &HeaderMap) -> Deadline {
    let config = &table.config;
    let limit = operation.timeout.unwrap_or(config.timeout).min(config.longest_timeout);
    let wait = if operation.verb.is_read() { wait(headers) } else { Duration::ZERO };
    Deadline::after(limit + wait)
}

/// How long the client is willing to wait for news. What cannot be read is no wish (RFC 7240 section 2).
fn wait(headers: &HeaderMap) -> Duration {
    let lines = headers.get_all(wire::PREFER).iter().filter_map(|line| line.to_str().ok());
    let seconds = lines
        .flat_map(|line| line.split(','))
        .find_map(|wish| wish.trim().strip_prefix("wait=")?.trim().parse::<u64>().ok());
    Duration::from_secs(seconds.map_or(0, |seconds| seconds.min(LONGEST_WAIT)))
}
