//! One configured route, ready to be used.

use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use partie_contract::{FaultKind, Identity, Platform};
use partie_telemetry::HttpServerMetrics;

use super::choice::Choice;
use crate::config::RouteAccess;
use crate::cors::Cors;
use crate::path::Oddities;
use crate::rates::Rates;

/// One configured route.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: Box<str>,
    pub(crate) host: Option<Box<str>>,
    /// Without its trailing slash: that of `/` is empty.
    pub(crate) prefix: Box<str>,
    /// All of them if there are none.
    pub(crate) methods: Box<[Method]>,
    /// With that value, or with any.
    pub(crate) headers: Box<[(HeaderName, Option<HeaderValue>)]>,
    pub(crate) choice: Choice,
    /// Without its trailing slash.
    pub(crate) rewrite: Option<Box<str>>,
    pub(crate) access: RouteAccess,
    pub(crate) allowed: Oddities,
    /// Not for gRPC, unless the route itself says so.
    pub(crate) body: usize,
    pub(crate) limits_grpc: bool,
    pub(crate) timeout: Duration,
    /// Whether the gateway's rates do not hold here.
    pub(crate) own_rates: bool,
    pub(crate) rates: Option<Rates>,
    pub(crate) cors: Option<Cors>,
    pub(crate) compresses: bool,
    pub(crate) keep_host: bool,
    pub(crate) metrics: HttpServerMetrics,
}

// === impl Rule ===

impl Rule {
    /// Whether it is for requests of that method.
    pub(crate) fn takes(&self, method: &Method) -> bool {
        let has = |method: &Method| self.methods.contains(method);
        self.methods.is_empty() || has(method) || (*method == Method::HEAD && has(&Method::GET))
    }

    /// Whether the request has the header fields it asks for.
    pub(crate) fn wants(&self, headers: &HeaderMap) -> bool {
        let has = |(name, value): &(HeaderName, Option<HeaderValue>)| match value {
            None => headers.contains_key(name),
            Some(value) => headers.get_all(name).iter().any(|line| line == value),
        };
        self.headers.iter().all(has)
    }

    /// Lets those through who may use it.
    ///
    /// # Errors
    /// [`FaultKind::Unauthenticated`] without an identity, [`FaultKind::Forbidden`] without a role.
    pub(crate) fn authorise(&self, who: Option<&Identity>) -> Result<(), Platform> {
        match (&self.access, who) {
            (RouteAccess::Public, _) | (RouteAccess::Authenticated, Some(_)) => Ok(()),
            (_, None) => Err(Platform::new(FaultKind::Unauthenticated)),
            (RouteAccess::Roles(roles), Some(who)) => {
                if roles.iter().any(|role| who.roles.contains(role)) {
                    return Ok(());
                }
                let detail = format!("this needs the role {}", roles.join(" or "));
                Err(Platform::new(FaultKind::Forbidden).with_detail(detail))
            }
        }
    }

    /// The address for the upstream: the same bytes, but for the prefix.
    pub(crate) fn rewritten(&self, uri: &Uri) -> Option<Uri> {
        let onto = self.rewrite.as_deref()?;
        let rest = uri.path().strip_prefix(&*self.prefix)?;
        let query = uri.query();
        let mut address = String::with_capacity(onto.len() + rest.len() + 2 + query.map_or(0, str::len));
        address.push_str(onto);
        address.push_str(rest);
        if address.is_empty() {
            address.push('/');
        }
        if let Some(query) = query {
            address.push('?');
            address.push_str(query);
        }
        PathAndQuery::from_maybe_shared(address).ok().map(Uri::from)
    }
}
