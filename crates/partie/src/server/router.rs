//! Finds the operation of an address.

use http::Method;
use partie_contract::{FaultKind, Params, Platform, Verb};

use super::endpoint::{Endpoint, Endpoints};

/// Radix routes over the operations of one service.
pub(crate) struct Router {
    places: Vec<Place>,
    routes: matchit::Router<usize>,
}

/// The operations of one path template.
struct Place {
    template: &'static str,
    endpoints: Vec<Endpoint>,
}

/// What an address leads to.
pub(crate) enum Found<'r> {
    Operation(&'r Endpoint, Params),
    /// No template fits.
    Nothing,
    /// The address is broken, or has other methods.
    Refused(Platform),
}

/// Two operations of one service cannot be told apart.
#[derive(Debug, thiserror::Error)]
#[error("{operation} at {path}: {reason}")]
pub(crate) struct Conflict {
    operation: String,
    path: &'static str,
    reason: String,
}

// === impl Router ===

impl Router {
    pub(crate) fn new(endpoints: Endpoints) -> Result<Self, Conflict> {
        let mut router = Self { places: Vec::new(), routes: matchit::Router::new() };
        for endpoint in endpoints {
            router.add(endpoint)?;
        }
        Ok(router)
    }

    fn add(&mut self, endpoint: Endpoint) -> Result<(), Conflict> {
        let operation = endpoint.operation;
        let conflict =
            |reason: String| Conflict { operation: operation.full_name(), path: operation.path, reason };
        if let Some(place) = self.places.iter_mut().find(|place| place.template == operation.path) {
            if place.endpoints.iter().any(|other| other.operation.verb == operation.verb) {
                return Err(conflict(format!("{} is taken", operation.verb.as_str())));
            }
            place.endpoints.push(endpoint);
            return Ok(());
        }
        let inserted = self.routes.insert(operation.path, self.places.len());
        inserted.map_err(|error| conflict(error.to_string()))?;
        self.places.push(Place { template: operation.path, endpoints: vec![endpoint] });
        Ok(())
    }

    pub(crate) fn find(&self, method: &Method, path: &str) -> Found<'_> {
        let Ok(found) = self.routes.at(path) else { return Found::Nothing };
        let place = &self.places[*found.value];
        let verb = if method == Method::HEAD { Some(Verb::Get) } else { Verb::from_method(method) };
        let Some(endpoint) = place.endpoints.iter().find(|endpoint| Some(endpoint.operation.verb) == verb)
        else {
            let methods: Vec<&str> = place.endpoints.iter().map(|e| e.operation.verb.as_str()).collect();
            return Found::Refused(Platform::new(FaultKind::MethodNotAllowed).with_allow(methods.join(", ")));
        };
        let named = |name: &str| endpoint.operation.params.iter().find(|param| param.name == name);
        let raw = found.params.iter().filter_map(|(name, raw)| Some((named(name)?.name, raw)));
        match Params::decode(raw) {
            Ok(params) => Found::Operation(endpoint, params),
            Err(fault) => Found::Refused(fault),
        }
    }
}
