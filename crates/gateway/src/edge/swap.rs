//! Another configuration for an edge at work: compiled beside the old one, then swapped with it.

use std::sync::{Arc, PoisonError};

use partie_mesh::{Handles, Mesh, MeshConfig};
use serde_json::{Value, json};

use super::Edge;
use crate::config::{Gateway, RouteAccess};
use crate::routes::Routes;
use crate::rules::{ConfigError, Rule};
use crate::table::Table;
use crate::upstreams::look_up;

/// Whether all of it could work. Nothing is told of it.
///
/// # Errors
/// [`ConfigError`] names the first thing that cannot.
pub(crate) fn check(config: &Gateway, services: &[&str]) -> Result<(), ConfigError> {
    look_up(config, services)?;
    // On a mesh nobody uses.
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    Table::compile(config, 0, Arc::new(Routes::default()), &mesh).map(drop)
}

// === impl Edge ===

impl Edge {
    /// Goes by that configuration from now on. Requests under way end as they began, and no connection is closed: what
    /// belongs to the socket (`listen`, `workers`, `limits`) is as it was. Says which settings those are that differ. Blocks
    /// while it looks up the names of upstreams. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`ConfigError`] names the first thing that cannot work. Then nothing has changed.
    pub fn reload(&self, config: &Gateway) -> Result<Vec<&'static str>, ConfigError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        check(config, &self.services)?;
        let places = look_up(config, &self.services)?;
        let before = self.table.load_full();
        // What is no longer at URLs is a service from now on, so it has to be gone before anybody asks for it.
        self.upstreams.retire(&places, &self.mesh);
        self.upstreams.tell(places, &self.mesh);
        let routes = Arc::clone(&self.routes);
        let table = Table::compile(config, before.generation + 1, routes, &self.mesh)?;
        self.table.store(Arc::new(table));
        let old = &before.config;
        let differs = [
            ("listen", old.listen != config.listen),
            ("workers", old.workers != config.workers),
            ("limits", old.limits != config.limits),
            ("tls", old.tls != config.tls),
        ];
        Ok(differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect())
    }

    /// Looks up the names of upstreams again. Whoever cannot be looked up stays where it was. Blocks.
    ///
    /// # Errors
    /// [`ConfigError`] names the one that cannot be looked up.
    pub fn look_again(&self) -> Result<(), ConfigError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let places = look_up(&self.table.load_full().config, &self.services)?;
        self.upstreams.tell(places, &self.mesh);
        Ok(())
    }

    /// How many configurations there were.
    pub fn generation(&self) -> u64 {
        self.table.load().generation
    }

    /// All routes, for people.
    pub(crate) fn describe(&self) -> Value {
        let table = self.table.load_full();
        let configured: Vec<Value> = table.rules.iter().map(|rule| self.describe_rule(rule)).collect();
        json!({ "contracts": self.routes.describe(), "configured": configured })
    }

    fn describe_rule(&self, rule: &Rule) -> Value {
        let to = |(target, weight): (&partie_mesh::Target, u32)| {
            let service = target.service();
            let at: Vec<String> = self.upstreams.at(service).iter().map(ToString::to_string).collect();
            json!({ "upstream": service, "weight": weight, "at": at, "known": target.is_known() })
        };
        let methods: Vec<&str> = rule.methods.iter().map(http::Method::as_str).collect();
        let access = match &rule.access {
            RouteAccess::Public => json!("public"),
            RouteAccess::Authenticated => json!("authenticated"),
            RouteAccess::Roles(roles) => json!(roles),
        };
        json!({
            "name": &*rule.name,
            "host": rule.host.as_deref(),
            "prefix": format!("{}/", rule.prefix),
            "methods": methods,
            "headers": rule.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            "to": rule.choice.targets().map(to).collect::<Vec<_>>(),
            "rewrite": rule.rewrite.as_deref().map(|rewrite| format!("{rewrite}/")),
            "access": access,
            "timeout-ms": u64::try_from(rule.timeout.as_millis()).unwrap_or(u64::MAX),
        })
    }
}
