//! Finds the configured route of a request: by host, then by the longest prefix, then by what else a route asks for.

use std::collections::HashMap;

use http::{HeaderMap, Method, header};

use super::rule::Rule;

/// All configured routes. Built once, then only read.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    /// Of hosts by their whole name.
    hosts: HashMap<Box<str>, Prefixes>,
    /// Of hosts by how they end, `.example.com`; the longest first.
    ends: Vec<(Box<str>, Prefixes)>,
    /// Of all hosts.
    any: Prefixes,
}

/// Routes by their prefixes. Several of one prefix are in the order in which they are tried.
#[derive(Debug, Default)]
struct Prefixes {
    by_prefix: HashMap<Box<str>, Vec<usize>>,
    longest: usize,
}

/// What was found.
#[derive(Debug)]
pub(crate) enum Found<'t> {
    Rule(&'t Rule),
    /// There would be routes for other methods.
    Method(Vec<&'t Rule>),
    Nothing,
}

// === impl Rules ===

impl Rules {
    /// The table of those routes.
    pub(crate) fn new(mut rules: Vec<Rule>) -> Self {
        // Of two for the same address the one that asks for more is tried first; the sort keeps the order otherwise.
        rules.sort_by_key(|rule| (std::cmp::Reverse(rule.headers.len()), rule.methods.is_empty()));
        let (mut hosts, mut any) = (HashMap::<Box<str>, Prefixes>::new(), Prefixes::default());
        let mut ends = HashMap::<Box<str>, Prefixes>::new();
        for (number, rule) in rules.iter().enumerate() {
            let prefixes = match rule.host.as_deref() {
                None => &mut any,
                Some(host) => match host.strip_prefix('*') {
                    Some(end) => ends.entry(end.into()).or_default(),
                    None => hosts.entry(host.into()).or_default(),
                },
            };
            prefixes.add(&rule.prefix, number);
        }
        let mut ends: Vec<_> = ends.into_iter().collect();
        ends.sort_by_key(|(end, _)| std::cmp::Reverse(end.len()));
        Self { rules, hosts, ends, any }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// The route of a request to that address.
    pub(crate) fn find(&self, path: &str, method: &Method, headers: &HeaderMap) -> Found<'_> {
        if self.rules.is_empty() {
            return Found::Nothing;
        }
        let mut others = Vec::new();
        let mut look = |prefixes: &Prefixes| {
            let mut rules = prefixes.along(path).map(|number| &self.rules[number]);
            rules.find(|rule| {
                rule.wants(headers)
                    && (rule.takes(method) || {
                        others.push(*rule);
                        false
                    })
            })
        };
        let mut found = None;
        if !self.hosts.is_empty() || !self.ends.is_empty() {
            let host = host(headers);
            let ends =
                || self.ends.iter().filter(|(end, _)| host.len() > end.len() && host.ends_with(&**end));
            let named = self.hosts.get(&*host).into_iter().chain(ends().map(|(_, prefixes)| prefixes));
            found = named.into_iter().find_map(&mut look);
        }
        match found.or_else(|| look(&self.any)) {
            Some(rule) => Found::Rule(rule),
            None if others.is_empty() => Found::Nothing,
            None => Found::Method(others),
        }
    }
}

/// The host as it was asked for, without its port, in small letters.
fn host(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

// === impl Prefixes ===

impl Prefixes {
    fn add(&mut self, prefix: &str, number: usize) {
        self.longest = self.longest.max(prefix.len());
        self.by_prefix.entry(prefix.into()).or_default().push(number);
    }

    /// The routes whose prefix the address has, those with the longest first.
    fn along<'a>(&'a self, path: &'a str) -> impl Iterator<Item = usize> + 'a {
        // What ends before the last slash of it.
        let shorter =
            |path: &'a str| path.bytes().rposition(|byte| byte == b'/').and_then(|end| path.get(..end));
        // Nothing longer than the longest prefix need be looked up.
        let end = path.bytes().take(self.longest + 1).rposition(|byte| byte == b'/');
        let longest = || path.get(..end?);
        let mut prefix = if path.len() <= self.longest { Some(path) } else { longest() };
        let prefixes = std::iter::from_fn(move || {
            let this = prefix?;
            prefix = shorter(this);
            Some(this)
        });
        prefixes.filter_map(|prefix| self.by_prefix.get(prefix)).flatten().copied()
    }
}
