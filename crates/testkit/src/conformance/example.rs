//! An example: a request that earns the operation's success.

use std::fmt::Display;

use partie_contract::{Access, Operation};
use serde::Serialize;
use serde_json::Value;

use super::ask::{Ask, encode};
use crate::call::fresh_key;
use crate::run::TestRun;

/// A request that earns an operation's success. Whoever it is by has the first role the operation takes unless it
/// says otherwise, and keys come by themselves.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Example {
    params: Vec<(&'static str, String)>,
    query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    by: Option<(String, Vec<String>)>,
    if_match: Option<String>,
}

// === impl Example ===

impl Example {
    /// A request without arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fills a path parameter.
    #[must_use]
    pub fn param(mut self, name: &'static str, value: impl Display) -> Self {
        self.params.push((name, value.to_string()));
        self
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Display) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Sets the body.
    ///
    /// # Panics
    /// When it cannot be JSON.
    #[must_use]
    pub fn body(mut self, body: impl Serialize) -> Self {
        match serde_json::to_value(body) {
            Ok(body) => self.body = Some(body),
            Err(error) => panic!("this cannot be JSON: {error}"),
        }
        self
    }

    /// Says who calls, with which roles.
    #[must_use]
    pub fn by(mut self, subject: &str, roles: &[&str]) -> Self {
        self.by = Some((subject.to_owned(), roles.iter().map(|role| (*role).to_owned()).collect()));
        self
    }

    /// Names the version the write is meant for.
    #[must_use]
    pub fn if_match(mut self, version: i64) -> Self {
        self.if_match = Some(format!("\"{version}\""));
        self
    }

    /// The request, or what is missing for it.
    pub(crate) fn ask(&self, run: &TestRun, operation: &Operation) -> Result<Ask, String> {
        let mut path = operation.path.to_owned();
        for param in operation.params {
            let name = param.name;
            let given = self.params.iter().find(|(own, _)| *own == name);
            let (_, value) = given.ok_or_else(|| format!("the example has no path parameter {name}"))?;
            path = path.replace(&format!("{{{name}}}"), &encode(value));
        }
        let unknown =
            self.params.iter().find(|(own, _)| operation.params.iter().all(|param| param.name != *own));
        if let Some((name, _)) = unknown {
            return Err(format!("the example has a path parameter {name}, the operation has not"));
        }
        let query: Vec<String> =
            self.query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let body = self.body.as_ref().map(|body| body.to_string().into_bytes());
        Ok(Ask {
            address: run.address(),
            is_stream: operation.is_stream(),
            method: operation.verb.as_str(),
            path,
            query: query.join("&"),
            content_type: body.as_ref().map(|_| "application/json"),
            body,
            chunked: false,
            accept: None,
            token: self.token(run, operation.access),
            key: operation.keyed.then(fresh_key),
            if_match: self.if_match.clone(),
        })
    }

    /// Whether it is by a service, from whom more is accepted than from users.
    pub(crate) fn is_by_service(&self, operation: &Operation) -> bool {
        match (&self.by, operation.access) {
            (Some((_, roles)), _) => roles.iter().any(|role| role == "service"),
            (None, Access::Roles(roles)) => roles.first() == Some(&"service"),
            (None, Access::Public | Access::Authenticated) => false,
        }
    }

    fn token(&self, run: &TestRun, access: Access) -> Option<String> {
        let roles: &[&str] = match access {
            Access::Roles(roles) => roles.get(..1).unwrap_or_default(),
            Access::Public | Access::Authenticated => &[],
        };
        match &self.by {
            Some((subject, roles)) => {
                let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
                Some(run.token(subject, &roles))
            }
            None if access == Access::Public => None,
            None => Some(run.token("conformance", roles)),
        }
    }
}
