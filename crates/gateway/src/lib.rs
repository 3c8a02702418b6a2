//! The edge: one door to all services, with routes taken from their contracts.
//!
//! [`Gateway`] is the configuration, [`Parts`] is what it is built from, and what comes out is a
//! [`Serve`](partie_mesh::Serve) for a [`Listener`](partie_mesh::Listener).
//!
//! ```
//! use std::sync::Arc;
//!
//! use partie_gateway::{Gateway, Parts};
//! use partie_identity::Signer;
//! use partie_mesh::{Handles, Mesh, MeshConfig};
//!
//! # let dir = std::env::temp_dir().join(format!("partie-gateway-doc-{}", std::process::id()));
//! let signer = Signer::development(&dir)?;
//! let mut gateway = Gateway::default();
//! gateway.listen.set_port(0);
//! let handles = Handles::default();
//! let listener = gateway.bind(handles.clone())?;
//! let edge = gateway.build(Parts {
//!     title: "food".into(),
//!     contracts: vec![], // &ORDERS, &MENU
//!     grpc: vec![],
//!     mesh: Mesh::new(MeshConfig::default(), handles),
//!     verifier: Arc::new(signer.verifier("food")),
//!     ready: Arc::new(Vec::new),
//!     metrics: Arc::new(String::new),
//!     demo: None,
//! })?;
//! assert_ne!(listener.local_addr().port(), 0);
//! let running = listener.run(Arc::new(edge), Default::default()); // a future: spawn or await it
//! # drop(running);
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Layout: `edge` is the road of every request, as a list of steps; `table` is what it goes by, and can be swapped; `path`
//! says how an address reads, `routes` finds the operation of a contract, `rules` the route of the configuration, `client`
//! and `identity` who calls, `rates` how often, `cors` from whose pages, `headers` what goes on, `body` how much;
//! `upstreams` tells the mesh where routes lead; `compress` makes answers smaller; `answer` is what the gateway says
//! itself; `own` are the gateway's own addresses, `vitals` those by which it is watched, `openapi` joins descriptions; `log` has the access log; `admin` is for
//! those who run it.
//!
//! What the gateway promises to the services behind it: the address it routed by is the address they get, byte for
//! byte; a header that claims an identity was written by the gateway or is not there; every request has an id, a trace
//! and a deadline.
#![forbid(unsafe_code)]

mod admin;
mod answer;
mod body;
mod build;
mod client;
mod compress;
mod config;
mod cors;
mod edge;
mod headers;
mod identity;
mod log;
mod openapi;
mod own;
mod path;
mod rates;
mod routes;
mod rules;
mod table;
mod upstreams;
mod vitals;

pub use admin::{Admin, AdminParts};
pub use build::{BuildError, DemoIdentity, Parts};
pub use config::{
    AdminConfig, CompressionConfig, CorsConfig, Gateway, Lenience, Network, NotANetwork, NotARate, Page,
    Rate, RatesConfig, RouteAccess, RouteConfig, Sticky, To, UpstreamConfig,
};
pub use cors::CorsError;
pub use edge::{Edge, Watched};
pub use rules::ConfigError;
pub use vitals::{Readiness, Vitals};
