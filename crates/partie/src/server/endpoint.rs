//! One operation of a running service.

use std::sync::Arc;

use partie_contract::{BoxFuture, Inbound, Operation, Response, Routes};
use partie_telemetry::{HttpServerMetrics, SlowPolls};

/// All operations of a service, in order of declaration.
pub(crate) type Endpoints = Vec<Endpoint>;

/// An operation together with the state it runs on.
pub(crate) struct Endpoint {
    pub(crate) operation: &'static Operation,
    /// Whether a token without a scheme is taken (compat routes).
    pub(crate) lenient: bool,
    pub(crate) metrics: HttpServerMetrics,
    pub(crate) polls: SlowPolls,
    run: Arc<dyn Fn(Inbound) -> BoxFuture<'static, Response> + Send + Sync>,
}

// === impl Endpoint ===

impl Endpoint {
    /// The endpoints of a contract on that state.
    pub(crate) fn all<S: Send + Sync + 'static>(routes: Routes<S>, state: &Arc<S>) -> Endpoints {
        let contract = routes.contract();
        let pairs = contract.operations.iter().zip(routes.endpoints());
        pairs
            .map(|(operation, endpoint)| {
                let (endpoint, state) = (*endpoint, Arc::clone(state));
                // Two contracts of a service may have operations of the same name.
                let name = operation.full_name();
                Self {
                    operation,
                    lenient: contract.compat,
                    metrics: HttpServerMetrics::for_operation(operation.service, operation.version, &name),
                    polls: SlowPolls::for_operation(operation.service, operation.version, &name),
                    run: Arc::new(move |inbound| endpoint(Arc::clone(&state), inbound)),
                }
            })
            .collect()
    }

    /// Runs the operation.
    pub(crate) fn run(&self, inbound: Inbound) -> BoxFuture<'static, Response> {
        (self.run)(inbound)
    }
}
