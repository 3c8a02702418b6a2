//! From the configuration of routes to routes that are ready to be used.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Method};
use partie_mesh::{Mesh, check_path};
use partie_telemetry::HttpServerMetrics;

use super::choice::{Choice, Key, hash};
use super::error::ConfigError;
use super::index::Rules;
use super::rule::Rule;
use crate::config::{Gateway, RouteAccess, RouteConfig, Sticky};
use crate::cors::Cors;
use crate::path::Oddities;
use crate::rates::Rates;

/// Checks all routes, and makes them.
///
/// # Errors
/// [`ConfigError`] names the first one that cannot work.
pub(crate) fn compile(config: &Gateway, mesh: &Mesh) -> Result<Rules, ConfigError> {
    let mut rules = Vec::with_capacity(config.routes.len());
    let (mut names, mut conditions) = (BTreeMap::new(), BTreeMap::new());
    for (number, route) in config.routes.iter().enumerate() {
        let rule = rule(route, config, mesh)?;
        let name = rule.name.to_string();
        if names.insert(name.clone(), number).is_some() {
            let (first, second) = (name.clone(), name);
            return Err(ConfigError::Twice { first, second, what: "have one name", other: "name" });
        }
        let mut methods: Vec<String> = rule.methods.iter().map(ToString::to_string).collect();
        methods.sort_unstable();
        let condition = (rule.host.clone(), rule.prefix.clone(), methods, route.headers.clone());
        if let Some(first) = conditions.insert(condition, name.clone()) {
            let what = "are for the same requests";
            return Err(ConfigError::Twice { first, second: name, what, other: "prefix, host or condition" });
        }
        rules.push(rule);
    }
    Ok(Rules::new(rules))
}

fn rule(route: &RouteConfig, config: &Gateway, mesh: &Mesh) -> Result<Rule, ConfigError> {
    let name = match &route.name {
        Some(name) => name.clone(),
        None => format!("{}{}", route.host.as_deref().unwrap_or_default(), route.prefix),
    };
    let named = || name.clone();
    let prefix = prefix(&route.prefix).map_err(|reason| ConfigError::Prefix {
        route: named(),
        prefix: route.prefix.clone(),
        reason,
    })?;
    let rewrite = route.rewrite.as_deref().map(|rewrite| {
        self::prefix(rewrite).map_err(|reason| ConfigError::Rewrite {
            route: named(),
            rewrite: rewrite.to_owned(),
            reason,
        })
    });
    let cors = route.cors.as_ref().or(config.cors.as_ref()).map(Cors::new).transpose();
    let cors = cors.map_err(|reason| ConfigError::Cors { place: format!("route {name}"), reason })?;
    let timeout = route.timeout.unwrap_or(config.timeout).min(config.longest_timeout);
    if timeout.is_zero() {
        return Err(ConfigError::Timeout { route: name });
    }
    users(route, &name)?;
    Ok(Rule {
        host: route.host.as_deref().map(|host| self::host(host, &name)).transpose()?,
        prefix,
        methods: route.methods.iter().map(|method| self::method(method, &name)).collect::<Result<_, _>>()?,
        headers: route
            .headers
            .iter()
            .map(|(field, value)| header(field, value, &name))
            .collect::<Result<_, _>>()?,
        choice: choice(route, config, mesh, &name)?,
        rewrite: rewrite.transpose()?,
        access: route.access.clone(),
        allowed: Oddities::allowed(&route.allow),
        body: route.body.unwrap_or(config.body),
        limits_grpc: route.body.is_some(),
        timeout,
        own_rates: route.rates.is_some(),
        // Buckets are a route's own if it has rates of its own; whatever order routes are in.
        rates: route.rates.as_ref().and_then(|rates| Rates::new(hash(name.as_bytes()), rates)),
        cors,
        compresses: route.compression.unwrap_or(true),
        keep_host: route.keep_host,
        metrics: HttpServerMetrics::for_operation("gateway", 0, &name),
        name: name.into(),
    })
}

/// Without its trailing slash. What it says has to have one reading only.
fn prefix(text: &str) -> Result<Box<str>, &'static str> {
    if !text.starts_with('/') {
        return Err("it has to begin with a slash");
    }
    if text.contains(['%', '?', '#', ';', '{', '}', '*']) || !text.is_ascii() {
        return Err("it has to be plain: no escapes, parameters or patterns");
    }
    if check_path(text).is_err() || text.contains(char::is_whitespace) {
        return Err("it has to be plain: no dots that climb, no empty segments");
    }
    Ok(text.strip_suffix('/').unwrap_or(text).into())
}

fn host(text: &str, route: &str) -> Result<Box<str>, ConfigError> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let ipv6 = name.starts_with('[') && name.ends_with(']') && name.parse::<http::uri::Authority>().is_ok();
    if name.is_empty() || !(name.bytes().all(plain) || ipv6) {
        return Err(ConfigError::Host { route: route.to_owned(), host: text.to_owned() });
    }
    Ok(text.to_ascii_lowercase().into())
}

fn method(text: &str, route: &str) -> Result<Method, ConfigError> {
    let capitals = !text.bytes().any(|byte| byte.is_ascii_lowercase());
    let method = Method::from_bytes(text.as_bytes()).ok().filter(|_| capitals);
    method.ok_or_else(|| ConfigError::Method { route: route.to_owned(), method: text.to_owned() })
}

fn header(name: &str, value: &str, route: &str) -> Result<(HeaderName, Option<HeaderValue>), ConfigError> {
    let wrong =
        || ConfigError::Header { route: route.to_owned(), name: name.to_owned(), value: value.to_owned() };
    let field = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    let value = (value != "*").then(|| HeaderValue::from_str(value)).transpose().map_err(|_| wrong())?;
    Ok((field, value))
}

fn choice(route: &RouteConfig, config: &Gateway, mesh: &Mesh, name: &str) -> Result<Choice, ConfigError> {
    let wrong = |reason| ConfigError::To { route: name.to_owned(), reason };
    let mut targets = Vec::with_capacity(route.to.0.len());
    for (upstream, weight) in &route.to.0 {
        // One without a weight is out of use, for now.
        if *weight == 0 {
            continue;
        }
        if upstream.is_empty() || upstream.contains(|c: char| c == '/' || c.is_whitespace()) {
            return Err(wrong("an upstream has no name, or one with a slash or a space"));
        }
        let service = config.upstreams.get(upstream).and_then(|upstream| upstream.service.as_deref());
        targets.push((mesh.target(service.unwrap_or(upstream)), *weight));
    }
    if targets.is_empty() {
        return Err(wrong("it leads nowhere: name an upstream, with a weight above 0"));
    }
    let key = route
        .sticky
        .as_ref()
        .map(|sticky| Key::new(sticky).ok_or_else(|| wrong("sticky: no header field has that name")));
    Ok(Choice::new(targets, key.transpose()?))
}

/// Who asks for no token knows no users.
fn users(route: &RouteConfig, name: &str) -> Result<(), ConfigError> {
    match &route.access {
        RouteAccess::Roles(roles) if roles.is_empty() => Err(ConfigError::Roles { route: name.to_owned() }),
        RouteAccess::Public => {
            let rates = route.rates.as_ref().is_some_and(|rates| rates.user.is_some() || rates.key.is_some());
            let sticky = route.sticky == Some(Sticky::User);
            let setting = if sticky { "sticky = \"user\"" } else { "a rate by user or key" };
            if rates || sticky {
                Err(ConfigError::NoUsers { route: name.to_owned(), setting })
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    }
}
