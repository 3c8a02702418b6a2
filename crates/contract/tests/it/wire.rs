//! A transport in memory: requests are routed by their text alone, as a server would.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use partie_contract::{
    Body, BoxFuture, Call, Caller, Channel, Client, Deadline, FaultKind, Identity, Inbound, Operation,
    Params, Platform, Request, Response, Routes, Trace, Transport,
};
use serde_json::Value;

type Endpoint = Arc<dyn Fn(Inbound) -> BoxFuture<'static, Response> + Send + Sync>;

/// Services behind one door.
#[derive(Clone, Default)]
pub(crate) struct Wire {
    mounts: Vec<(&'static Operation, Endpoint)>,
    /// The service on the other end; `None` for a user.
    peer: Option<Arc<str>>,
}

/// A call with time left, by nobody.
pub(crate) fn call() -> Call {
    Call::new(Deadline::after(Duration::from_secs(5)), Trace::new(1, 2))
}

// === impl Wire ===

impl Wire {
    pub(crate) fn serve<S: Send + Sync + 'static>(mut self, service: &Arc<S>, routes: Routes<S>) -> Self {
        for (operation, endpoint) in routes.contract().operations.iter().zip(routes.endpoints()) {
            let service = Arc::clone(service);
            self.mounts.push((operation, Arc::new(move |inbound| endpoint(Arc::clone(&service), inbound))));
        }
        self
    }

    /// The same door, knocked at by a service.
    pub(crate) fn by_service(mut self, name: &str) -> Self {
        self.peer = Some(name.into());
        self
    }

    pub(crate) fn client<C: Client>(&self) -> C {
        C::over(Channel::new(self.clone()))
    }

    /// A request as text, with nothing a typed client would add.
    pub(crate) async fn raw(
        &self,
        method: Method,
        target: &str,
        body: impl Into<Body>,
    ) -> (StatusCode, Value) {
        let mut request = Request::new(body.into());
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().unwrap();
        let (head, body) = self.handle(request).await.into_parts();
        let body = body.collect(1 << 20).await.unwrap();
        (head.status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn handle(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let (path, query) = (head.uri.path().to_owned(), head.uri.query().map(str::to_owned));
        let found = self.mounts.iter().find_map(|(operation, endpoint)| {
            let raw = matches(operation, &path)?;
            (operation.verb.method() == head.method).then_some((*operation, endpoint, raw))
        });
        let refuse = |fault: Platform| fault.into_response(Some(path.clone()), None);
        let Some((operation, endpoint, raw)) = found else {
            return refuse(Platform::new(FaultKind::NotFound));
        };
        let params = match Params::decode(raw.into_iter()) {
            Ok(params) => params,
            Err(fault) => return refuse(fault),
        };
        let mut call = match Call::from_headers(
            &head.headers,
            Deadline::after(Duration::from_secs(5)),
            Trace::new(3, 4),
        ) {
            Ok(call) => call,
            Err(fault) => return refuse(fault),
        };
        if let Some(token) =
            head.headers.get("authorization").and_then(|text| text.to_str().ok()?.strip_prefix("Bearer "))
        {
            call = call.with_caller(identity(token));
        }
        if let Some(peer) = &self.peer {
            call = call.with_peer(Arc::clone(peer));
        }
        let body = body.collect(1 << 20).await.unwrap();
        endpoint(Inbound { call, operation, path, params, query, body }).await
    }
}

impl Transport for Wire {
    fn send(
        &self,
        _: Call,
        _: &'static Operation,
        request: Request,
    ) -> BoxFuture<'static, Result<Response, Platform>> {
        let wire = self.clone();
        Box::pin(async move { Ok(wire.handle(request).await) })
    }
}

/// Whoever the token says.
pub(crate) fn identity(token: &str) -> Caller {
    Identity::new(token, token, 0).into()
}

/// The raw parameters, if the path is one of the template's.
fn matches<'p>(operation: &'static Operation, path: &'p str) -> Option<Vec<(&'static str, &'p str)>> {
    let mut params = Vec::new();
    let (mut template, mut path) = (operation.path.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return Some(params),
            (Some(place), Some(raw)) => match place.strip_prefix('{').and_then(|name| name.strip_suffix('}'))
            {
                Some(name) => params.push((name, raw)),
                None if place == raw => {}
                None => return None,
            },
            _ => return None,
        }
    }
}
