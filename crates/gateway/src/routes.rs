//! Routes: from a method and an address to the operation, by the tables of the contracts.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use http::Method;
use partie_contract::{Contract, FaultKind, Operation, Platform, Verb};
use partie_mesh::{Mesh, Target};
use partie_telemetry::HttpServerMetrics;
use serde_json::{Value, json};

use crate::build::BuildError;
use crate::own::Own;

/// All routes. Built once, then only read.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    contracts: Vec<&'static Contract>,
    tree: matchit::Router<Resource>,
    /// The first segments after `/api/` of compat routes: what the tutorials call services.
    compat_services: Vec<&'static str>,
    /// gRPC services by their full names.
    grpc: BTreeMap<&'static str, Target>,
}

/// Everything at one address.
#[derive(Debug)]
pub(crate) struct Resource {
    /// In the order of [`Verb`].
    routes: [Option<Route>; 5],
    allow: String,
}

/// One operation, ready to be called.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) operation: &'static Operation,
    /// Whether its contract keeps the manners of the tutorials.
    pub(crate) compat: bool,
    pub(crate) target: Target,
    pub(crate) metrics: HttpServerMetrics,
}

// === impl Routes ===

impl Routes {
    pub(crate) fn new(contracts: &[&'static Contract], mesh: &Mesh) -> Result<Self, BuildError> {
        // By template with its parameters made nameless: what they are called makes no difference to an address.
        let mut resources: BTreeMap<String, (&'static Operation, Resource)> = BTreeMap::new();
        for contract in contracts {
            for operation in contract.operations {
                if Own::find(operation.path).is_some() {
                    let operation_name = operation.full_name();
                    return Err(BuildError::Own { operation: operation_name, path: operation.path });
                }
                let route = Route {
                    operation,
                    compat: contract.compat,
                    target: mesh.target(operation.service),
                    metrics: HttpServerMetrics::for_operation(
                        "gateway",
                        operation.version,
                        &operation.full_name(),
                    ),
                };
                match resources.entry(nameless(operation.path)) {
                    Entry::Vacant(entry) => {
                        let mut resource = Resource { routes: Default::default(), allow: String::new() };
                        resource.routes[index(operation.verb)] = Some(route);
                        entry.insert((operation, resource));
                    }
                    Entry::Occupied(mut entry) => {
                        let place = &mut entry.get_mut().1.routes[index(operation.verb)];
                        if let Some(first) = place {
                            return Err(BuildError::duplicate(first.operation, operation));
                        }
                        *place = Some(route);
                    }
                }
            }
        }
        let mut tree = matchit::Router::new();
        for (operation, mut resource) in resources.into_values() {
            resource.allow = allow(&resource.routes);
            tree.insert(operation.path, resource).map_err(|error| BuildError::Template {
                operation: operation.full_name(),
                path: operation.path,
                reason: error.to_string(),
            })?;
        }
        let compat = contracts.iter().filter(|contract| contract.compat);
        let paths = compat.flat_map(|contract| contract.operations).map(|operation| operation.path);
        let compat_services =
            paths.filter_map(|path| path.strip_prefix("/api/")?.split('/').next()).collect();
        Ok(Self { contracts: contracts.to_vec(), tree, compat_services, grpc: BTreeMap::new() })
    }

    /// Adds gRPC services. What every service has, such as its health, is behind the door only if one service has it:
    /// nobody could say whose is meant.
    pub(crate) fn with_grpc(
        mut self,
        services: &[(&'static str, &'static str)],
        mesh: &Mesh,
    ) -> Result<Self, BuildError> {
        for (place, (name, service)) in services.iter().enumerate() {
            let mut others = services[..place].iter().chain(&services[place + 1..]);
            match others.find(|(other, _)| other == name) {
                None => drop(self.grpc.insert(name, mesh.target(service))),
                Some(_) if name.starts_with("grpc.") => {}
                Some((_, first)) => return Err(BuildError::Grpc { name, first, second: service }),
            }
        }
        Ok(self)
    }

    /// The gRPC service of an address, `/math.v1.Factorial/Factorial`.
    pub(crate) fn grpc(&self, path: &str) -> Option<&Target> {
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        self.grpc.get(service)
    }

    /// What is at that address.
    pub(crate) fn at(&self, path: &str) -> Option<&Resource> {
        self.tree.at(path).ok().map(|found| found.value)
    }

    /// All operations, for people.
    pub(crate) fn describe(&self) -> Vec<Value> {
        let operations = self.contracts.iter().flat_map(|contract| contract.operations);
        let describe = |operation: &Operation| {
            let address = format!("{} {}", operation.verb.as_str(), operation.path);
            json!({ "operation": operation.full_name(), "address": address })
        };
        operations.map(describe).collect()
    }

    /// Whether an unknown address is under `/api/` but under no service the tutorials know.
    pub(crate) fn names_unknown_service(&self, path: &str) -> bool {
        let service = path.strip_prefix("/api/").and_then(|rest| rest.split('/').next());
        !self.compat_services.is_empty()
            && service.is_some_and(|service| service != "v1" && !self.compat_services.contains(&service))
    }
}

// === impl Resource ===

impl Resource {
    /// The operation of that method; `HEAD` is `GET` whose body nobody wants.
    pub(crate) fn route(&self, method: &Method) -> Result<&Route, Platform> {
        let verb = if *method == Method::HEAD { Some(Verb::Get) } else { Verb::from_method(method) };
        let route = verb.and_then(|verb| self.routes[index(verb)].as_ref());
        route.ok_or_else(|| method_not_allowed(self.allow.clone()))
    }

    /// Whether one of its operations keeps the manners of the tutorials.
    pub(crate) fn is_compat(&self) -> bool {
        self.routes.iter().flatten().any(|route| route.compat)
    }

    /// The value of `Allow`.
    pub(crate) fn allow(&self) -> &str {
        &self.allow
    }
}

/// A 405 that names what is allowed.
pub(crate) fn method_not_allowed(allow: String) -> Platform {
    Platform::new(FaultKind::MethodNotAllowed)
        .with_detail(format!("this address takes {allow}"))
        .with_allow(allow)
}

fn index(verb: Verb) -> usize {
    verb as usize
}

fn allow(routes: &[Option<Route>; 5]) -> String {
    let mut methods: Vec<&str> = routes.iter().flatten().map(|route| route.operation.verb.as_str()).collect();
    if methods.contains(&"GET") {
        methods.insert(1, "HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

/// `/orders/{id}` as `/orders/{}`.
fn nameless(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut inside = false;
    for c in template.chars() {
        match c {
            '{' => inside = true,
            '}' => inside = false,
            _ if inside => continue,
            _ => {}
        }
        out.push(c);
    }
    out
}
