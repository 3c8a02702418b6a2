//! The ways to make the same call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use partie_contract::{Body, BoxFuture, Deadline, Response};
use partie_mesh::discovery::{FixedRegistry, Instance};
use partie_mesh::{Handles, Mesh, MeshConfig, Peer, Serve};

use super::upstream::ANSWER;
use crate::{Error, own_cpu};

const SERVICE: &str = "menu";
const PATH: &str = "/api/v1/menu/0193";
const MANY: u32 = 10_000;
const DEADLINE: Duration = Duration::from_secs(10);

/// A way to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A connection of hyper for each of those who call, and nothing else.
    Hyper,
    /// Through the mesh, to one instance.
    Mesh,
    /// Through the mesh, to one of many instances.
    MeshOfMany,
    /// A service in the same process, asked without the mesh.
    Direct,
    /// A service in the same process, through the mesh.
    InProcess,
}

// === impl Caller ===

impl Caller {
    /// All of them, in the order in which they take turns.
    pub const ALL: &'static [Self] =
        &[Self::Hyper, Self::Mesh, Self::MeshOfMany, Self::Direct, Self::InProcess];
    /// How many calls are under way.
    pub const AT_ONCE: usize = 64;

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hyper => "hyper",
            Self::Mesh => "mesh",
            Self::MeshOfMany => "mesh, 10,000 instances",
            Self::Direct => "in-process, bare",
            Self::InProcess => "in-process, mesh",
        }
    }

    /// The caller of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.iter().find(|caller| caller.name() == name);
        found.copied().ok_or_else(|| format!("nobody calls by {name:?}").into())
    }

    /// Calls for that time from one thread, and says how many calls there were and what they cost.
    ///
    /// # Errors
    /// When a call fails.
    pub fn run(self, to: SocketAddr, time: Duration) -> Result<(u64, Duration), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.calls(to, time))
    }

    async fn calls(self, to: SocketAddr, time: Duration) -> Result<(u64, Duration), Error> {
        let (over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mesh = self.mesh(to);
        let target = mesh.target(SERVICE);
        let direct: Arc<dyn Serve> = Arc::new(Fixed);
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..Self::AT_ONCE {
            let (over, made) = (Arc::clone(&over), Arc::clone(&made));
            let (target, direct) = (target.clone(), Arc::clone(&direct));
            callers.spawn(async move {
                let from = Peer::InProcess("bench".into());
                let mut bare = if self == Self::Hyper { Some(connect(to).await?) } else { None };
                while !over.load(Ordering::Relaxed) {
                    let length = match (self, &mut bare) {
                        (Self::Hyper, Some(bare)) => {
                            let request = request().header(header::HOST, "menu");
                            let answer = bare.send_request(request.body(Empty::new())?).await?;
                            bare_length(answer).await?
                        }
                        (Self::Direct, _) => {
                            let request = request().body(Body::empty())?;
                            let answer = Arc::clone(&direct).serve(from.clone(), request).await;
                            answer.into_body().collect(1_000).await?.len()
                        }
                        _ => {
                            let request = request().body(Body::empty())?;
                            let deadline = Deadline::after(DEADLINE);
                            let answer = target.forward(from.clone(), None, request, deadline).await?;
                            answer.into_body().collect(1_000).await?.len()
                        }
                    };
                    if length != ANSWER.len() {
                        return Err::<(), Error>(format!("an answer of {length} bytes").into());
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                    if self == Self::Direct || self == Self::InProcess {
                        tokio::task::yield_now().await;
                    }
                }
                Ok(())
            });
        }
        // Connections come about, and estimates settle.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = (made.load(Ordering::Relaxed), own_cpu()?);
        tokio::time::sleep(time).await;
        let after = (made.load(Ordering::Relaxed), own_cpu()?);
        over.store(true, Ordering::Relaxed);
        while let Some(ended) = callers.join_next().await {
            ended??;
        }
        Ok((after.0 - before.0, after.1.saturating_sub(before.1)))
    }

    fn mesh(self, to: SocketAddr) -> Mesh {
        let mesh = Mesh::new(MeshConfig::default(), Handles::default());
        match self {
            Self::Mesh => mesh.connect(SERVICE, to),
            Self::MeshOfMany => {
                let mut registry = FixedRegistry::default();
                for number in 0..MANY {
                    // All of 127.0.0.0/8 is this machine.
                    let [_, b, c, d] = (number + 1).to_be_bytes();
                    let address = SocketAddr::from(([127, b, c, d], to.port()));
                    registry = registry.with_instance(SERVICE, Instance::new(number.to_string(), address));
                }
                mesh.discover(Arc::new(registry));
            }
            Self::InProcess => mesh.attach(SERVICE, Arc::new(Fixed)),
            Self::Hyper | Self::Direct => {}
        }
        mesh
    }
}

fn request() -> http::request::Builder {
    Request::builder().uri(PATH).header(header::ACCEPT, "application/json")
}

async fn connect(to: SocketAddr) -> Result<http1::SendRequest<Empty<Bytes>>, Error> {
    let stream = tokio::net::TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(driver);
    Ok(connection)
}

async fn bare_length(answer: http::Response<hyper::body::Incoming>) -> Result<usize, Error> {
    Ok(answer.into_body().collect().await?.to_bytes().len())
}

/// The same answer, without a wire.
struct Fixed;

impl Serve for Fixed {
    fn serve(self: Arc<Self>, _: Peer, _: partie_contract::Request) -> BoxFuture<'static, Response> {
        Box::pin(async {
            let mut answer = Response::new(Body::from(ANSWER));
            answer
                .headers_mut()
                .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
            answer
        })
    }
}
