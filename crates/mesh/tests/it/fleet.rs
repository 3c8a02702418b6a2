//! Several instances of one service, each with manners of its own that may change.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, StatusCode};
use partie_contract::{Deadline, Platform, Request, Response};
use partie_mesh::discovery::{FixedRegistry, Instance};
use partie_mesh::{Handles, Limits, Mesh, MeshConfig, Peer};

use crate::support::{FOREVER, Server, fake, text};

/// How an instance answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    /// With its number.
    Well,
    /// With its number, after a while.
    After(Duration),
    /// With a status.
    Status(StatusCode),
    /// With 503 because somebody it called failed.
    Upstream,
    /// Never.
    Never,
}

/// An instance of the fleet.
pub(crate) struct Member {
    pub(crate) server: Server,
    manner: Arc<Mutex<Manner>>,
    asked: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<HeaderMap>>>,
}

/// The instances, and a mesh that knows them.
pub(crate) struct Fleet {
    pub(crate) members: Vec<Member>,
    pub(crate) mesh: Mesh,
}

// === impl Member ===

impl Member {
    fn start(number: usize, manner: Manner) -> Self {
        let manner = Arc::new(Mutex::new(manner));
        let asked = Arc::new(AtomicUsize::new(0));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (how, count, seen) = (Arc::clone(&manner), Arc::clone(&asked), Arc::clone(&heads));
        let serve = fake(move |_, request| {
            count.fetch_add(1, Ordering::SeqCst);
            seen.lock().unwrap().push(request.headers().clone());
            let manner = *how.lock().unwrap();
            async move {
                match manner {
                    Manner::Well => text(number.to_string()),
                    Manner::After(wait) => {
                        tokio::time::sleep(wait).await;
                        text(number.to_string())
                    }
                    Manner::Status(status) => {
                        let mut answer = Response::default();
                        *answer.status_mut() = status;
                        answer
                    }
                    Manner::Upstream => {
                        let fault =
                            Platform::new(partie_contract::FaultKind::UpstreamUnavailable).from_upstream();
                        fault.into_response(None, None)
                    }
                    Manner::Never => std::future::pending().await,
                }
            }
        });
        let limits = Limits { lame_duck: Duration::ZERO, drain: Duration::ZERO, ..Limits::default() };
        Self { server: Server::start(limits, serve), manner, asked, heads }
    }

    /// From now on it answers like that.
    pub(crate) fn is(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// How many requests it has got.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// What each request it got said in that field.
    pub(crate) fn said(&self, field: &HeaderName) -> Vec<Option<String>> {
        let said = |head: &HeaderMap| head.get(field).map(|value| value.to_str().unwrap().to_owned());
        self.heads.lock().unwrap().iter().map(said).collect()
    }
}

// === impl Fleet ===

impl Fleet {
    pub(crate) fn start(manners: &[Manner]) -> Self {
        Self::with(manners, MeshConfig::default(), &[])
    }

    /// With those weights, in order; the others have the usual one.
    pub(crate) fn with(manners: &[Manner], config: MeshConfig, weights: &[u32]) -> Self {
        let members: Vec<_> =
            manners.iter().enumerate().map(|(number, manner)| Member::start(number, *manner)).collect();
        let mut registry = FixedRegistry::default();
        for (number, member) in members.iter().enumerate() {
            let instance = Instance::new(format!("orders-{number}"), member.server.address);
            let weight = weights.get(number).copied().unwrap_or(instance.weight);
            registry = registry.with_instance("orders", Instance { weight, ..instance });
        }
        let mesh = Mesh::new(config, Handles::default());
        mesh.discover(Arc::new(registry));
        Self { members, mesh }
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.members.iter().map(|member| member.server.address).collect()
    }

    /// How many requests each instance has got.
    pub(crate) fn asked(&self) -> Vec<usize> {
        self.members.iter().map(Member::asked).collect()
    }

    pub(crate) async fn get(&self) -> Result<String, String> {
        self.send(Method::GET, &[], FOREVER).await
    }

    /// The answer's text; else the fault's code or the status.
    pub(crate) async fn send(
        &self,
        method: Method,
        headers: &[(&'static str, &str)],
        within: Duration,
    ) -> Result<String, String> {
        let mut request = Request::new("body".into());
        *request.method_mut() = method;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let from = Peer::InProcess("test".into());
        let answer = self.mesh.forward("orders", from, request, Deadline::after(within)).await;
        let answer = answer.map_err(|fault| fault.kind().code().to_owned())?;
        if !answer.status().is_success() {
            return Err(answer.status().as_str().to_owned());
        }
        let body = answer.into_body().collect(1000).await.map_err(|fault| fault.kind().code().to_owned())?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}
