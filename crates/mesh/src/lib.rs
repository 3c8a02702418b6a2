//! The data plane of every call between services: one client stack, two transports, and the listener they meet at.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use partie_contract::{Body, BoxFuture, Deadline, Request, Response};
//! use partie_mesh::{Handles, Mesh, MeshConfig, Peer, Serve};
//!
//! struct Hello;
//!
//! impl Serve for Hello {
//!     fn serve(self: Arc<Self>, _: Peer, _: Request) -> BoxFuture<'static, Response> {
//!         Box::pin(async { Response::new(Body::from("hello")) })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let mesh = Mesh::new(MeshConfig::default(), Handles::default());
//! mesh.attach("hello", Arc::new(Hello));
//! let peer = Peer::InProcess("example".into());
//! let deadline = Deadline::after(Duration::from_secs(1));
//! let answer = mesh.forward("hello", peer, Request::default(), deadline).await.unwrap();
//! assert_eq!(answer.into_body().collect(100).await.unwrap(), "hello");
//! # }
//! ```
//!
//! Layout: `serve` is what can be called; `discovery` finds instances; `mesh` knows services by name; `stack` is the road of every call, as a list
//! of steps; `transport` is its last step, in this process or over HTTP/1.1; `listener` is the other end of the wire;
//! `dispatch` runs a request where it arrived; `limited` bounds how long work may take; `path` and `local` say which
//! addresses and which senders an edge takes; `tls` is who shows which certificate to whom, `upgrade` how a connection becomes
//! a WebSocket; `unhurried` is for streams of gRPC without a deadline; `service` is the mesh in somebody else's program.
//!
//! A caller's code does not change with where a service runs: both transports carry the same bytes, and a table of
//! calls answered over both is a test.
#![forbid(unsafe_code)]

mod balance;
pub mod discovery;
mod dispatch;
mod handles;
mod hop;
mod in_flight;
mod limited;
mod listener;
mod local;
mod mesh;
mod misdirected;
mod moved;
mod origin;
mod path;
mod request_id;
mod resilience;
mod serve;
mod service;
mod stack;
mod stream;
mod target;
mod ticks;
mod timer;
mod tls;
mod transport;
mod unhurried;
mod upgrade;

pub use handles::{Detached, Handles};
pub use hop::strip_hop_by_hop;
pub use in_flight::InFlight;
pub use limited::{Limit, Limited};
pub use listener::{BindError, Limits, Listener, RunError};
pub use local::{NotLocal, check_local};
pub use mesh::Mesh;
pub use misdirected::refuse_misdirected;
pub use origin::Origin;
pub use path::check_path;
pub use request_id::request_id;
pub use resilience::{BreakerConfig, BudgetConfig, MeshConfig, Overrides, Policy, ServicePolicy};
pub use serve::{Peer, Serve};
pub use service::MeshService;
pub use stack::{ClientAddress, KeepHost, Moving, RetrySafe};
pub use target::{Known, Target};
pub use tls::{
    ClientTls, Credentials, Pem, ServerTls, Strangers, TlsError, TlsFiles, TlsPair, Trust, refused_handshake,
};
pub use unhurried::Patience;
